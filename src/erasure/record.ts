import { labelName } from '../backup/label.ts'
import { loadSigners, loadSigningKey } from '../backup/keys.ts'
import { scanStore } from '../backup/backups.ts'
import type { BackupSettings } from '../config/backup.ts'
import type { ErasureSettings } from '../config/operations.ts'
import { readSecret } from '../config/secret.ts'
import type { StoreSettings } from '../config/store.ts'
import { Failure } from '../errors.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { ErasureRecordEvent, ErasuresEvent, Emit } from '../report/events.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { erasureKey, hashKey, keyCheck, type HashedKey } from './hash.ts'
import {
  appendRecord,
  MOST_PERSONS,
  readLedger,
  recordName,
  type Ledger,
  type NewRecord,
} from './ledger.ts'
import { rememberLedger } from './memory.ts'
import { userAtHost } from '../who.ts'

export interface LedgerOptions {
  store: StoreSettings
  backup: BackupSettings
  /** Absolute path of the directory for what pgveil remembers. */
  state: string
}

export interface RecordOptions extends LedgerOptions {
  /** The secret that hashes are made with, and what becomes of rows that refer to the person. */
  erasure?: ErasureSettings
  /** Where secrets that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** Chain of backups; absent: the configured one, or the only one that the store holds. */
  name?: string
  /** As it stands in the catalog, without quotes. */
  table: QualifiedName
  column: string
  /** Values of the column, as PostgreSQL prints them. */
  values: readonly string[]
}

/** @throws Failure `key` */
export function noSecret(): Failure {
  return new Failure('key', 'the secret of the ledger of erasures is not set', {
    hint: 'write erasure: { secret: { file: … } } into pgveil.yaml, with the secret that the ledger was begun with',
  })
}

/** @param record that shows it */
export function otherSecret(record = 'the ledger of erasures'): Failure {
  return new Failure('key', `${record} was made with another secret than erasure.secret`, {
    hint: 'one ledger has one secret: nobody can be found again without it',
  })
}

/** @throws Failure `key` where a record was made with another secret */
export function checkSecret(key: Buffer, { records }: Ledger): void {
  const check = keyCheck(key)
  const other = records.find((record) => record.check !== check)
  if (other) throw otherSecret(recordName(other.number))
}

/**
 * Puts persons into the ledger of erasures. Their values are hashed and forgotten. The database itself is not touched.
 *
 * @returns the event `erasure-record`, which was emitted
 * @throws Failure `key`, `config` for the secret or the signing key; `integrity` where the ledger is damaged; `usage`
 *   where it is not clear which chain is meant; `store`
 */
export async function recordErasures(
  options: RecordOptions,
  emit: Emit,
): Promise<ErasureRecordEvent> {
  const { backup, erasure, env, table, column, values, state } = options
  if (!erasure) throw noSecret()
  if (values.length > MOST_PERSONS) {
    throw new Failure('usage', `${values.length} persons are too many for one record`, {
      hint: `give at most ${MOST_PERSONS} at a time`,
    })
  }
  const signers = await loadSigners(backup)
  const signing = await loadSigningKey(backup, signers, env)
  const secret = await readSecret(erasure.secret, env)
  const key = erasureKey(secret)
  secret.fill(0)
  const store = await openStore(options.store)
  try {
    const hashed = distinct(values.map((value) => hashKey(key, value)))
    const name = await chainOf(store, options)
    const { ledger, record } = await appendRecord(store, signers, signing, (before) => {
      checkSecret(key, before)
      const keys = unknownOf(before, { name, table, column }, hashed)
      return keys.length === 0 ? undefined : newRecord(options, erasure, key, { name, keys })
    })
    await rememberLedger(state, store.label, ledger)
    const added = record?.keys.length ?? 0
    const event: ErasureRecordEvent = {
      event: 'erasure-record',
      number: record?.number ?? ledger.records.length,
      name,
      table: showName(table),
      column,
      added,
      known: hashed.length - added,
    }
    emit(event)
    return event
  } finally {
    key.fill(0)
    await store.close()
  }
}

function newRecord(
  { table, column }: RecordOptions,
  { references }: ErasureSettings,
  key: Buffer,
  { name, keys }: { name: string; keys: HashedKey[] },
): NewRecord {
  return {
    time: new Date().toISOString(),
    by: userAtHost(),
    name,
    check: keyCheck(key),
    schema: table.schema,
    table: table.name,
    column,
    references,
    keys,
  }
}

function distinct(keys: readonly HashedKey[]): HashedKey[] {
  return [...new Map(keys.map((each) => [each.hash, each])).values()]
}

function unknownOf(
  { records }: Ledger,
  { name, table, column }: { name: string; table: QualifiedName; column: string },
  hashed: readonly HashedKey[],
): HashedKey[] {
  const known = new Set(
    records
      .filter(
        (record) =>
          record.name === name &&
          record.schema === table.schema &&
          record.table === table.name &&
          record.column === column,
      )
      .flatMap(({ keys }) => keys.map(({ hash }) => hash)),
  )
  return hashed.filter(({ hash }) => !known.has(hash))
}

async function chainOf(store: Store, { name, backup }: RecordOptions): Promise<string> {
  const configured = name ?? backup.name
  if (configured !== undefined) return configured
  const labels = [...(await scanStore(store)).keys()]
  const names = [...new Set(labels.map(labelName))]
  const [only] = names
  if (only !== undefined && names.length === 1) return only
  throw new Failure(
    'usage',
    only === undefined
      ? 'the store holds no backup, and which database the person was in is not said'
      : `the store holds backups of ${names.toSorted().join(', ')}`,
    { hint: 'say by --name whose backups the person was in: it is the end of their labels' },
  )
}

/**
 * Checks the ledger and lists its records, without values: it holds none.
 *
 * @returns the event `erasures`, which was emitted
 * @throws Failure `integrity`, `store`
 */
export async function listErasures(options: LedgerOptions, emit: Emit): Promise<ErasuresEvent> {
  const signers = await loadSigners(options.backup)
  const store = await openStore(options.store)
  try {
    const ledger = await readLedger(store, signers)
    await rememberLedger(options.state, store.label, ledger)
    const event: ErasuresEvent = {
      event: 'erasures',
      store: store.label,
      records: ledger.records.map(({ number, time, by, name, schema, table, column, keys }) => ({
        number,
        time,
        by,
        name,
        table: showName({ schema, name: table }),
        column,
        persons: keys.length,
      })),
    }
    emit(event)
    return event
  } finally {
    await store.close()
  }
}
