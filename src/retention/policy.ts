import type { RetentionSettings } from '../config/operations.ts'

/** A backup as retention sees it. */
export interface Candidate {
  label: string
  /** The chain it belongs to: each is decided by itself. */
  name: string
  /** When its snapshot was taken. */
  time: Date
  /** Its last restore test passed. */
  proven: boolean
  /** Until when a lock keeps it. */
  lockedUntil?: Date
  /** What is wrong with it. */
  damaged?: string
}

export type Policy = Omit<RetentionSettings, 'graceHours'>

export interface Decision {
  label: string
  keep: boolean
  /** Why, for people; of one that goes, too. */
  reasons: string[]
}

const DAY_MS = 24 * 60 * 60 * 1000

/** Periods, in UTC; weeks are those of ISO 8601. */
const PERIODS: readonly [keyof Policy & `${string}ly`, string, (time: Date) => string][] = [
  ['daily', 'day', (time) => time.toISOString().slice(0, 10)],
  ['weekly', 'week', isoWeek],
  ['monthly', 'month', (time) => time.toISOString().slice(0, 7)],
  ['yearly', 'year', (time) => time.toISOString().slice(0, 4)],
]

/** Like `2026-W07`: the week of its Thursday. */
export function isoWeek(time: Date): string {
  const day = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()))
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7))
  const year = day.getUTCFullYear()
  const week = Math.ceil(((day.getTime() - Date.UTC(year, 0, 1)) / DAY_MS + 1) / 7)
  return `${year}-W${String(week).padStart(2, '0')}`
}

/**
 * Decides which backups stay: grandfather, father, son. Of each chain those that are younger than `days`, and the
 * newest of each of the last `daily` days, `weekly` weeks, `monthly` months and `yearly` years that have a backup; a
 * damaged one stands for no period. Whatever the policy says, these stay: the newest, the last that was proven, what
 * a lock keeps, and what is damaged, which a person has to look at.
 *
 * @returns a decision for each, in the order in which they came
 */
export function decide(backups: readonly Candidate[], policy: Policy, now: Date): Decision[] {
  const reasons = new Map(backups.map(({ label }): [string, string[]] => [label, []]))
  const add = ({ label }: Candidate, reason: string) => reasons.get(label)?.push(reason)
  for (const chain of chains(backups)) {
    const whole = chain.filter(({ damaged }) => damaged === undefined).toSorted(newestFirst)
    for (const backup of chain) {
      const { damaged, lockedUntil } = backup
      if (damaged !== undefined) add(backup, `damaged: ${damaged}`)
      if (lockedUntil && lockedUntil > now) add(backup, `locked until ${lockedUntil.toISOString()}`)
    }
    const [newest] = whole
    if (newest) add(newest, whole.length === 1 ? 'the only one' : 'the newest')
    const proven = whole.find((backup) => backup.proven)
    if (proven) add(proven, 'the last that was proven')
    keepYoung(whole, policy, now, add)
    keepPeriods(whole, policy, add)
  }
  return backups.map(({ label }) => {
    const found = reasons.get(label) ?? []
    return { label, keep: found.length > 0, reasons: found.length > 0 ? found : ['out of policy'] }
  })
}

type Add = (backup: Candidate, reason: string) => void

function keepYoung(whole: readonly Candidate[], { days }: Policy, now: Date, add: Add): void {
  const since = now.getTime() - days * DAY_MS
  for (const backup of whole) {
    if (backup.time.getTime() > since) add(backup, `younger than ${days} days`)
  }
}

function keepPeriods(whole: readonly Candidate[], policy: Policy, add: Add): void {
  for (const [key, word, periodOf] of PERIODS) {
    const seen = new Set<string>()
    for (const backup of whole) {
      if (seen.size >= policy[key]) break
      const period = periodOf(backup.time)
      if (seen.has(period)) continue
      seen.add(period)
      add(backup, `${key} ${seen.size} of ${policy[key]} (${word} ${period})`)
    }
  }
}

function chains(backups: readonly Candidate[]): Candidate[][] {
  const byName = new Map<string, Candidate[]>()
  for (const backup of backups) {
    byName.set(backup.name, [...(byName.get(backup.name) ?? []), backup])
  }
  return [...byName.values()]
}

function newestFirst(a: Candidate, b: Candidate): number {
  return b.time.getTime() - a.time.getTime() || (a.label < b.label ? 1 : -1)
}
