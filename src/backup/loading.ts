import { fileURLToPath } from 'node:url'
import pLimit from 'p-limit'
import type { StoreSettings } from '../config/store.ts'
import { WorkerPool } from '../jobs/pool.ts'
import type { Run } from '../jobs/run.ts'
import { TableTrack } from '../jobs/table-track.ts'
import type { Endpoint } from '../postgres/connect.ts'
import type { TableEvent } from '../report/events.ts'
import type { Secret } from '../seal/secret.ts'
import type { LoadJob, LoadResult } from './load.ts'
import type { LoadSetup } from './loader.ts'
import type { Manifest, ManifestTable } from './manifest.ts'
import { plannedTable, planLargeObjects, planLoading } from './restore-plan.ts'
import { workerSecret } from './worker-secret.ts'

const LOADER = fileURLToPath(new URL('./loader.js', import.meta.url))

export interface LoadingRequest {
  run: Run
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

/**
 * Loads the rows of the chosen tables, and large objects where all are chosen, `jobs` objects at a time, tables first,
 * the largest of them at the beginning. The first failure stops everything.
 */
export async function loadEverything(request: LoadingRequest): Promise<TableEvent[]> {
  const { run, manifest, chosen, loaded, jobs } = request
  const pool = new WorkerPool<LoadSetup, LoadJob, LoadResult>(LOADER, jobs)
  run.onEnd(() => pool.close())
  await connect(pool, request)
  const limit = pLimit(jobs)
  const finished: TableEvent[] = []
  const rows = planLoading(manifest, chosen, loaded).map(async (entry) => {
    const track = new TableTrack(plannedTable(entry), run.emit)
    countLoaded(track, entry.table, manifest, loaded)
    await Promise.all(
      entry.jobs.map((job) =>
        limit(async () => {
          track.begin()
          track.done(job.id, await pool.run(job, (progress) => track.update(job.id, progress)))
        }),
      ),
    )
    finished.push(track.finish())
  })
  const whole = chosen.length === manifest.tables.length
  const others = (whole ? planLargeObjects(manifest, loaded) : []).map((job) =>
    limit(async () => {
      const { warnings } = await pool.run(job, () => {})
      for (const { code, message } of warnings) request.warn(code, message)
    }),
  )
  try {
    await Promise.all([...rows, ...others])
  } catch (error) {
    limit.clearQueue()
    throw error
  }
  await pool.close()
  return finished
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

async function connect(
  pool: WorkerPool<LoadSetup, LoadJob, LoadResult>,
  { manifest, secret, target, store, jobs }: LoadingRequest,
): Promise<void> {
  const { bandwidth } = store
  pool.connect({
    target,
    store: { ...store, ...(bandwidth !== undefined && { bandwidth: Math.ceil(bandwidth / jobs) }) },
    label: manifest.label,
    encoding: manifest.source.encoding,
    lcMonetary: manifest.source.lcMonetary,
  })
  const told = workerSecret(secret)
  await pool.tell(told).finally(() => told.fill(0))
}
