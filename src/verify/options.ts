import type { Opening } from '../backup/unlock.ts'
import type { ErasureSettings, VerifySettings } from '../config/operations.ts'
import type { StoreSettings } from '../config/store.ts'
import type { PublicKeyFile } from '../seal/keys.ts'

export interface VerifyOptions {
  store: StoreSettings
  /** Whose backups are believed. */
  signers: PublicKeyFile[]
  /** Keys, rules, server and programs. */
  verify: VerifySettings
  /** Finds persons who were erased, where there are any. */
  erasure?: ErasureSettings
  /** Hours in which a backup is expected. */
  everyHours: number
  /** Directory for logs, and for what pgveil remembers. */
  state: string
  /** `host:port`, `host:port/database` or system identifiers that are never a scratch. */
  production: string[]
  jobs: number
  /** Where passphrases and programs are found, and what commands inherit. */
  env: NodeJS.ProcessEnv
  /** Names of variables in it that commands do not inherit, beside those of passphrases that are named here. */
  hidden?: readonly string[]
  /** Like `pgveil 1.2.3`, for the verdict. */
  tool: string
  /** Which backup; undefined: the latest, or with `allUnproven` each that the verifier can still open. */
  label?: string
  allUnproven: boolean
  /** Of the chain that is meant, where the store holds several. */
  name?: string
  /** What opens the backup instead of the verifier's key. */
  opening?: Opening
  keepEnvelope: boolean
  /** False: the verdict is not stored, and the envelope stays. */
  record: boolean
  /**
   * Is given the URL of the restored database before anything is compared. For rehearsals of what the test must see:
   * whatever this changes there should be found.
   */
  beforeChecks?: (url: string) => Promise<void>
}
