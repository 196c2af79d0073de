import { Failure } from '../errors.ts'
import { serverFailure, type Endpoint } from '../postgres/connect.ts'
import type { Store } from '../store/store.ts'

/** Later than any clock: the store's may be ahead of this machine's. */
const WHENEVER = new Date(8_640_000_000_000_000)

/** A run that has stored something. */
export interface Unfinished {
  source: Endpoint
  label: string
  /** The store, anew: the one that the run used is closed. */
  reopen: () => Promise<Store>
}

/**
 * Removes what a failed run has stored under its label, and nothing else: other runs may be under way.
 *
 * @returns the error that the run failed with, and what is left behind, if anything is
 */
export async function removeLeftovers(
  { source, label, reopen }: Unfinished,
  error: unknown,
): Promise<unknown> {
  try {
    const store = await reopen()
    try {
      const names: string[] = []
      for await (const { name } of store.list(`${label}/`)) names.push(name)
      // The answer to the last step may be what was lost: a manifest that is there makes a backup of it.
      if (names.includes(`${label}/manifest.json`))
        return leaving(`the backup ${label}, which is whole in spite of this`)
      await store.delete(names)
      await store.stranded(WHENEVER, { remove: true, under: label })
    } finally {
      await store.close()
    }
    return error
  } catch {
    return leaving(
      `perhaps objects under ${label}/ in the store; without a manifest there, they are no backup`,
    )
  }

  function leaving(left: string): Failure {
    const failure = serverFailure('store', `back up ${source.label}`, error)
    const { kind, message, hint } = failure
    return new Failure(kind, message, { ...(hint && { hint }), left, cause: error })
  }
}
