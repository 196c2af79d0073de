import { wait } from './wait.ts'

/** How long to go on with what may pass. */
export interface Patience {
  attempts: number
  /** Milliseconds before the second attempt; doubles from then on. */
  firstMs: number
  longestMs: number
}

/** About a minute in all: a server that throttles or restarts is back by then. */
export const PATIENCE: Patience = { attempts: 10, firstMs: 200, longestMs: 20_000 }

/** Half of it fixed, half random: clients that failed together do not come back together. */
export function pause(patience: Patience, attempt: number): number {
  const full = Math.min(patience.longestMs, patience.firstMs * 2 ** (attempt - 1))
  return full / 2 + (Math.random() * full) / 2
}

/**
 * Runs `act` until it succeeds, `again` says no, or patience is used up.
 *
 * @param act is told which attempt it is, from 1
 * @param again whether a failed attempt may be repeated
 * @throws what the last attempt failed with; the signal's reason
 */
export async function retry<T>(
  patience: Patience,
  act: (attempt: number) => Promise<T>,
  again: (error: unknown) => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    try {
      return await act(attempt)
    } catch (error) {
      signal?.throwIfAborted()
      if (attempt >= patience.attempts || !(await again(error))) throw error
    }
    await wait(pause(patience, attempt), signal)
  }
}
