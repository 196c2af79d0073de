import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import { together } from '../jobs/together.ts'
import type { Catalog } from '../postgres/catalog.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { showName } from '../postgres/identifiers.ts'
import { chooseDumper, describeDumper, type Dumper } from '../postgres/pg-dump.ts'
import { readCatalog } from '../source/catalog.ts'
import {
  lockBackup,
  readHashPartitioned,
  readSnapshotFacts,
  type SnapshotFacts,
} from '../source/facts.ts'
import { readGlobals, type Globals } from '../source/globals.ts'
import { checkLargeObjects } from '../source/large-objects.ts'
import { checkReadable, readAbsent } from '../source/readable.ts'
import { openSnapshot, type Snapshot } from '../source/snapshot.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { scanStore, type Backup } from './backups.ts'
import { chainName, chainOf, findPrevious, type Known } from './chain.ts'
import { labelTaken } from './commit.ts'
import { loadSealingKeys } from './keys.ts'
import { plannedTable, planTables, type TableBackup } from './plan.ts'
import type { BackupOptions } from './run.ts'

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
    const facts = await readSnapshotFacts(snapshot.client)
    const label = `${facts.time.replace(/[-:]/g, '')}-${name}`
    const [read, { chain, previous }] = await together([
      readSource(snapshot, options, run),
      readChain(store, { keys, name, label }),
    ])
    warnOfOtherServer(snapshot, previous, run)
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
    return { ...prepared, previous, chain, claimed: false }
  } catch (error) {
    throw serverFailure('source', `read ${source.label}`, error)
  }
}

/** The backups before, and the one that the new one follows. */
async function readChain(store: Store, known: Pick<Known, 'keys' | 'name' | 'label'>) {
  const found = await scanStore(store)
  const chain = chainOf(found, known.name)
  const previous = await findPrevious(store, chain, known)
  if (found.has(known.label)) throw labelTaken(known.label)
  return { chain: new Set(chain.keys()), previous }
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
