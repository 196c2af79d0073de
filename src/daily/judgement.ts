import type { Check, DailyReport } from './facts.ts'

/** A check, and what to say where it is not good: one sentence. */
export interface Judged extends Check {
  message?: string
}

/** The part of a check that depends on what was found. */
export type Finding = Pick<Judged, 'standing' | 'found' | 'message'>

/** What a report shows before it is judged. */
export type Shown = Omit<DailyReport, 'standing' | 'reason' | 'checks' | 'problems' | 'notes'>

/** What is judged: the facts that are shown, and a few that are not. */
export interface Judgeable extends Shown {
  /** Why the store could not be read; the other facts are empty then. */
  unreadable: string | undefined
  /** What is wrong with the chain: a sentence each. */
  broken: readonly string[]
  /** Backups in the store. */
  backups: number
  /** Seconds since the oldest of them was made; null: there is none. */
  oldestAge: number | null
  /** Rows and tables that the manifest of the tested backup promises. */
  promised: { rows: number; tables: number } | undefined
  /** Why no verdict can be believed. */
  noVerdicts: string | undefined
  /** A backup that an earlier report has seen and that was newer than the latest is. */
  vanished: string | undefined
  /** What is wrong with keys together, and what is doubtful about where they lie. */
  keyProblems: readonly string[]
  keyWarnings: readonly string[]
  graceHours: number
}

export function good(found: string): Finding {
  return { standing: 'good', found }
}

export function attention(found: string, message: string): Finding {
  return { standing: 'attention', found, message }
}

export function bad(found: string, message: string): Finding {
  return { standing: 'bad', found, message }
}
