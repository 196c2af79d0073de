import type { Event, Phase, PlannedTable, ProgressEvent, VerifyStepEvent } from './events.ts'

/** A table whose rows are on their way. */
export interface Running {
  table: string
  rows: number
  bytes: number
  /** Received bytes a second, lately. */
  rate: number
  /** 0 to 1; undefined where the size is not known. */
  done: number | undefined
  /** Seconds to go, at the rate so far. */
  left: number | undefined
}

interface Track {
  last: ProgressEvent
  rate: number
}

/** Counts of the rate's memory: higher follows faster. */
const SMOOTHING = 0.3

/** Seconds between two events from which a rate can be told. */
const LEAST_INTERVAL = 0.01

/** What is known of a run from its events so far, for displays. */
export class Progress {
  phase: Phase | undefined
  /** Time of {@link Progress.phase}'s start, in the clock of the caller, milliseconds. */
  phaseStart = 0
  /** Of a restore test; phases may come and go within. */
  step: VerifyStepEvent['step'] | undefined
  stepStart = 0
  finished = 0
  finishedRows = 0
  finishedBytes = 0
  #planned = new Map<string, PlannedTable>()
  #plannedBytes = 0
  #finishedPlannedBytes = 0
  readonly #running = new Map<string, Track>()

  /** @param at milliseconds */
  see(event: Event, at: number): void {
    if (event.event === 'plan') {
      const copied = event.tables.filter(({ action }) => action === 'rows')
      this.#planned = new Map(copied.map((table) => [table.table, table]))
      this.#plannedBytes = copied.reduce((sum, { bytes }) => sum + bytes, 0)
    } else if (event.event === 'phase') {
      this.phase = event.state === 'started' ? event.phase : undefined
      this.phaseStart = at
    } else if (event.event === 'verify-step') {
      this.step = event.state === 'started' ? event.step : undefined
      this.stepStart = at
    } else if (event.event === 'progress') {
      this.#advance(event)
    } else if (event.event === 'table') {
      this.#running.delete(event.table)
      this.finished++
      this.finishedRows += event.rows
      this.finishedBytes += event.bytes
      this.#finishedPlannedBytes += this.#planned.get(event.table)?.bytes ?? 0
    }
  }

  get planned(): number {
    return this.#planned.size
  }

  get rows(): number {
    return [...this.#running.values()].reduce((sum, t) => sum + t.last.rows, this.finishedRows)
  }

  get bytes(): number {
    return [...this.#running.values()].reduce((sum, t) => sum + t.last.bytes, this.finishedBytes)
  }

  /** Received bytes a second since the phase began: of small tables most is over before anything is told of it. */
  rate(at: number): number {
    return (this.bytes * 1000) / Math.max(1, at - this.phaseStart)
  }

  /** Share of all tables that is in, by their size on the source; undefined where that is not known. */
  get done(): number | undefined {
    if (this.#plannedBytes === 0) return undefined
    let bytes = this.#finishedPlannedBytes
    for (const { last } of this.#running.values())
      bytes +=
        (this.#planned.get(last.table)?.bytes ?? 0) * (share(last) ?? (last.rows > 0 ? 1 : 0))
    return Math.min(1, bytes / this.#plannedBytes)
  }

  /** Tables under way, in the order in which they began. */
  get running(): Running[] {
    return [...this.#running.values()].map(({ last, rate }) => {
      const done = share(last)
      const left = done && last.seconds > 1 ? (last.seconds * (1 - done)) / done : undefined
      return { table: last.table, rows: last.rows, bytes: last.bytes, rate, done, left }
    })
  }

  #advance(event: ProgressEvent): void {
    const track = this.#running.get(event.table)
    const seconds = event.seconds - (track?.last.seconds ?? 0)
    if (seconds < LEAST_INTERVAL) {
      this.#running.set(event.table, { last: event, rate: track?.rate ?? 0 })
      return
    }
    const rate = Math.max(0, event.bytes - (track?.last.bytes ?? 0)) / seconds
    const smooth = track ? track.rate + (rate - track.rate) * SMOOTHING : rate
    this.#running.set(event.table, { last: event, rate: smooth })
  }
}

function share({ rows, estimatedRows }: ProgressEvent): number | undefined {
  // An estimate that has proved too low says nothing any more.
  return estimatedRows > 0 && rows <= estimatedRows ? rows / estimatedRows : undefined
}
