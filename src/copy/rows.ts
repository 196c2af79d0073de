import pLimit from 'p-limit'
import type { JobBase, JobProgress } from '../jobs/messages.ts'
import type { WorkerPool } from '../jobs/pool.ts'
import type { TablePlan } from '../mask/table-plan.ts'
import { showName } from '../postgres/identifiers.ts'
import type { Emit, TableEvent } from '../report/events.ts'
import { copyInSql, truncateSql } from '../sink/copy-sql.ts'
import { copyOutSql, pageRanges, type PageRange } from '../source/copy-sql.ts'
import type { Job, JobMask, JobResult } from './job.ts'
import { estimateRows } from './prepare.ts'
import type { CopySetup } from './worker.ts'

export type CopyPool = WorkerPool<CopySetup, Job, JobResult>

/** A table's jobs. */
export interface TableJobs<J extends JobBase = Job> {
  plan: TablePlan
  jobs: J[]
}

/** Where jobs run. */
interface JobRunner<J> {
  run(job: J, onProgress: (progress: JobProgress) => void): Promise<JobResult>
}

/** Bytes of a job that is worth its own transaction; bigger tables are cut into such. */
const JOB_BYTES = 256 * 1024 * 1024

/** What of the whole a job may be at most, so that the last one does not keep the others waiting. */
function rangeBytes(plans: readonly TablePlan[], jobs: number): number {
  const total = plans.reduce((sum, plan) => sum + plan.table.bytes, 0)
  return jobs === 1 ? JOB_BYTES * 4 : Math.min(JOB_BYTES, total / (jobs * 3))
}

/** The jobs of a copy, largest table first. */
export function planJobs(plans: readonly TablePlan[], jobs: number): TableJobs[] {
  const copied = plans.filter((plan) => plan.rows === 'copied' && plan.table.kind === 'table')
  const size = rangeBytes(copied, jobs)
  let id = 0
  return copied
    .toSorted((a, b) => b.table.bytes - a.table.bytes)
    .map((plan) => {
      const ranges = pageRanges(plan.table, size)
      return { plan, jobs: ranges.map((range) => toJob(id++, plan, range, ranges.length === 1)) }
    })
}

function toJob(id: number, plan: TablePlan, range: PageRange | undefined, whole: boolean): Job {
  const columns = plan.columns.map((column) => column.name)
  // Only a table this transaction truncated can be frozen, and only where rows go straight into it. The
  // configuration table of an extension holds rows that came with the extension.
  const freeze = whole && plan.into === plan.table && plan.table.extension === undefined
  return {
    id,
    table: showName(plan.table),
    copyOut: copyOutSql({
      table: plan.table,
      columns,
      conditions: plan.conditions,
      where: combine(plan.table.extensionFilter, plan.where),
      range,
      codec: plan.codec,
    }),
    copyIn: copyInSql({ table: plan.into, columns, codec: plan.codec, freeze }),
    prepare: freeze ? truncateSql(plan.table) : undefined,
    codec: plan.codec,
    conditions: plan.conditions.length,
    head: plan.head,
    total: plan.conditions.length + plan.columns.length,
    masks: jobMasks(plan),
  }
}

/** The masks of a table as its jobs take them. */
export function jobMasks({ masks }: Pick<TablePlan, 'masks'>): JobMask[] {
  return masks.map(({ rule, field, condition, prepared, typeClass, column }) => ({
    name: rule.mask,
    field,
    condition,
    prepared,
    typeClass,
    isArray: column.isArray,
  }))
}

/** An extension's filter begins with WHERE, as pg_extension_config_dump takes it. */
function combine(filter: string | undefined, where: string | undefined): string | undefined {
  const bare = filter?.replace(/^\s*where\b/i, '').trim()
  const parts = [bare, where].filter(Boolean).map((part) => `(${part})`)
  return parts.length > 0 ? parts.join(' AND ') : undefined
}

/** How a table travels, for plan and report. */
export function codecOf(plan: TablePlan): 'relay' | 'binary' | 'text' {
  return plan.masks.length === 0 ? 'relay' : plan.codec
}

/**
 * Copies the rows of all tables, `jobs` pieces at a time. The first failure stops everything.
 *
 * @param whenIn called once the rows of a table are in
 */
export async function copyRows<J extends JobBase>(
  tables: readonly TableJobs<J>[],
  pool: JobRunner<J>,
  jobs: number,
  emit: Emit,
): Promise<TableEvent[]> {
  const limit = pLimit(jobs)
  const finished: TableEvent[] = []
  const running = tables.flatMap((entry) => {
    const progress = new TableProgress(entry, emit)
    return entry.jobs.map((job) =>
      limit(async () => {
        progress.begin()
        const result = await pool.run(job, (update) => progress.update(job.id, update))
        const done = progress.finish(job.id, result)
        if (done) finished.push(done)
      }),
    )
  })
  try {
    await Promise.all(running)
  } catch (error) {
    limit.clearQueue()
    throw error
  }
  return finished
}

/** Sums up the jobs of one table. */
class TableProgress {
  readonly #entry: TableJobs<JobBase>
  readonly #emit: Emit
  readonly #updates = new Map<number, JobProgress>()
  readonly #results: JobResult[] = []
  #started = 0

  constructor(entry: TableJobs<JobBase>, emit: Emit) {
    this.#entry = entry
    this.#emit = emit
  }

  /** A job of the table starts; the first one counts. */
  begin(): void {
    this.#started ||= performance.now()
  }

  update(job: number, progress: JobProgress): void {
    this.#updates.set(job, progress)
    const all = [...this.#updates.values()]
    this.#emit({
      event: 'progress',
      table: showName(this.#entry.plan.table),
      rows: all.reduce((sum, { rows }) => sum + rows, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      estimatedRows: estimateRows(this.#entry.plan.table),
      seconds: (performance.now() - this.#started) / 1000,
    })
  }

  finish(job: number, result: JobResult): TableEvent | undefined {
    this.#updates.set(job, result)
    this.#results.push(result)
    if (this.#results.length < this.#entry.jobs.length) return undefined
    const masked: Record<string, number> = {}
    for (const one of this.#results) {
      for (const [mask, count] of Object.entries(one.masked)) {
        masked[mask] = (masked[mask] ?? 0) + count
      }
    }
    const sum = (pick: (one: JobResult) => number) =>
      this.#results.reduce((n, one) => n + pick(one), 0)
    const event: TableEvent = {
      event: 'table',
      table: showName(this.#entry.plan.table),
      ...(this.#entry.plan.root !== this.#entry.plan.table && {
        partitionOf: showName(this.#entry.plan.root),
      }),
      rows: sum((one) => one.rows),
      bytes: sum((one) => one.bytes),
      seconds: sum((one) => one.seconds),
      codec: codecOf(this.#entry.plan),
      masked,
    }
    this.#emit(event)
    return event
  }
}
