import type { Backup } from '../backup/backups.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import type { Verdict } from '../verify/verdict.ts'
import { lastVerdict, readVerdicts } from '../verify/verdicts.ts'

/** The verdict in force of a backup, and why others beside it are not believed. */
export interface Tested {
  verdict?: Verdict
  doubts: string[]
}

/**
 * Reads what restore tests said of a backup. A verdict that nobody believed has signed counts as absent.
 *
 * @param signers whose verdicts are believed
 * @throws Failure `store`
 */
export async function readTested(
  store: Store,
  backup: Backup,
  signers: readonly PublicKeyFile[],
): Promise<Tested> {
  const found = await readVerdicts(store, backup, signers)
  const verdict = lastVerdict(found)
  return { ...(verdict && { verdict }), doubts: found.problems }
}
