import type { CopyIn } from '../postgres/copy-in.ts'
import { allocate, heap } from '../mask/kernel.ts'
import { Output } from '../mask/mask.ts'

const COPY_DATA = 0x64
const HEADER = 5
/** Bytes gathered before they go out as one CopyData message. */
const BATCH = 256 * 1024
/** Room beyond it for the row that fills it. */
const ROOM = BATCH / 4
/** Batches in the kernel's memory: one that is filled, and others on their way to the server. */
const HOMES = 3

/** Outputs that no writer uses. */
const free = Array.from({ length: HOMES }, () => new Output(BATCH + ROOM, allocate(BATCH + ROOM)))

function take(): Output {
  const out = free.pop() ?? new Output(BATCH + ROOM)
  out.length = out.start + HEADER
  return out
}

function giveBack(out: Output): void {
  out.clear()
  if (out.bytes === heap) free.push(out)
}

/**
 * Gathers row bytes and sends them to a COPY … FROM STDIN in batches, in reused buffers. A message to
 * the server may end anywhere in a row.
 */
export class FrameWriter {
  out: Output = take()
  readonly #copy: CopyIn
  #full = false
  onDrain: (() => void) | undefined

  constructor(copy: CopyIn) {
    this.#copy = copy
  }

  /** To be called between rows; sends what is there once it is worth it. */
  rowDone(): void {
    if (this.out.length >= this.out.start + BATCH) this.flush()
  }

  /** Sends what is there. */
  flush(): void {
    const sent = this.out
    const { bytes, start, length } = sent
    if (length === start + HEADER) return
    bytes[start] = COPY_DATA
    bytes.writeUInt32BE(length - start - 1, start + 1)
    const accepted = this.#copy.write(bytes.subarray(start, length), () => giveBack(sent))
    this.out = take()
    if (!accepted) this.waitForDrain()
  }

  /** Nothing was left to send, and nothing more is written. */
  close(): void {
    giveBack(this.out)
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
