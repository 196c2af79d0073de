import type pg from 'pg'
import type { Manifest } from '../backup/manifest.ts'
import type { ErasureSettings } from '../config/operations.ts'
import { readSecret } from '../config/secret.ts'
import { Failure } from '../errors.ts'
import { errorCode, serverFailure } from '../postgres/connect.ts'
import { CopyIn } from '../postgres/copy-in.ts'
import { quoteQualified, showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { ErasedRows } from '../report/events.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import { erasureKey } from './hash.ts'
import { checkReaches, readLedger, type ErasureRecord } from './ledger.ts'
import { rememberLedger } from './memory.ts'
import { checkSecret, noSecret, otherSecret } from './record.ts'
import {
  ABSENT_SQL,
  CLEAN_SQL,
  COPY_KEY_SQL,
  COPY_RECORDS_SQL,
  READ_SQL,
  REPLAY_SQL,
  RESULT_SQL,
  SETUP_SQL,
  UNFOUND_SQL,
} from './replay-sql.ts'

/** The ledger, checked, and what finds its persons. */
export interface Erasures {
  /** Chain of the backup that is restored. */
  name: string
  /** Records of that chain. */
  records: ErasureRecord[]
  /** The whole ledger, a line each. */
  lines: Buffer
  /** Whoever is done with it overwrites it. */
  key: Buffer
  references: ErasureSettings['references']
}

export interface ErasuresRequest {
  store: Store
  signers: readonly PublicKeyFile[]
  /** The backup that is restored. */
  manifest: Pick<Manifest, 'label' | 'name' | 'erasures'>
  settings: ErasureSettings | undefined
  env: NodeJS.ProcessEnv
  /** Absolute path of the directory for what pgveil remembers. */
  state: string
}

/**
 * Opens the ledger before a backup is restored, whatever its age.
 *
 * @returns undefined where no person was erased from that database
 * @throws Failure `integrity` where the ledger is damaged, or shorter than it was; `key` where persons stand in it and
 *   its secret is not configured, or another one
 */
export async function openErasures(request: ErasuresRequest): Promise<Erasures | undefined> {
  const { store, signers, manifest, settings, env, state } = request
  const ledger = await readLedger(store, signers)
  if (manifest.erasures) checkReaches(ledger, manifest.erasures, manifest.label)
  await rememberLedger(state, store.label, ledger)
  const records = ledger.records.filter(({ name }) => name === manifest.name)
  if (records.length === 0) return undefined
  if (!settings) throw noSecret()
  const secret = await readSecret(settings.secret, env)
  const key = erasureKey(secret)
  secret.fill(0)
  checkSecret(key, ledger)
  const { references } = settings
  return { name: manifest.name, records, lines: ledger.lines, key, references }
}

type Warn = (code: string, message: string) => void

/**
 * Removes the rows of erased persons from a restored database, and handles those that refer to them; then looks
 * whether they are gone. Needs the constraints in place; afterwards statistics and materialized views hold nothing of
 * them either.
 *
 * @param client on the restored database, outside a transaction, whose owner it is or a superuser
 * @param views materialized views that hold rows, in the order in which they can be refreshed
 * @returns what was done to which table; partitions each by themselves
 * @throws Failure `refused` where nothing says what becomes of rows that refer to erased ones; `integrity` where a
 *   person is still there; `sink`
 */
export async function replayErasures(
  client: pg.Client,
  erasures: Erasures,
  { views, warn }: { views: readonly QualifiedName[]; warn: Warn },
): Promise<ErasedRows[]> {
  return withLedger(client, erasures, async () => {
    await client.query(REPLAY_SQL)
    const { rows } = await client.query<ErasedRows>(RESULT_SQL)
    const unfound = await client.query<{ table: string; column: string }>(UNFOUND_SQL)
    for (const { table, column } of unfound.rows) {
      warn(
        'erasure-not-found',
        `there is no column ${column} of ${table} in which the ledger of erasures could look; was it renamed?`,
      )
    }
    if (rows.length === 0) return rows
    const filled = await whichFilled(client, views)
    for (const view of filled) await client.query(`REFRESH MATERIALIZED VIEW ${view}`)
    const tables = [...rows.map(({ table }) => table), ...filled]
    for (const table of tables) await client.query(`VACUUM (ANALYZE) ${table}`)
    return rows
  })
}

/** A view that could not be filled holds nobody. */
async function whichFilled(client: pg.Client, views: readonly QualifiedName[]): Promise<string[]> {
  const { rows } = await client.query<QualifiedName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.relispopulated`,
  )
  const filled = new Set(rows.map(quoteQualified))
  return views.map(quoteQualified).filter((view) => filled.has(view))
}

/**
 * Looks whether erased persons are absent from a database.
 *
 * @returns how many persons it looked for
 * @throws Failure `integrity` where one is there; `sink`
 */
export async function assertErased(client: pg.Client, erasures: Erasures): Promise<number> {
  await withLedger(client, erasures, () => client.query(ABSENT_SQL))
  return erasures.records.reduce((sum, { keys }) => sum + keys.length, 0)
}

/** With the ledger in temporary tables, which are gone afterwards. */
async function withLedger<T>(
  client: pg.Client,
  { name, lines, key, references, records }: Erasures,
  work: () => Promise<T>,
): Promise<T> {
  try {
    await client.query(SETUP_SQL)
    await copyIn(client, COPY_RECORDS_SQL, Buffer.from(copyText(lines.toString('latin1'))))
    const total = lines.toString('latin1').split('\n').length - 1
    const overrides = copyText(JSON.stringify(references))
    const row = Buffer.from(`${name}\t${key.toString('hex')}\t${total}\t${overrides}\n`)
    await copyIn(client, COPY_KEY_SQL, row)
    row.fill(0)
    await client.query(READ_SQL)
    const result = await work()
    await client.query(CLEAN_SQL)
    return result
  } catch (error) {
    await client.query(CLEAN_SQL).catch(() => undefined)
    throw explain(error, records)
  } finally {
    await client.query('RESET session_replication_role').catch(() => undefined)
    // Before version 17 there is no such setting.
    await client.query('RESET event_triggers').catch(() => undefined)
  }
}

/** JSON as COPY text: of what that escapes, only backslashes are in it. */
function copyText(json: string): string {
  return json.replaceAll('\\', '\\\\')
}

const COPY_DATA = 0x64

async function copyIn(client: pg.Client, sql: string, rows: Buffer): Promise<void> {
  const copy = new CopyIn(sql)
  client.query(copy)
  await copy.opened
  const header = Buffer.alloc(5)
  header[0] = COPY_DATA
  header.writeUInt32BE(rows.length + 4, 1)
  // The socket has let go of the rows once this resolves: the caller may overwrite them.
  copy.write(header)
  await Promise.race([
    new Promise<void>((resolve) => {
      copy.write(rows, resolve)
    }),
    copy.finished,
  ])
  copy.end()
  await copy.finished
}

/** What the SQL raises, in our words; its own name no values either. */
function explain(error: unknown, records: readonly ErasureRecord[]): unknown {
  const { schema, table, constraint } = error as Partial<Record<string, string>>
  if (errorCode(error) === 'PV001') {
    const referring = showName({ schema: schema ?? '', name: table ?? '' })
    return new Failure(
      'refused',
      `rows of ${referring} refer to erased ones by the constraint ${constraint}, and nothing says what becomes of them`,
      {
        hint: `write erasure: { references: { ${schema}.${table}: delete } } into pgveil.yaml, or "null" where the column may be empty`,
        cause: error,
      },
    )
  }
  if (errorCode(error) === 'PV002') return otherSecret()
  if (errorCode(error) === 'PV003') {
    const where = [
      ...new Set(records.map((record) => showName({ schema: record.schema, name: record.table }))),
    ]
    return new Failure(
      'integrity',
      `a person who was erased is there, or is referred to: ${where.join(', ')}`,
      { cause: error },
    )
  }
  return serverFailure('sink', 'remove the persons who were erased', error)
}
