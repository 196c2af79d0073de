import { anchorLedger } from '../erasure/anchor.ts'
import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import type { Catalog } from '../postgres/catalog.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { showName } from '../postgres/identifiers.ts'
import { chooseDumper, describeDumper, type Dumper } from '../postgres/pg-dump.ts'
import { readStructure, type Structure } from '../postgres/structure-facts.ts'
import type { BackupReport } from '../report/events.ts'
import { drawSecret, passphraseOf, wipe, type Secret } from '../seal/secret.ts'
import { readCatalog } from '../source/catalog.ts'
import {
  lockBackup,
  readHashPartitioned,
  readSnapshotFacts,
  type SnapshotFacts,
} from '../source/facts.ts'
import { readGlobals, type Globals } from '../source/globals.ts'
import { checkLargeObjects, largeObjectRanges } from '../source/large-objects.ts'
import { checkReadable, readAbsent } from '../source/readable.ts'
import { readDatabase, readSequences, sequenceSql } from '../source/settings.ts'
import { joiningOf, openSnapshot, type Snapshot } from '../source/snapshot.ts'
import { shareBandwidth } from '../store/bandwidth.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { scanStore, type Backup } from './backups.ts'
import { chainName, chainOf, findPrevious, lookAgain, type Known } from './chain.ts'
import { claimLabel, commit, labelTaken, manifestSides, writePlain } from './commit.ts'
import type { Envelope } from './envelopes.ts'
import { loadSealingKeys } from './keys.ts'
import { DEFINITIONS, FORMAT, type Manifest, type ManifestSource } from './manifest.ts'
import { writeSealed, type WrittenObject } from './object-writer.ts'
import { plannedTable, planTables, type TableBackup } from './plan.ts'
import { restoreReadme, restoreScript } from './restore-script.ts'
import type { BackupOptions } from './run.ts'
import { sealEverything, type BackupPool, type Sealed } from './sealing.ts'
import { structureKeyOf } from './secrets.ts'
import { workerSecret } from './worker-secret.ts'

/** All that is known before the first byte is stored. */
export interface Prepared extends Known {
  source: Endpoint
  snapshot: Snapshot
  catalog: Catalog
  facts: SnapshotFacts
  globals: Globals
  dumper: Dumper
  tables: TableBackup[]
  /** For cleaning up: it outlives the run's end. */
  reopen: () => Promise<Store>
  /** What lies under the label is this run's. */
  claimed: boolean
}

/**
 * Looks at keys, store and source, and emits the plan.
 *
 * @throws Failure `key`, `refused`, `source`, `store`
 */
export async function prepare(options: BackupOptions, run: Run): Promise<Prepared> {
  const { backup, jobs, env } = options
  const keys = await loadSealingKeys(backup, env)
  for (const { code, message } of keys.warnings) run.warn(code, message)
  const store = await openStore(options.store)
  run.onEnd(() => store.close())
  await store.check()
  const source = parseEndpoint(options.source, 'source')
  const snapshot = await openSnapshot(source, jobs)
  run.onEnd(() => snapshot.close())
  try {
    const name = backup.name ?? chainName(snapshot.facts.database)
    if (!(await lockBackup(snapshot.client, name))) {
      throw new Failure('refused', `a backup of ${snapshot.facts.database} is under way`, {
        hint: 'wait for it to end; it holds a lock in the source',
      })
    }
    const read = await readSource(snapshot, options, run)
    const facts = await readSnapshotFacts(snapshot.client)
    const found = await scanStore(store)
    const chain = chainOf(found, name)
    const label = `${facts.time.replace(/[-:]/g, '')}-${name}`
    const previous = await findPrevious(store, chain, { keys, name, label })
    warnOfOtherServer(snapshot, previous, run)
    if (found.has(label)) throw labelTaken(label)
    const tables = planTables(read.catalog, read.hashed, jobs)
    run.emit({
      event: 'plan',
      source: source.label,
      target: `${store.label} as ${label}`,
      serverVersion: snapshot.facts.version,
      structureBy: describeDumper(read.dumper),
      tables: tables.map(plannedTable),
    })
    const reopen = () => openStore(options.store)
    const prepared = { source, snapshot, facts, ...read, tables, keys, store, reopen, name, label }
    return { ...prepared, previous, chain: new Set(chain.keys()), claimed: false }
  } catch (error) {
    throw serverFailure('source', `read ${source.label}`, error)
  }
}

async function readSource(snapshot: Snapshot, { pgDump }: BackupOptions, run: Run) {
  const { client, facts } = snapshot
  const dumper = await chooseDumper(facts.major, pgDump)
  const catalog = await readCatalog(client)
  const absent = await readAbsent(snapshot)
  for (const table of catalog.tables.filter(({ oid }) => absent.has(oid))) {
    run.warn('unlogged-left-out', `a standby has no rows of the unlogged table ${showName(table)}`)
  }
  catalog.tables = catalog.tables.filter(({ oid }) => !absent.has(oid))
  await checkReadable(
    snapshot,
    catalog.tables.filter(({ kind }) => kind === 'table'),
  )
  await checkLargeObjects(client, facts.database)
  const hashed = await readHashPartitioned(client)
  return { dumper, catalog, hashed, globals: await readGlobals(client) }
}

/** After a failover that is as it should be; where two databases share a name, it is not. */
function warnOfOtherServer({ facts }: Snapshot, previous: Backup | undefined, run: Run): void {
  const before = previous?.manifest.source.systemIdentifier
  if (!before || !facts.systemIdentifier || before === facts.systemIdentifier) return
  run.warn(
    'other-server',
    `${previous.label} is of another server: is this the same database, after a failover or a restore?`,
  )
}

/**
 * Stores everything, and at last the manifest.
 *
 * @throws Failure `source`, `store`; the reason of the run's signal
 */
export async function sealAndCommit(
  options: BackupOptions,
  prepared: Prepared,
  pool: BackupPool,
  run: Run,
): Promise<BackupReport> {
  const { snapshot, store, keys } = prepared
  const secret = drawSecret()
  try {
    const envelopes = await run.during(claim(prepared, secret))
    const sealed = await run.phase('rows', () =>
      snapshot.during(sealRows(options, prepared, secret, pool, run)),
    )
    await run.during(pool.close())
    const manifest = await run.phase('checks', () =>
      writeRest(options, prepared, secret, sealed, run),
    )
    // Rows may be vacuumed again. The session stays: it holds the lock until the chain has its new end.
    await run.during(snapshot.client.query('COMMIT').catch(() => {}))
    // From here on a signal comes too late: the manifest is there, or it is not.
    const follows = () => checkFollows(prepared, manifest)
    await run.uninterrupted('commit', () => commit(store, manifest, envelopes, keys, follows))
    return report(prepared, manifest, sealed, run)
  } finally {
    wipe(secret)
  }
}

/** The manifest names the backup that it follows: meanwhile that must not have got another one behind it. */
async function checkFollows(prepared: Prepared, { previous, name }: Manifest): Promise<void> {
  const last = await lookAgain(prepared)
  if (last?.label === previous?.label) return
  throw new Failure('refused', `another backup of ${name} came first: ${last?.label}`, {
    hint: 'it is newer by seconds; where both are wanted, run them one after the other',
  })
}

/** A run that is refused its label has nothing to remove there; one that cannot tell has. */
async function claim(prepared: Prepared, secret: Secret): Promise<Envelope[]> {
  const { store, label, keys } = prepared
  prepared.claimed = true
  try {
    return await claimLabel(store, label, keys, secret)
  } catch (error) {
    if (error instanceof Failure && error.kind === 'refused') prepared.claimed = false
    throw error
  }
}

/** What workers have stored, and what was read beside it. */
type SealedRows = Sealed & Pick<Manifest, 'largeObjects'> & { structure: Structure }

/** Bytes of large objects in one object of the store. */
const LARGE_OBJECT_BYTES = 128 * 1024 * 1024

async function sealRows(
  options: BackupOptions,
  prepared: Prepared,
  secret: Secret,
  pool: BackupPool,
  run: Run,
): Promise<SealedRows> {
  const { source, snapshot, catalog, tables, dumper, label } = prepared
  const { major } = snapshot.facts
  pool.connect({
    source,
    ...joiningOf(snapshot),
    store: shareBandwidth(options.store, options.jobs),
    level: options.backup.level,
  })
  const told = workerSecret(secret)
  await pool.tell(told).finally(() => told.fill(0))
  const ranges =
    catalog.largeObjects > 0
      ? await asked(prepared, largeObjectRanges(snapshot.client, LARGE_OBJECT_BYTES))
      : []
  const { emit, warn } = run
  const request = {
    pool,
    jobs: options.jobs,
    label,
    tables,
    dumper,
    largeObjects: ranges,
    emit,
    warn,
  }
  // The session that holds the snapshot has nothing else to do meanwhile.
  const [sealed, structure] = await Promise.all([
    sealEverything(request),
    asked(prepared, readStructure(snapshot.client, major, structureKeyOf(secret))),
  ])
  await asked(prepared, snapshot.checkSeen())
  return {
    ...sealed,
    structure,
    largeObjects: {
      count: ranges.reduce((sum, { objects }) => sum + objects, 0),
      bytes: ranges.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  }
}

/** What a question to the source failed with is the source's failure. */
async function asked<T>({ source }: Prepared, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw serverFailure('source', `read ${source.label}`, error)
  }
}

/** The small objects that the parent writes itself; the manifest that lists them all. */
async function writeRest(
  options: BackupOptions,
  prepared: Prepared,
  secret: Secret,
  sealed: SealedRows,
  run: Run,
): Promise<Manifest> {
  const { snapshot, catalog, store, label, keys, globals } = prepared
  const sequences = await asked(prepared, readSequences(snapshot.client, catalog))
  const database = await asked(prepared, readDatabase(snapshot.client))
  const settings = sequenceSql(sequences) + database
  const passphrase = passphraseOf(secret)
  const write = async (name: string, text: string): Promise<WrittenObject> => {
    const sealing = { passphrase, level: options.backup.level }
    return { ...(await writeSealed(store, `${label}/${name}`, Buffer.from(text), sealing)), name }
  }
  const objects = [
    ...sealed.objects,
    await write('globals.sql.pgp', globals.sql),
    await write('settings.sql.pgp', settings),
    await write(DEFINITIONS, sealed.structure.text),
  ]
  passphrase.fill(0)
  const previous = await lookAgain(prepared)
  const known = previous?.manifest.erasures
  const before = previous && known && { label: previous.label, head: known }
  const { warn } = run
  const erasures = await anchorLedger({ store, signers: keys.signers, before, warn })
  const manifest: Manifest = {
    format: FORMAT,
    tool: options.tool,
    label,
    name: prepared.name,
    sequence: (previous?.manifest.sequence ?? 0) + 1,
    previous: previous ? { label: previous.label, sha256: previous.digest } : null,
    started: prepared.facts.time,
    source: manifestSource(prepared),
    seal: {
      sides: manifestSides(keys, secret),
      verifier: keys.verifier.map(({ fingerprint }) => fingerprint),
    },
    structure: sealed.structure.facts,
    tables: sealed.tables,
    sequences,
    views: catalog.materializedViews.map(({ schema, name }) => ({ schema, name })),
    largeObjects: sealed.largeObjects,
    ...(erasures && { erasures }),
    warnings: run.warnings.map(({ code, message }) => ({ code, message })),
    objects: objects.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
  manifest.objects.push(
    await writePlain(store, label, 'RESTORE.md', restoreReadme(manifest)),
    await writePlain(store, label, 'restore.sh', restoreScript(manifest)),
  )
  return manifest
}

function manifestSource({ snapshot, facts, catalog, globals }: Prepared): ManifestSource {
  const server = snapshot.facts
  return {
    systemIdentifier: server.systemIdentifier ?? null,
    database: server.database,
    version: server.version,
    versionNumber: server.versionNumber,
    encoding: server.encoding,
    collate: server.collate,
    ctype: server.ctype,
    localeProvider: server.localeProvider,
    locale: server.locale ?? null,
    icuRules: server.icuRules ?? null,
    lcMonetary: facts.lcMonetary,
    extensions: Object.fromEntries(catalog.extensions),
    roles: globals.roles,
    snapshot: snapshot.id,
    lsn: facts.lsn,
    time: facts.time,
  }
}

function report(prepared: Prepared, manifest: Manifest, sealed: Sealed, run: Run): BackupReport {
  const { source, store, label } = prepared
  const result: BackupReport = {
    label,
    store: store.label,
    source: source.label,
    sequence: manifest.sequence,
    tables: sealed.events,
    rows: sealed.events.reduce((sum, { rows }) => sum + rows, 0),
    bytes: sealed.events.reduce((sum, { bytes }) => sum + bytes, 0),
    objects: manifest.objects.length,
    stored: manifest.objects.reduce((sum, { size }) => sum + size, 0),
    seconds: run.seconds,
    phases: run.phases,
    warnings: run.warnings,
  }
  run.emit({ event: 'backup', report: result })
  return result
}
