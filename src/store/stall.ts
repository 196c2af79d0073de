import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** Looks per stall time. */
const LOOKS = 8

export class StalledError extends Error {
  readonly code = 'STALLED'
}

export interface StallWatch {
  /** Bytes of the request that the system has taken. */
  sent: number
  /** While we hold the request back ourselves. */
  held: boolean
  /** Tells of the answer: while nobody reads it, it does not stall. */
  follow(answer: IncomingMessage): void
  stop(): void
}

/**
 * Destroys a request that moves no byte for `seconds`. Counts looks, not time on the clock: while this program is
 * busy, bytes wait unseen and no time passes here.
 */
export function watchStall(request: ClientRequest, seconds: number): StallWatch {
  let socket: Socket | undefined
  let answer: IncomingMessage | undefined
  let seen = -1
  let idle = 0
  request.once('socket', (given) => (socket = given))
  const look = () => {
    const moved = watch.sent + (socket?.bytesRead ?? 0)
    const unread = answer !== undefined && (answer.complete || answer.readableLength > 0)
    idle = moved !== seen || watch.held || unread ? 0 : idle + 1
    seen = moved
    if (idle < LOOKS) return
    watch.stop()
    const broken = answer ?? request
    broken.destroy(new StalledError(`no byte moved for ${seconds} s`))
  }
  const timer = setInterval(look, (seconds * 1000) / LOOKS).unref()
  const watch: StallWatch = {
    sent: 0,
    held: false,
    follow(incoming) {
      answer = incoming
    },
    stop: () => clearInterval(timer),
  }
  return watch
}
