import type { CopyIn } from '../postgres/copy-in.ts'
import { Output } from '../mask/mask.ts'

const COPY_DATA = 0x64
const HEADER = 5
/** Bytes gathered before they go out as one CopyData message. */
const BATCH = 256 * 1024
/** A buffer that one huge value has grown beyond this is not kept. */
const KEEP = 4 * BATCH

/**
 * Gathers row bytes and sends them to a COPY … FROM STDIN in batches, in reused buffers. A message to
 * the server may end anywhere in a row.
 */
export class FrameWriter {
  out: Output
  readonly #copy: CopyIn
  readonly #free: Output[] = []
  #full = false
  onDrain: (() => void) | undefined

  constructor(copy: CopyIn) {
    this.#copy = copy
    this.out = this.#take()
  }

  #take(): Output {
    const out = this.#free.pop() ?? new Output(BATCH + BATCH / 4)
    out.length = HEADER
    return out
  }

  /** To be called between rows; sends what is there once it is worth it. */
  rowDone(): void {
    if (this.out.length >= BATCH) this.flush()
  }

  /** Sends what is there. */
  flush(): void {
    const sent = this.out
    if (sent.length === HEADER) return
    sent.bytes[0] = COPY_DATA
    sent.bytes.writeUInt32BE(sent.length - 1, 1)
    const accepted = this.#copy.write(sent.bytes.subarray(0, sent.length), () => {
      if (sent.bytes.length <= KEEP) this.#free.push(sent)
    })
    this.out = this.#take()
    if (!accepted) this.waitForDrain()
  }

  /** Puts bytes through that already are CopyData messages, or pieces of one. */
  relay(framed: Buffer): void {
    if (!this.#copy.write(framed)) this.waitForDrain()
  }

  private waitForDrain(): void {
    if (this.#full) return
    this.#full = true
    this.#copy.onceDrain(() => {
      this.#full = false
      this.onDrain?.()
    })
  }

  /** False while the socket's buffer is full. */
  ready(): boolean {
    return !this.#full
  }
}
