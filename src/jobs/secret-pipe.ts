import { once } from 'node:events'
import { readSync } from 'node:fs'
import type { Writable } from 'node:stream'

/** File descriptor of a worker that a secret comes over. */
const FD = 4
const MOST_BYTES = 1024

/**
 * Hands a worker a secret over a pipe of its own: the channel for messages would leave serialised copies in memory that
 * nobody can overwrite.
 *
 * @param stdio of the worker
 * @param secret may be overwritten once this returned
 */
export async function sendSecret(stdio: readonly unknown[], secret: Buffer): Promise<void> {
  const pipe = stdio[FD] as Writable
  // A worker that is gone is told of by its exit.
  pipe.on('error', () => {})
  const closed = once(pipe, 'close').catch(() => {})
  await Promise.race([new Promise<void>((resolve) => pipe.end(secret, resolve)), closed])
}

/** What the parent sends; waits for it. The caller overwrites it. */
export function receiveSecret(): Buffer {
  const bytes = Buffer.alloc(MOST_BYTES)
  let length = 0
  for (;;) {
    const count = readSync(FD, bytes, length, MOST_BYTES - length, null)
    if (count === 0) return bytes.subarray(0, length)
    length += count
  }
}
