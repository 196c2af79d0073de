import type { BackupSettings } from '../config/backup.ts'
import type { PgDump } from '../config/layers.ts'
import type { StoreSettings } from '../config/store.ts'
import { Failure } from '../errors.ts'
import { Run } from '../jobs/run.ts'
import type { Catalog } from '../postgres/catalog.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { chooseDumper, describeDumper, type Dumper } from '../postgres/pg-dump.ts'
import { readStructureFacts } from '../postgres/structure-facts.ts'
import type { BackupReport, Emit } from '../report/events.ts'
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
import { checkReadable } from '../source/readable.ts'
import { readDatabase, readSequences, sequenceSql } from '../source/settings.ts'
import { openSnapshot, type Snapshot } from '../source/snapshot.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { chainProblems, lastOf, openBackups, scanStore, type Backup } from './backups.ts'
import { commit, manifestSides, writePlain } from './commit.ts'
import { loadSealingKeys, type SealingKeys } from './keys.ts'
import { FORMAT, type Manifest, type ManifestSource } from './manifest.ts'
import { writeSealed, type WrittenObject } from './object-writer.ts'
import { plannedTable, planTables, type TableBackup } from './plan.ts'
import { restoreReadme, restoreScript } from './restore-script.ts'
import { sealEverything, startPool, type BackupPool, type Sealed } from './sealing.ts'
import { digestKeyOf, structureKeyOf } from './secrets.ts'

export interface BackupOptions {
  /** Connection URL. */
  source: string
  store: StoreSettings
  backup: BackupSettings
  jobs: number
  pgDump: PgDump
  /** Where passphrases that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** Like `pgveil 1.2.3`, for the manifest. */
  tool: string
}

/**
 * Does everything of a backup that comes before the first byte goes to the store: emits the plan.
 *
 * @throws Failure like {@link runBackup}
 */
export async function planBackup(
  options: BackupOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const run = new Run(emit, signal)
  try {
    await run.during(prepare(options, run))
  } finally {
    await run.end()
  }
}

/**
 * Makes one sealed backup. It exists when this returns, and not before; on failure or abort nothing is left that counts,
 * and what was stored is removed where the store lets it.
 *
 * @throws Failure `key`, `refused` before anything is stored; `source`, `store` after; the reason of `signal`
 */
export async function runBackup(
  options: BackupOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<BackupReport> {
  const run = new Run(emit, signal)
  let stored: Prepared | undefined
  try {
    const prepared = await run.phase('preflight', () => prepare(options, run))
    stored = prepared
    return await sealAndCommit(options, prepared, run)
  } catch (error) {
    await run.end()
    throw stored ? await cleanUp(stored, error) : error
  } finally {
    await run.end()
  }
}

/** All that is known before the first byte is stored. */
interface Prepared {
  source: Endpoint
  snapshot: Snapshot
  catalog: Catalog
  facts: SnapshotFacts
  globals: Globals
  dumper: Dumper
  tables: TableBackup[]
  keys: SealingKeys
  store: Store
  /** For cleaning up: it outlives the run's end. */
  reopen: () => Promise<Store>
  name: string
  label: string
  previous: Backup | undefined
}

async function prepare(options: BackupOptions, run: Run): Promise<Prepared> {
  const { backup, jobs, env } = options
  const keys = await loadSealingKeys(backup, env)
  for (const { code, message } of keys.warnings) run.warn(code, message)
  const store = await openStore(options.store)
  run.onEnd(() => store.close())
  await store.check()
  const source = parseEndpoint(options.source, 'source')
  const snapshot = await openSnapshot(source)
  run.onEnd(() => snapshot.close())
  try {
    const name = backup.name ?? chainName(snapshot.facts.database)
    if (!(await lockBackup(snapshot.client, name))) {
      throw new Failure('refused', `a backup of ${snapshot.facts.database} is under way`, {
        hint: 'wait for it to end; it holds a lock in the source',
      })
    }
    const read = await readSource(snapshot, options)
    const facts = await readSnapshotFacts(snapshot.client)
    const previous = await findPrevious(store, keys, name)
    const label = `${facts.time.replace(/[-:]/g, '')}-${name}`
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
    return { source, snapshot, facts, ...read, tables, keys, store, reopen, name, label, previous }
  } catch (error) {
    throw serverFailure('source', `read ${source.label}`, error)
  }
}

async function readSource(snapshot: Snapshot, { pgDump }: BackupOptions) {
  const { client, facts } = snapshot
  const dumper = await chooseDumper(facts.major, pgDump)
  const catalog = await readCatalog(client)
  await checkReadable(
    snapshot,
    catalog.tables.filter(({ kind }) => kind === 'table'),
  )
  await checkLargeObjects(client, facts.database)
  const hashed = await readHashPartitioned(client)
  return { dumper, catalog, hashed, globals: await readGlobals(client) }
}

/** A database's name as the end of a label. */
function chainName(database: string): string {
  const name = database
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
  if (name) return name.slice(0, 63)
  throw new Failure('config', `no name for backups can be made of ${database}`, {
    hint: 'write backup: { name: … }',
  })
}

/** The backup that the next one follows; a chain that is damaged is not added to. */
async function findPrevious(
  store: Store,
  { signers }: SealingKeys,
  name: string,
): Promise<Backup | undefined> {
  const files = await scanStore(store)
  const ours = new Map([...files].filter(([label]) => label.endsWith(`Z-${name}`)))
  const { backups, damaged } = await openBackups(store, ours, signers)
  const [first] = [...damaged.values()]
  if (first) throw first
  const [problem] = chainProblems(backups)
  if (!problem) return lastOf(backups, name)
  throw new Failure('integrity', `${problem.label} ${problem.message}`, {
    hint: 'pgveil list shows the whole chain; under another name: in backup: a new one begins',
  })
}

async function sealAndCommit(
  options: BackupOptions,
  prepared: Prepared,
  run: Run,
): Promise<BackupReport> {
  const { snapshot, store, keys } = prepared
  const secret = drawSecret()
  try {
    const pool = startPool(options.jobs)
    run.onEnd(() => pool.close())
    const sealed = await run.phase('rows', () => sealRows(options, prepared, secret, pool, run))
    await run.during(pool.close())
    const manifest = await run.phase('checks', () =>
      writeRest(options, prepared, secret, sealed, run),
    )
    await run.during(snapshot.close())
    // From here on a signal comes too late: the manifest is there, or it is not.
    await run.uninterrupted('commit', () => commit(store, manifest, keys, secret))
    return report(prepared, manifest, sealed, run)
  } finally {
    wipe(secret)
  }
}

/** Bytes of large objects in one object of the store. */
const LARGE_OBJECT_BYTES = 128 * 1024 * 1024

async function sealRows(
  options: BackupOptions,
  { source, snapshot, catalog, tables, dumper, label }: Prepared,
  secret: Secret,
  pool: BackupPool,
  run: Run,
): Promise<Sealed & { largeObjects: Manifest['largeObjects'] }> {
  const passphrase = passphraseOf(secret)
  const digestKey = digestKeyOf(secret)
  const { bandwidth } = options.store
  pool.connect({
    source,
    snapshotId: snapshot.id,
    encoding: snapshot.facts.encoding,
    store: {
      ...options.store,
      ...(bandwidth !== undefined && { bandwidth: Math.ceil(bandwidth / options.jobs) }),
    },
    passphrase,
    digestKey,
    level: options.backup.level,
  })
  passphrase.fill(0)
  digestKey.fill(0)
  const ranges =
    catalog.largeObjects > 0 ? await largeObjectRanges(snapshot.client, LARGE_OBJECT_BYTES) : []
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
  return {
    ...(await sealEverything(request)),
    largeObjects: {
      count: ranges.reduce((sum, { objects }) => sum + objects, 0),
      bytes: ranges.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  }
}

/** The small objects that the parent writes itself; the manifest that lists them all. */
async function writeRest(
  options: BackupOptions,
  prepared: Prepared,
  secret: Secret,
  sealed: Sealed & { largeObjects: Manifest['largeObjects'] },
  run: Run,
): Promise<Manifest> {
  const { snapshot, catalog, store, label, keys, globals, previous } = prepared
  const sequences = await readSequences(snapshot.client, catalog)
  const settings = sequenceSql(sequences) + (await readDatabase(snapshot.client))
  const passphrase = passphraseOf(secret)
  const write = async (name: string, text: string): Promise<WrittenObject> => {
    const sealing = { passphrase, level: options.backup.level }
    return { ...(await writeSealed(store, `${label}/${name}`, Buffer.from(text), sealing)), name }
  }
  const objects = [
    ...sealed.objects,
    await write('globals.sql.pgp', globals.sql),
    await write('settings.sql.pgp', settings),
  ]
  passphrase.fill(0)
  const { major } = snapshot.facts
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
    structure: await readStructureFacts(snapshot.client, major, structureKeyOf(secret)),
    tables: sealed.tables,
    sequences,
    views: catalog.materializedViews.map(({ schema, name }) => ({ schema, name })),
    largeObjects: sealed.largeObjects,
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

/** Removes what a failed run has stored; says what could not be removed. */
async function cleanUp({ reopen, label, source }: Prepared, error: unknown): Promise<unknown> {
  try {
    const store = await reopen()
    try {
      const names: string[] = []
      for await (const { name } of store.list(`${label}/`)) names.push(name)
      // The answer to the last step may be what was lost: a manifest that is there makes a backup of it.
      if (names.includes(`${label}/manifest.json`)) return error
      await store.delete(names)
      await store.stranded(new Date(), { remove: true })
    } finally {
      await store.close()
    }
    return error
  } catch {
    const failure = serverFailure('store', `back up ${source.label}`, error)
    return new Failure(failure.kind, failure.message, {
      ...(failure.hint && { hint: failure.hint }),
      left: `objects under ${label}/ in the store, which no backup refers to`,
      cause: error,
    })
  }
}
