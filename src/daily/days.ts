import type { Day } from './facts.ts'
import type { Past } from './history.ts'
import { stampTime } from '../backup/label.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
export const SHOWN_DAYS = 30

export interface DaysRequest {
  /** All backups that are known of, by time. */
  history: readonly Past[]
  /** Labels that are in the store now. */
  here: ReadonlySet<string>
  /** Labels of backups that are in the store and not whole. */
  damaged: readonly string[]
  everyHours: number
  /** Now, in milliseconds. */
  at: number
}

/** The last 30 days, in UTC: a night without a backup stays visible. */
export function daysOf(request: DaysRequest): Day[] {
  const today = Math.floor(request.at / DAY_MS)
  return Array.from({ length: SHOWN_DAYS }, (_, i) => dayOf(today - SHOWN_DAYS + 1 + i, request))
}

function dayOf(number: number, { history, here, damaged, everyHours, at }: DaysRequest): Day {
  const begin = number * DAY_MS
  const end = begin + DAY_MS
  const date = new Date(begin).toISOString().slice(0, 10)
  const own = history.filter(({ time }) => within(Date.parse(time), begin, end))
  const broken = damaged.filter((label) => within(stampTime(label), begin, end))
  const last = own.at(-1)
  const backups = own.length + broken.filter((label) => own.every((o) => o.label !== label)).length
  const [wrong] = broken
  if (wrong !== undefined && (!last || stampTime(wrong) >= stampTime(last.label)))
    return { date, state: 'damaged', backups, label: wrong }
  if (!last)
    return { date, state: stateWithout(history, begin, Math.min(end, at), everyHours), backups }
  return {
    date,
    state: last.outcome,
    backups,
    label: last.label,
    stored: last.stored,
    rows: last.rows,
    ...(last.recoverySeconds !== null && { recoverySeconds: last.recoverySeconds }),
    ...(!here.has(last.label) && { removed: true as const }),
  }
}

/** Numbers of the neighbours tell whether there have been others between them that nobody has seen. */
function stateWithout(
  history: readonly Past[],
  begin: number,
  end: number,
  everyHours: number,
): Day['state'] {
  const before = history.findLast(({ time }) => Date.parse(time) < begin)
  const after = history.find(({ time }) => Date.parse(time) >= end)
  if (after && after.sequence - (before?.sequence ?? 0) > 1) return 'unknown'
  if (!before) return 'idle'
  return end - Date.parse(before.time) > everyHours * HOUR_MS ? 'missed' : 'idle'
}

function within(time: number, begin: number, end: number): boolean {
  return time >= begin && time < end
}
