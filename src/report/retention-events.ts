/** `refused`: a lock keeps it, or a part of it. */
export type PruneOutcome = 'kept' | 'removed' | 'would-remove' | 'refused'

/** What retention has decided and done. */
export interface PruneEvent {
  event: 'prune'
  store: string
  dryRun: boolean
  backups: {
    label: string
    name: string
    /** When its snapshot was taken: ISO 8601, UTC. */
    time: string
    /** Its last restore test passed. */
    proven: boolean
    outcome: PruneOutcome
    /** Why it stays; of one that goes, why it does. */
    reasons: string[]
    objects: number
    /** In the store. */
    bytes: number
  }[]
  /** What lies under labels without a backup; `newest`: when the newest of it was stored. */
  leftovers: {
    label: string
    objects: number
    bytes: number
    newest: string
    outcome: PruneOutcome
  }[]
  /** Uploads that never ended, a line each. */
  stranded: string[]
}

/** Persons were put into the ledger of erasures. */
export interface ErasureRecordEvent {
  event: 'erasure-record'
  /** Its number in the ledger. */
  number: number
  /** Chain of backups that it is for. */
  name: string
  table: string
  column: string
  /** Persons that were not in it before. */
  added: number
  /** Those that were in it already. */
  known: number
}

/** The ledger of erasures. It holds no values. */
export interface ErasuresEvent {
  event: 'erasures'
  store: string
  records: {
    number: number
    /** ISO 8601, UTC. */
    time: string
    /** User and machine. */
    by: string
    /** Chain of backups that it is for. */
    name: string
    table: string
    column: string
    persons: number
  }[]
}

/** What a restore did to the rows of one table, so that persons who were erased stay so. */
export interface ErasedRows {
  table: string
  deleted: number
  /** Rows that referred to them and do not any more. */
  cleared: number
}
