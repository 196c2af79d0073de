import type { AuditRun } from '../report/events.ts'
import { asEnd, asStart, type AuditLine } from './record.ts'

/** Runs by their start, oldest first; each with its end where there is one. */
export function runsOf(lines: readonly AuditLine[]): AuditRun[] {
  const runs = new Map<string, AuditRun>()
  for (const { link } of lines) {
    const start = link && asStart(link)
    if (start) {
      const { time, event: _, ...rest } = start
      runs.set(start.run, { ...dropUndefined(rest), started: time, counts: {}, warnings: {} })
      continue
    }
    const end = link && asEnd(link)
    const run = end && runs.get(end.run)
    if (run) {
      const { time: _time, event: _event, run: _run, ...rest } = end
      Object.assign(run, dropUndefined(rest))
    }
  }
  return [...runs.values()]
}

function dropUndefined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}

/** Runs that have no end: they were killed, or still go on. */
export function unfinishedRuns(runs: readonly AuditRun[]): AuditRun[] {
  return runs.filter(({ result }) => result === undefined)
}

export interface RunChoice {
  /** Runs that started at this time or later. */
  since?: Date
  /** `keys` chooses `keys check`, too. */
  command?: string
}

export function chooseRuns(runs: readonly AuditRun[], { since, command }: RunChoice): AuditRun[] {
  return runs.filter(
    (run) =>
      (since === undefined || Date.parse(run.started) >= since.getTime()) &&
      (command === undefined || run.command === command || run.command.startsWith(`${command} `)),
  )
}
