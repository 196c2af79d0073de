import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import { checkReaches, headOf, readLedger, type LedgerHead } from './ledger.ts'

export interface AnchorRequest {
  store: Store
  signers: readonly PublicKeyFile[]
  /** What the backup before says, and its label. */
  before: { label: string; head: LedgerHead } | undefined
  warn: (code: string, message: string) => void
}

/**
 * How far the ledger of erasures goes, for the manifest of a backup. Where the ledger is damaged the backup is made
 * yet, with a warning, and says what the one before said.
 *
 * @throws Failure `store`
 */
export async function anchorLedger(request: AnchorRequest): Promise<LedgerHead | undefined> {
  const { store, signers, before, warn } = request
  try {
    const ledger = await readLedger(store, signers)
    if (before) checkReaches(ledger, before.head, before.label)
    return headOf(ledger) ?? undefined
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
    warn('erasure-ledger', `${error.message}; until it is whole again no backup can be restored`)
    return before?.head
  }
}
