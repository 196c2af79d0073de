import { fileURLToPath } from 'node:url'
import pLimit from 'p-limit'
import type { StoreSettings } from '../config/store.ts'
import type { JobBase } from '../jobs/messages.ts'
import { WorkerPool } from '../jobs/pool.ts'
import type { Run } from '../jobs/run.ts'
import { TableTrack } from '../jobs/table-track.ts'
import type { Endpoint } from '../postgres/connect.ts'
import type { TableEvent } from '../report/events.ts'
import { shareBandwidth } from '../store/bandwidth.ts'
import { addDigests, NO_ROWS } from '../stream/rows.ts'
import { showName } from '../postgres/identifiers.ts'
import type { LargeObjectContents } from './large-object-rows.ts'
import type { Secret } from '../seal/secret.ts'
import type { LoadJob, LoadResult } from './load.ts'
import type { LoadSetup } from './load-session.ts'
import type { Manifest, ManifestTable } from './manifest.ts'
import { plannedTable, planLargeObjects, planLoading } from './restore-plan.ts'
import { workerSecret } from './worker-secret.ts'

const LOADER = fileURLToPath(new URL('./loader.js', import.meta.url))

/** Worker processes that restore objects. */
export type Loaders = WorkerPool<LoadSetup, LoadJob, LoadResult>

/** Starts them before there is anything to load: they take a moment, in which everything is looked at. */
export function startLoaders(jobs: number, run: Run): Loaders {
  const loaders: Loaders = new WorkerPool(LOADER, jobs)
  run.onEnd(() => loaders.close())
  return loaders
}

export interface LoadingRequest {
  run: Run
  /** As many as `jobs`. */
  loaders: Loaders
  warn: (code: string, message: string) => void
  manifest: Manifest
  chosen: readonly ManifestTable[]
  /** Objects that are in already. */
  loaded: ReadonlySet<string>
  secret: Secret
  target: Endpoint
  store: StoreSettings
  jobs: number
}

/** What is in, and what it has to be like when it is read again. */
export interface Loaded {
  tables: TableEvent[]
  /** Table at the top of a tree whose rows may lie in other partitions now → digest of all its rows as that table's. */
  trees: ReadonlyMap<string, string>
  largeObjects: readonly LargeObjectContents[]
}

/**
 * Loads the rows of the chosen tables, and large objects where all are chosen, `jobs` objects at a time, tables first,
 * the largest of them at the beginning. The first failure stops everything.
 */
export async function loadEverything(request: LoadingRequest): Promise<Loaded> {
  const { run, loaders, manifest, chosen, loaded, jobs } = request
  await connectWorkers(loaders, request)
  const limit = pLimit(jobs)
  const tables: TableEvent[] = []
  const trees = new Map<string, string>()
  const largeObjects: LargeObjectContents[] = []
  const rows = planLoading(manifest, chosen, loaded).map(async (entry) => {
    const track = new TableTrack(plannedTable(entry), run.emit)
    countLoaded(track, entry.table, manifest, loaded)
    await Promise.all(
      entry.jobs.map((job) =>
        limit(async () => {
          track.begin()
          const result = await loaders.run(job, (progress) => track.update(job.id, progress))
          track.done(job.id, result)
          const { treeDigest } = result
          if (treeDigest === undefined) return
          const root = showName(entry.table.root)
          trees.set(root, addDigests(trees.get(root) ?? NO_ROWS, treeDigest))
        }),
      ),
    )
    tables.push(track.finish())
  })
  const whole = chosen.length === manifest.tables.length
  const others = (whole ? planLargeObjects(manifest, loaded) : []).map((job) =>
    limit(async () => {
      const { warnings, largeObjects: contents } = await loaders.run(job, () => {})
      if (contents) largeObjects.push(contents)
      for (const { code, message } of warnings) request.warn(code, message)
    }),
  )
  try {
    await Promise.all([...rows, ...others])
  } catch (error) {
    limit.clearQueue()
    throw error
  }
  return { tables, trees, largeObjects }
}

/** What an earlier run has loaded counts as well. */
function countLoaded(
  track: TableTrack,
  table: ManifestTable,
  { objects }: Manifest,
  loaded: ReadonlySet<string>,
): void {
  objects
    .filter(({ name }) => loaded.has(name) && table.segments.includes(name))
    .forEach(({ rows = 0, content = 0 }, i) => {
      track.begin()
      track.done(-1 - i, { rows, bytes: content, seconds: 0 })
    })
}

/** Tells workers what to write to, and hands them the secret that opens the backup. */
export async function connectWorkers<Job extends JobBase, Result>(
  pool: WorkerPool<LoadSetup, Job, Result>,
  {
    manifest,
    secret,
    target,
    store,
    jobs,
  }: Pick<LoadingRequest, 'manifest' | 'secret' | 'target' | 'store' | 'jobs'>,
): Promise<void> {
  pool.connect({
    target,
    store: shareBandwidth(store, jobs),
    label: manifest.label,
    encoding: manifest.source.encoding,
    lcMonetary: manifest.source.lcMonetary,
  })
  const told = workerSecret(secret)
  await pool.tell(told).finally(() => told.fill(0))
}
