import type { Emit, PlannedTable, TableEvent } from '../report/events.ts'
import type { JobProgress } from './messages.ts'

/** Sums up the jobs of one table for whoever watches. */
export class TableTrack {
  readonly #table: PlannedTable
  readonly #emit: Emit
  readonly #updates = new Map<number, JobProgress>()
  #worked = 0
  #started = 0

  constructor(table: PlannedTable, emit: Emit) {
    this.#table = table
    this.#emit = emit
  }

  /** A job of the table starts; the first one counts. */
  begin(): void {
    this.#started ||= performance.now()
  }

  update(job: number, { rows, bytes }: JobProgress): void {
    this.#updates.set(job, { rows, bytes })
    const { table, estimatedRows } = this.#table
    const seconds = (performance.now() - this.#started) / 1000
    this.#emit({ event: 'progress', table, ...this.#sum(), estimatedRows, seconds })
  }

  /** A job is done. */
  done(job: number, result: JobProgress & { seconds: number }): void {
    this.#worked += result.seconds
    this.update(job, result)
  }

  #sum(): JobProgress {
    const all = [...this.#updates.values()]
    return {
      rows: all.reduce((sum, { rows }) => sum + rows, 0),
      bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  }

  /** All jobs are done. */
  finish(): TableEvent {
    const { table, partitionOf, codec } = this.#table
    const event: TableEvent = {
      event: 'table',
      table,
      ...(partitionOf !== undefined && { partitionOf }),
      ...this.#sum(),
      seconds: this.#worked,
      codec,
      masked: {},
    }
    this.#emit(event)
    return event
  }
}
