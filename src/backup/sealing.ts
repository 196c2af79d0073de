import { fileURLToPath } from 'node:url'
import pLimit from 'p-limit'
import type { JobProgress } from '../jobs/messages.ts'
import { WorkerPool } from '../jobs/pool.ts'
import { TableTrack } from '../jobs/table-track.ts'
import type { Dumper } from '../postgres/pg-dump.ts'
import type { Emit, TableEvent } from '../report/events.ts'
import type { LargeObjectRange } from '../source/large-objects.ts'
import type { StoreSettings } from '../store/store.ts'
import { addDigests, NO_ROWS } from '../stream/rows.ts'
import type { BackupJob, BackupResult } from './job.ts'
import type { ManifestTable } from './manifest.ts'
import type { WrittenObject } from './object-writer.ts'
import { plannedTable, type TableBackup } from './plan.ts'
import type { Segment } from './segments.ts'
import type { BackupSetup } from './worker.ts'

export type BackupPool = WorkerPool<BackupSetup, BackupJob, BackupResult>

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

/** Workers that soon write to a store of this kind. */
export function startPool(count: number, store: StoreSettings['kind']): BackupPool {
  return new WorkerPool(WORKER, count, { tidy: true, args: [store] })
}

export interface SealingRequest {
  pool: BackupPool
  jobs: number
  label: string
  tables: readonly TableBackup[]
  dumper: Dumper
  largeObjects: readonly LargeObjectRange[]
  emit: Emit
  warn: (code: string, message: string) => void
}

/** What workers have read, sealed and stored. */
export interface Sealed {
  tables: ManifestTable[]
  events: TableEvent[]
  objects: (WrittenObject | Segment)[]
}

type OnProgress = (progress: JobProgress) => void

/**
 * Runs all jobs of a backup, `jobs` at a time: the structure first, since reading it takes long and little of the
 * machine, then tables, largest first. The first failure stops everything.
 */
export async function sealEverything(request: SealingRequest): Promise<Sealed> {
  const { pool, label, tables, warn } = request
  const limit = pLimit(request.jobs)
  const sealed: Sealed = { tables: [], events: [], objects: [] }
  let id = 0
  /** Begins when it is its turn; the next one has its own when this is nearly done. */
  const inTurn = (job: BackupJob, onStart: () => void, onProgress: OnProgress) =>
    new Promise<BackupResult>((resolve, reject) => {
      void limit(
        () =>
          new Promise<void>((end) => {
            onStart()
            const result = pool.run({ ...job, id: id++ }, onProgress, end)
            void result.then(resolve, reject).then(end)
          }),
      )
    })
  const run = async (job: BackupJob, onStart = () => {}, onProgress: OnProgress = () => {}) => {
    const result = await inTurn(job, onStart, onProgress)
    for (const { code, message } of result.warnings) warn(code, message)
    // Below its label, an object is known by the rest of its name.
    const objects = result.objects.map((object) => ({
      ...object,
      name: object.name.slice(label.length + 1),
    }))
    sealed.objects.push(...objects)
    return { ...result, objects }
  }
  const others = otherJobs(request).map((job) => run(job))
  const rows = tables.map(async (entry) => {
    const track = new TableTrack(plannedTable(entry), request.emit)
    const results = await Promise.all(
      entry.jobs.map(async (job, i) => {
        const named = { ...job, stem: `${label}/${job.stem}` }
        const onProgress: OnProgress = (progress) => track.update(i, progress)
        const result = await run(named, () => track.begin(), onProgress)
        track.done(i, result)
        return result
      }),
    )
    sealed.events.push(track.finish())
    sealed.tables.push(manifestTable(entry, results))
  })
  try {
    await Promise.all([...others, ...rows])
  } catch (error) {
    limit.clearQueue()
    throw error
  }
  return sealed
}

function otherJobs({ label, dumper, largeObjects }: SealingRequest): BackupJob[] {
  const structure = (['pre-data', 'post-data'] as const).map((section): BackupJob => ({
    kind: 'structure',
    id: 0,
    table: `the structure (${section})`,
    section,
    name: `${label}/${section}.sql.pgp`,
    dumper,
  }))
  const objects = largeObjects.map(({ fromOid, toOid }, i): BackupJob => ({
    kind: 'large-objects',
    id: 0,
    table: 'large objects',
    range: { fromOid, toOid },
    name: `${label}/large-objects.${i + 1}.sql.pgp`,
  }))
  return [...structure, ...objects]
}

function manifestTable(
  { table, root, into, columns }: TableBackup,
  results: readonly { objects: (WrittenObject | Segment)[]; rows: number }[],
): ManifestTable {
  const segments = results.flatMap(({ objects }) => objects as Segment[])
  return {
    schema: table.schema,
    name: table.name,
    root: { schema: root.schema, name: root.name },
    into: { schema: into.schema, name: into.name },
    columns,
    configuration: table.extension !== undefined,
    bytes: table.bytes,
    rows: segments.reduce((sum, { rows }) => sum + rows, 0),
    digest: segments.reduce((sum, { digest }) => addDigests(sum, digest), NO_ROWS),
    segments: segments.map(({ name }) => name),
  }
}
