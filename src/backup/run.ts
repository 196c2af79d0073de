import type { BackupSettings } from '../config/backup.ts'
import type { PgDump } from '../config/layers.ts'
import type { StoreSettings } from '../config/store.ts'
import { Run } from '../jobs/run.ts'
import type { BackupReport, Emit } from '../report/events.ts'
import { startPool } from './sealing.ts'
import type { Prepared } from './prepare.ts'

export interface BackupOptions {
  /** Connection URL. */
  source: string
  store: StoreSettings
  backup: BackupSettings
  jobs: number
  pgDump: PgDump
  /** Where passphrases that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** Like `pgveil 1.2.3`, for the manifest. */
  tool: string
}

/**
 * Does everything of a backup that comes before the first byte goes to the store: emits the plan.
 *
 * @throws Failure like {@link runBackup}
 */
export async function planBackup(
  options: BackupOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const { prepare } = await import('./prepare.ts')
  const run = new Run(emit, signal)
  try {
    await run.during(prepare(options, run))
  } finally {
    await run.end()
  }
}

/**
 * Makes one sealed backup. It exists when this returns, and not before; on failure or abort nothing is left that counts,
 * and what was stored is removed where the store lets it.
 *
 * @throws Failure `key`, `refused` before anything is stored; `source`, `store` after; the reason of `signal`
 */
export async function runBackup(
  options: BackupOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<BackupReport> {
  const run = new Run(emit, signal)
  let stored: Prepared | undefined
  try {
    // Workers take a moment to start, in which this process loads OpenPGP and more, and looks at everything.
    const pool = startPool(options.jobs, options.store.kind)
    run.onEnd(() => pool.close())
    const { prepare } = await import('./prepare.ts')
    const prepared = await run.phase('preflight', () => prepare(options, run))
    stored = prepared
    const { sealAndCommit } = await import('./steps.ts')
    return await sealAndCommit(options, prepared, pool, run)
  } catch (error) {
    await run.end()
    if (!stored?.claimed) throw error
    const { removeLeftovers } = await import('./leftovers.ts')
    throw await removeLeftovers(stored, error)
  } finally {
    await run.end()
  }
}
