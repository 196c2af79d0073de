import { setTimeout as wait } from 'node:timers/promises'
import { systemReason, type Failure } from '../errors.ts'
import { undelivered } from './undelivered.ts'

export interface PingOptions {
  /** Milliseconds until an attempt counts as failed. */
  timeout?: number
  /** Milliseconds to wait before each further attempt. */
  waits?: readonly number[]
  signal?: AbortSignal
}

const TIMEOUT = 10_000
const WAITS = [1_000, 5_000, 15_000]
const OK = 200
const REDIRECT = 300
const TOO_MANY = 429
const SERVER_ERROR = 500

/**
 * Tells a dead-man's switch that a report was delivered.
 *
 * @param url never part of a message beyond its host: whoever knows it can keep the switch quiet
 * @throws Failure where it does not answer well, after all attempts
 */
export async function ping(url: string, options: PingOptions = {}): Promise<void> {
  const { timeout = TIMEOUT, waits = WAITS, signal } = options
  const { host } = new URL(url)
  for (let attempt = 0; ; attempt++) {
    const result = await ask(url, timeout, signal)
    if (result === undefined) return
    signal?.throwIfAborted()
    const delay = waits[attempt]
    if (delay === undefined || !result.again) throw unanswered(host, result.reason, attempt + 1)
    await wait(delay, undefined, { signal })
  }
}

/** Why it did not work; undefined: it did. */
async function ask(
  url: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<{ reason: string; again: boolean } | undefined> {
  const limit = AbortSignal.timeout(timeout)
  try {
    const { status, body } = await fetch(url, {
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      headers: { 'user-agent': 'pgveil' },
    })
    await body?.cancel()
    if (status >= OK && status < REDIRECT) return undefined
    return { reason: `it answers ${status}`, again: status === TOO_MANY || status >= SERVER_ERROR }
  } catch (error) {
    if (limit.aborted) return { reason: `no answer for ${timeout / 1000} s`, again: true }
    const cause = ((error as Error).cause ?? error) as NodeJS.ErrnoException
    return { reason: cause.code ? systemReason(cause) : 'no connection', again: true }
  }
}

function unanswered(host: string, reason: string, attempts: number): Failure {
  const tried = attempts > 1 ? ` after ${attempts} attempts` : ''
  return undelivered(`the report is delivered, but ${host} was not told: ${reason}${tried}`, {
    hint: 'see report.ping in pgveil.yaml; the switch will raise an alarm of its own',
  })
}
