/**
 * What a run tells the world while it goes: the core emits these and knows nothing of how they are
 * shown. `--json` prints each as one line; docs/events.md is the contract, additive over versions.
 */
export type Event =
  PlanEvent | PhaseEvent | ProgressEvent | TableEvent | WarningEvent | NoteEvent | ReportEvent

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

export type Phase = 'preflight' | 'structure' | 'rows' | 'constraints' | 'checks' | 'handover'

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

export type Emit = (event: Event) => void
