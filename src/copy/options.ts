import type { RuleFile } from '../mask/rules.ts'
import type { DumperChoice } from '../postgres/pg-dump.ts'

/** What a masked copy is made from, to and by. */
export interface CopyOptions {
  /** Connection URL of production. */
  source: string
  /** Connection URL of the database to make or to replace. */
  target: string
  rules: RuleFile
  /** Jobs at a time, each with a worker process and a session on both servers. */
  jobs: number
  /** Secret for masks that are the same from run to run; absent: a random key that is thrown away. */
  secret?: Uint8Array
  /** `host:port`, `host:port/database` or system identifiers that are never a target. */
  production: readonly string[]
  /** Tables (`schema.name`, `*` allowed) whose rows are copied; empty: all. */
  only: readonly string[]
  exclude: readonly string[]
  keepPrevious: boolean
  /** Name of a database, not made by pgveil, that may be replaced. */
  replace?: string
  pgDump: DumperChoice
  allowSameServer: boolean
}

/** What checking rules against a database needs. */
export type CheckOptions = Pick<CopyOptions, 'source' | 'rules' | 'only' | 'exclude'>
