import { wait } from './wait.ts'

/** Idle time that may be made up for at once, in milliseconds. */
const BURST_MS = 100

/**
 * Limits bytes a second by a token bucket, kept as the moment at which all bytes so far are paid for
 * (the generic cell rate algorithm).
 */
export class Bandwidth {
  readonly #rate: number
  #paidAt = 0

  /** @param rate bytes a second */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** Takes note of `bytes` and returns the milliseconds to wait before they may move. */
  charge(bytes: number): number {
    const now = performance.now()
    const free = Math.max(this.#paidAt, now - BURST_MS)
    this.#paidAt = free + (bytes / this.#rate) * 1000
    return Math.max(0, free - now)
  }

  /** Waits until `bytes` may move. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    const milliseconds = this.charge(bytes)
    if (milliseconds > 0) await wait(milliseconds, signal)
  }
}

const limits = new Map<number, Bandwidth>()

/** The limit that all stores of this process with the same `rate` share. */
export function sharedBandwidth(rate: number | undefined): Bandwidth | undefined {
  if (rate === undefined) return undefined
  const limit = limits.get(rate) ?? new Bandwidth(rate)
  limits.set(rate, limit)
  return limit
}

/** Settings for each of several workers, which together take no more than these allow. */
export function shareBandwidth<S extends { bandwidth?: number }>(store: S, jobs: number): S {
  const { bandwidth } = store
  return bandwidth === undefined ? store : { ...store, bandwidth: Math.ceil(bandwidth / jobs) }
}
