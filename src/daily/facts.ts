import type { Finding, Outcome, VerdictStep } from '../verify/verdict.ts'

export type { Finding }

/** The facts of one day. docs/report.md says what each field means; additive over versions. */
export const REPORT_FORMAT = 'pgveil report 1'

/** `good`: nothing to do. `attention`: somebody should look today. `bad`: act now. */
export type Standing = 'good' | 'attention' | 'bad'

/** Something that was expected, and what was found instead or as well. */
export interface Check {
  check:
    | 'backup'
    | 'test'
    | 'content'
    | 'recovery'
    | 'loss'
    | 'chain'
    | 'keys'
    | 'lock'
    | 'envelope'
    | 'drills'
    | 'leftovers'
  title: string
  standing: Standing
  expected: string
  found: string
}

export interface Problem {
  standing: Exclude<Standing, 'good'>
  /** The check it belongs to. */
  check: Check['check']
  /** One sentence, in lower case without full stop. */
  message: string
}

export interface LatestBackup {
  label: string
  /** Its number in the chain. */
  sequence: number
  /** When its snapshot was taken: ISO 8601, UTC. */
  time: string
  /** Seconds since then. */
  age: number
  database: string
  serverVersion: string
  tables: number
  rows: number
  objects: number
  /** Bytes in the store, and before compression. */
  stored: number
  content: number
  /** What its restore test found; `open`: none has run. */
  proven: Outcome | 'open'
  /** Fingerprint of the key that signed it. */
  signedBy: string
  /** The backup before; null: there is none. */
  previous: { label: string; stored: number; rows: number } | null
  /** What the backup itself warned of. */
  warnings: string[]
}

/** The newest restore test whose verdict is signed by somebody who is believed. */
export interface RestoreTest {
  label: string
  /** It tested the latest backup. */
  ofLatest: boolean
  outcome: Outcome
  /** ISO 8601, UTC. */
  started: string
  finished: string
  host: string
  server: string | null
  steps: Omit<VerdictStep, 'log'>[]
  recoverySeconds: number | null
  intervalSeconds: number | null
  rows: number
  tables: number
}

/** What a night left behind; `stored`, `rows` and `recoverySeconds` are of the last backup of the day. */
export interface Day {
  /** `2026-11-22`, in UTC. */
  date: string
  /**
   * `missed`: a backup was due and there is none. `idle`: none was due. `unknown`: there were backups, but they are
   * gone and no report has seen them.
   */
  state: 'pass' | 'fail' | 'incomplete' | 'open' | 'damaged' | 'missed' | 'idle' | 'unknown'
  backups: number
  label?: string
  stored?: number
  rows?: number
  recoverySeconds?: number
  /** The backup is not in the store any more. */
  removed?: true
}

export interface KeyFact {
  /** Like those of `pgveil keys check`: `side offline`, `verifier`, `signer`, `signing key`. */
  role: string
  /** Empty where the file could not be read. */
  fingerprint: string
  owners: string[]
  path: string
  /** ISO 8601, UTC; absent: it never ends. */
  expires?: string
  /** Why it cannot be used. */
  problems: string[]
  warnings: string[]
}

export interface Objective {
  seconds: number | null
  /** Null: none is set. */
  limit: number | null
}

export interface DailyReport {
  format: typeof REPORT_FORMAT
  tool: string
  /** When the facts were gathered: ISO 8601, UTC. */
  time: string
  /** Machine that gathered them. */
  host: string
  /** The store, for people. */
  store: string
  /** The chain of backups; null: the store holds none and none is configured. */
  name: string | null
  standing: Standing
  /** Why, in one sentence. */
  reason: string
  checks: Check[]
  /** The worst first. */
  problems: Problem[]
  /** What is worth knowing and needs nobody to act. */
  notes: string[]
  latest: LatestBackup | null
  test: RestoreTest | null
  /** The newest backup that a restore test has proven. */
  proven: { label: string; time: string; age: number } | null
  /** How long a recovery takes (RTO), and how much a loss would cost (RPO). */
  recovery: Objective
  loss: Objective
  /** Hours in which a backup is expected. */
  everyHours: number
  /** The last 30, oldest first, today last. */
  days: Day[]
  keys: KeyFact[]
  /** Labels under which something lies that is no backup, with seconds since it began. */
  unfinished: { label: string; objects: number; age: number }[]
  /** Uploads that never ended, a line each. */
  stranded: string[]
  /** Labels of backups that the verifier can still open. */
  verifierEnvelopes: string[]
  /** Sides of the latest backup, and when each was last drilled: ISO 8601, UTC; null: no drill is known. */
  drills: { side: string; time: string | null }[]
  /** Days in which each is to be; 0: none is expected. */
  drillDays: number
  /** Whether the store is configured to lock backups, and until when the latest is locked; null: it is not. */
  lock: boolean
  lockedUntil: string | null
}
