import type { LimitFunction } from 'p-limit'

/** The first buffer of an object begins at this size and doubles: most objects are small. */
const FIRST_BUFFER = 256 * 1024

/**
 * Memory of parts that are stored, for parts to come: allocated anew for each object, megabytes outside of the heap have
 * the garbage collector go through all of it several times a second.
 */
export class SpareMemory {
  readonly #most: number
  readonly #spare: Buffer[] = []

  /** @param most buffers to keep; the largest are kept */
  constructor(most: number) {
    this.#most = most
  }

  /** The largest, if that has so many bytes. What is in it is of no use. */
  take(least: number): Buffer | undefined {
    const [largest] = this.#spare
    return largest && largest.length >= least ? this.#spare.shift() : undefined
  }

  /** Takes memory that nobody uses any more. */
  give(memory: Buffer): void {
    if (memory.length === 0) return
    this.#spare.push(memory)
    this.#spare.sort((a, b) => b.length - a.length)
    if (this.#spare.length > this.#most) this.#spare.pop()
  }
}

export interface PartsOptions {
  /** Bytes of part `number`, counted from 1. */
  sizeOf(number: number): number
  /** Stores a part; `part` stays unchanged until it returned. */
  store(part: Buffer, number: number): Promise<void>
  /** As many parts are stored at the same time; shared with other objects, which have their turns. */
  slots: LimitFunction
  /** Shared with other objects, as long as a store is open. */
  memory?: SpareMemory
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/**
 * Cuts bytes into parts and has them stored, a few at a time and begun in order. Holds one part that is being filled
 * and one that waits beside those in flight, and reuses their memory.
 */
export class Parts {
  readonly #options: PartsOptions
  #filling: Buffer = Buffer.alloc(0)
  #filled = 0
  #number = 1
  /** Parts that have left and wait for their turn. */
  #queued = 0
  readonly #running = new Set<Promise<void>>()
  readonly #memory: SpareMemory
  #waiters: Waiter[] = []
  #failed: { error: unknown } | undefined
  /** Bytes taken so far. */
  size = 0

  constructor(options: PartsOptions) {
    this.#options = options
    this.#memory = options.memory ?? new SpareMemory(options.slots.concurrency + 2)
  }

  /** Parts that have left for the store. */
  get begun(): number {
    return this.#number - 1
  }

  /** Copies `bytes`; see ObjectWriter.write. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#failed) return Promise.reject(this.#failed.error)
    this.size += bytes.length
    for (let from = 0; from < bytes.length;) {
      const size = this.#options.sizeOf(this.#number)
      // A part leaves only when more follows, so that an object of exactly one part is a small one.
      if (this.#filled === size) {
        this.flush()
        continue
      }
      const count = Math.min(bytes.length - from, size - this.#filled)
      this.#makeRoom(this.#filled + count, size)
      this.#filling.set(bytes.subarray(from, from + count), this.#filled)
      this.#filled += count
      from += count
    }
    return this.#queued > 0 ? this.#settled() : undefined
  }

  #makeRoom(needed: number, size: number): void {
    if (this.#filling.length >= needed) return
    let roomy = this.#memory.take(needed)
    if (!roomy) {
      let length = this.#number > 1 ? size : Math.max(this.#filling.length, FIRST_BUFFER)
      while (length < needed) length *= 2
      roomy = Buffer.allocUnsafeSlow(Math.min(length, size))
    }
    this.#filling.copy(roomy, 0, 0, this.#filled)
    this.#memory.give(this.#filling)
    this.#filling = roomy
  }

  /** Sends off what there is of a part. */
  flush(): void {
    if (this.#filled === 0) return
    const memory = this.#filling
    const part = memory.subarray(0, this.#filled)
    const number = this.#number++
    this.#filling = Buffer.alloc(0)
    this.#filled = 0
    this.#queued++
    void this.#options.slots(() => this.#send(part, memory, number))
  }

  async #send(part: Buffer, memory: Buffer, number: number): Promise<void> {
    if (--this.#queued === 0) for (const waiter of this.#waiters.splice(0)) waiter.resolve()
    if (this.#failed) return
    const run = this.#options
      .store(part, number)
      .then(() => this.#memory.give(memory))
      .catch((error: unknown) => this.#fail(error))
    this.#running.add(run)
    await run
    this.#running.delete(run)
  }

  /** What has not left yet, instead of sending it off; its memory is used again after `release`. */
  rest(): Buffer {
    return this.#filling.subarray(0, this.#filled)
  }

  /** Gives back the memory of what is being filled. */
  release(): void {
    this.#memory.give(this.#filling)
    this.#filling = Buffer.alloc(0)
    this.#filled = 0
  }

  /**
   * Waits until every part that left is stored.
   *
   * @throws what storing one of them failed with
   */
  async drain(): Promise<void> {
    if (this.#queued > 0 && !this.#failed) await this.#settled()
    while (!this.#failed && this.#running.size > 0) await Promise.race(this.#running)
    if (this.#failed) throw this.#failed.error
  }

  /** Begins no more parts, and waits until none is under way. Never rejects. */
  async stop(reason: unknown): Promise<void> {
    this.#fail(reason)
    await Promise.all(this.#running)
    this.release()
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  /** The first cause wins. */
  #fail(error: unknown): void {
    this.#failed ??= { error }
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failed.error)
  }
}
