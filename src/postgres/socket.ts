import { Socket } from 'node:net'

/** Bytes that one read brings at most. */
const BUFFER = 64 * 1024
/** Milliseconds without reading after a read that found less. */
const REST = 1

/**
 * A socket that reads into one buffer, again and again: a buffer for each read would keep the garbage collector busy, which
 * counts them as memory that is used up.
 *
 * Its `data` events are like those of any socket, until somebody sets {@link ReusingSocket.lend}.
 */
export class ReusingSocket extends Socket {
  /** Chunks of `data` events are valid only during the event. */
  lend = false
  /**
   * A read that finds less than it could take is followed by a short rest. A server sends some kilobytes at a time, and to
   * be woken by each costs both sides.
   */
  rests = false
  #resting: NodeJS.Timeout | undefined

  constructor() {
    let received: (size: number) => void = () => {}
    const buffer = Buffer.allocUnsafeSlow(BUFFER)
    super({
      // Documented for `socket.connect`; it is the constructor that reads it.
      onread: {
        buffer,
        callback: (size: number) => {
          received(size)
          return true
        },
      },
    } as ConstructorParameters<typeof Socket>[0])
    received = (size) => {
      const chunk = buffer.subarray(0, size)
      this.emit('data', this.lend ? chunk : Buffer.from(chunk))
      if (this.rests && size < BUFFER && !this.isPaused()) this.#rest()
    }
  }

  #rest(): void {
    super.pause()
    this.#resting = setTimeout(() => this.resume(), REST)
  }

  override pause(): this {
    clearTimeout(this.#resting)
    return super.pause()
  }

  override resume(): this {
    clearTimeout(this.#resting)
    return super.resume()
  }
}
