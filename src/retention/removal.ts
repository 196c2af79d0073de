import { Failure } from '../errors.ts'
import type { Store } from '../store/store.ts'

/** Names in one request; a refusal then concerns few. */
const BATCH = 500

/**
 * Removes objects in batches and goes on where a lock keeps some.
 *
 * @returns what the first refusal said; undefined: everything is gone
 * @throws Failure `store`; the reason of `signal`, between two batches
 */
export async function removeNames(
  store: Store,
  names: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  let refusal: string | undefined
  for (let from = 0; from < names.length; from += BATCH) {
    signal.throwIfAborted()
    try {
      await store.delete(names.slice(from, from + BATCH))
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'refused') throw error
      refusal ??= error.message
    }
  }
  return refusal
}

/**
 * Removes a backup, its manifest first: from then on there is none of that label, and what a run that dies leaves is
 * like that of a backup that was never committed.
 *
 * @param files names below the label
 * @returns like {@link removeNames}; where the lock keeps the manifest, nothing is gone
 */
export async function removeBackup(
  store: Store,
  label: string,
  files: Iterable<string>,
  signal: AbortSignal,
): Promise<{ refusal: string | undefined; begun: boolean }> {
  const names = Array.from(files, (name) => `${label}/${name}`)
  const manifest = `${label}/manifest.json`
  const kept = await removeNames(store, [manifest], signal)
  if (kept !== undefined) return { refusal: kept, begun: false }
  const rest = names.filter((name) => name !== manifest)
  return { refusal: await removeNames(store, rest, signal), begun: true }
}
