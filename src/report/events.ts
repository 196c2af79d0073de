import type {
  ErasedRows,
  ErasureRecordEvent,
  ErasuresEvent,
  PruneEvent,
} from './retention-events.ts'
import type { DailyReportEvent } from './daily/event.ts'
import type { Outcome, Verdict, VerdictStep } from '../verify/verdict.ts'

export type * from './retention-events.ts'

/**
 * What a run tells the world while it goes: the core emits these and knows nothing of how they are
 * shown. `--json` prints each as one line; docs/events.md is the contract, additive over versions.
 */
export type Event =
  | PlanEvent
  | PhaseEvent
  | ProgressEvent
  | TableEvent
  | WarningEvent
  | NoteEvent
  | ReportEvent
  | BackupEvent
  | RestoreEvent
  | BackupsEvent
  | KeySetEvent
  | KeysEvent
  | DrillEvent
  | RewrapEvent
  | RequestEvent
  | AnswerEvent
  | AuditEvent
  | AuditRunsEvent
  | StepEvent
  | NightlyEvent
  | PruneEvent
  | ErasureRecordEvent
  | ErasuresEvent
  | VerifyStepEvent
  | VerdictEvent
  | DailyReportEvent

export interface PlannedColumn {
  column: string
  type: string
  /** Mask name; `keep`; `generated`. */
  treatment: string
  domain?: string
  /** `contacts.id` where the treatment follows a foreign key. */
  follows?: string
  /** What was proven about uniqueness, length, capacity. */
  proof?: string
}

export interface PlannedTable {
  table: string
  /** The partitioned table at the top, where this is a partition. */
  partitionOf?: string
  /** `rows`: copied; `omit`: structure only. */
  action: 'rows' | 'omit'
  codec: 'relay' | 'binary' | 'text'
  /** Why not binary, where it is not. */
  codecReason?: string
  estimatedRows: number
  /** Heap and TOAST on the source. */
  bytes: number
  jobs: number
  columns: PlannedColumn[]
}

export interface PlanEvent {
  event: 'plan'
  source: string
  target: string
  serverVersion: string
  structureBy: string
  tables: PlannedTable[]
}

export type Phase =
  | 'open'
  | 'preflight'
  | 'structure'
  | 'rows'
  | 'constraints'
  | 'erasures'
  | 'checks'
  | 'handover'
  | 'commit'

export interface PhaseEvent {
  event: 'phase'
  phase: Phase
  state: 'started' | 'finished'
  /** Since the phase started; only on `finished`. */
  seconds?: number
}

/** At most a few a second and table. */
export interface ProgressEvent {
  event: 'progress'
  table: string
  rows: number
  bytes: number
  estimatedRows: number
  seconds: number
}

/** A table's rows are in. */
export interface TableEvent {
  event: 'table'
  table: string
  /** The partitioned table at the top, where this is a partition. */
  partitionOf?: string
  rows: number
  /** Received from the source. */
  bytes: number
  seconds: number
  codec: 'relay' | 'binary' | 'text'
  /** Mask name → values masked. */
  masked: Record<string, number>
}

/** Something a person should look at; the run goes on. Never holds a row value. */
export interface WarningEvent {
  event: 'warning'
  /** Stable, kebab-case, like `literal-in-structure`. */
  code: string
  message: string
}

export interface NoteEvent {
  event: 'note'
  message: string
}

export interface CopyReport {
  source: string
  target: string
  previous?: string
  tables: TableEvent[]
  omitted: string[]
  rows: number
  bytes: number
  seconds: number
  phases: Partial<Record<Phase, number>>
  warnings: { code: string; message: string }[]
}

export interface ReportEvent {
  event: 'report'
  report: CopyReport
}

export interface BackupReport {
  label: string
  /** The store, for people. */
  store: string
  source: string
  /** Its number in the chain. */
  sequence: number
  tables: TableEvent[]
  rows: number
  /** Received from the source. */
  bytes: number
  /** Objects in the store, and their bytes. */
  objects: number
  stored: number
  seconds: number
  phases: Partial<Record<Phase, number>>
  warnings: { code: string; message: string }[]
}

/** A backup is committed. */
export interface BackupEvent {
  event: 'backup'
  report: BackupReport
}

export interface RestoreReport {
  label: string
  target: string
  previous?: string
  tables: TableEvent[]
  rows: number
  bytes: number
  /** What was compared with the manifest, and how much of it: `{ rows: 12, sequences: 3 }`. */
  compared: Record<string, number>
  /** Rows of persons in the ledger of erasures, that were removed again; absent: there is no ledger. */
  erased?: ErasedRows[]
  seconds: number
  phases: Partial<Record<Phase, number>>
  warnings: { code: string; message: string }[]
}

/** A backup is restored and in its place. */
export interface RestoreEvent {
  event: 'restore'
  report: RestoreReport
}

export interface ListedBackup {
  label: string
  name: string
  sequence: number
  /** When its snapshot was taken: ISO 8601, UTC. */
  time: string
  /** Seconds since then. */
  age: number
  serverVersion: string
  tables: number
  rows: number
  objects: number
  /** Bytes in the store. */
  stored: number
  /** What the last restore test found; `open`: none has run. */
  proven: 'pass' | 'fail' | 'incomplete' | 'open'
  /** Whether the verifier can open it; afterwards only the custodians together. */
  verifierEnvelope: boolean
  /** What is wrong with it, with the object that shows it; empty: nothing. */
  problems: string[]
}

/** What the store holds. */
export interface BackupsEvent {
  event: 'backups'
  store: string
  backups: ListedBackup[]
  /** Labels under which something lies that is no backup. */
  unfinished: { label: string; objects: number }[]
}

export interface KeySetFile {
  path: string
  /** What it is, for people. */
  what: string
  /** Who should have it. */
  holder: string
  private: boolean
}

/** A set of keys for a trial was made. */
export interface KeySetEvent {
  event: 'key-set'
  files: KeySetFile[]
  /** The section `backup:` of pgveil.yaml. */
  section: string
  /** The configuration file that was written. */
  config?: string
}

export interface CheckedKey {
  /** `side offline`, `verifier`, `signer`, `signing key`. */
  role: string
  path: string
  /** Empty where the file could not be read. */
  fingerprint: string
  owners: string[]
  algorithm: string
  /** ISO 8601, UTC; absent: it never ends. */
  expires?: string
  /** Why it cannot be used. */
  problems: string[]
  warnings: string[]
}

/** Every key of the configuration. */
export interface KeysEvent {
  event: 'keys'
  keys: CheckedKey[]
  /** All that keeps a backup from being made, with the keys' names. */
  problems: string[]
  /** What a person should look at, likewise. */
  warnings: string[]
}

export interface DrilledSide {
  side: string
  passed: boolean
  /** SHA-256 of the side's half, as the manifest has it. */
  half: string
  /** Why it did not pass. */
  reason?: string
}

/** Whether the custodians at hand can open a backup. */
export interface DrillEvent {
  event: 'drill'
  label: string
  sides: DrilledSide[]
}

/** An envelope was, or would be, written anew. */
export interface RewrapEvent {
  event: 'rewrap'
  label: string
  side: string
  /** `current`: it is for these keys already. */
  state: 'rewrapped' | 'current' | 'would-rewrap'
  /** Of the list of envelopes that is in force now. */
  generation: number
  /** Fingerprints of the keys that open it now, or would. */
  recipients: string[]
  /** Names of objects that are of no use any more and were removed. */
  removed: string[]
}

/** An envelope was written out for a custodian. */
export interface RequestEvent {
  event: 'unlock-request'
  label: string
  side: string
  path: string
  /** SHA-256 of the half that it holds. */
  half: string
  recipients: string[]
}

/** A custodian has opened an envelope. */
export interface AnswerEvent {
  event: 'unlock-answer'
  path: string
  /** SHA-256 of the half that was in it. */
  half: string
  /** That the request says the same; absent: it says nothing. */
  asRequested?: true
}

/** A run of pgveil, as the audit records tell it. */
export interface AuditRun {
  run: string
  /** Like `keys check`. */
  command: string
  /** Names of the options that were given. */
  options: string[]
  user: string
  /** Who became that user by sudo. */
  sudo?: string
  host: string
  pid: number
  tool: string
  /** ISO 8601, UTC. */
  started: string
  source?: string
  target?: string
  store?: string
  /** Of the backup. */
  label?: string
  /** `done`, or the kind of failure; absent: the run has no end. */
  result?: string
  exitCode?: number
  seconds?: number
  /** Labels of backups that it has removed. */
  removed?: string[]
  counts: Record<string, number>
  /** Codes of the warnings, and how many of each. */
  warnings: Record<string, number>
}

/** The audit records were checked. */
export interface AuditEvent {
  event: 'audit'
  directory: string
  files: number
  records: number
  /** Times of the first and the last record: ISO 8601, UTC. */
  from?: string
  to?: string
  /** False: the configuration names no signers. */
  signaturesChecked: boolean
  /** Files of former days, with and without a signature. */
  signed: string[]
  unsigned: string[]
  /** Runs that have no end: they were killed, or still go on. */
  unfinished: AuditRun[]
  /** Bytes of a line at the end that was never finished. */
  torn: number
  /** The first place that is not what it was. */
  broken?: {
    file: string
    /** From 1; absent: the file as a whole. */
    line?: number
    kind: string
    message: string
  }
}

/** Runs from the audit records, oldest first. */
export interface AuditRunsEvent {
  event: 'audit-runs'
  directory: string
  runs: AuditRun[]
}

/** A step of the nightly order. */
export interface StepEvent {
  event: 'step'
  step: string
  state: 'started' | 'finished' | 'skipped'
  /** Only on `finished`. */
  exitCode?: number
  seconds?: number
  /** Why it is skipped. */
  reason?: string
}

export interface NightlyStep {
  step: string
  /** Absent where it was skipped. */
  exitCode?: number
  seconds?: number
  reason?: string
}

/** The nightly order is through. */
export interface NightlyEvent {
  event: 'nightly'
  steps: NightlyStep[]
  /** Of the first step that failed; 0: none did. */
  exitCode: number
  seconds: number
}

/** A step of a restore test. */
export interface VerifyStepEvent {
  event: 'verify-step'
  label: string
  step: VerdictStep['step']
  state: 'started' | 'finished'
  /** Only on `finished`. */
  outcome?: Outcome
  seconds?: number
  checks?: number
}

/** What a restore test found. */
export interface VerdictEvent {
  event: 'verdict'
  verdict: Verdict
  /** The test was done before: the verifier cannot open this backup any more. */
  earlier?: true
  /** Name in the store; absent: it was not stored now. */
  stored?: string
  /** Directory with its logs. */
  logs?: string
}

export type Emit = (event: Event) => void
