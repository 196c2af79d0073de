import { setTimeout as sleep } from 'node:timers/promises'

/** @throws the signal's reason, as soon as it is aborted */
export async function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal ? { signal } : {})
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}
