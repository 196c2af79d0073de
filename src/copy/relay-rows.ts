import type { RowConsumer } from '../postgres/copy-out.ts'
import type { FrameWriter } from './frames.ts'

const COPY_DATA = 0x64

/** Passes rows on as they are, message by message, without looking into them. */
export class RelayRows implements RowConsumer {
  onDrain: (() => void) | undefined
  readonly keepsChunks = true
  readonly #writer: FrameWriter
  readonly #count: (bytes: number) => void

  constructor(writer: FrameWriter, count: (bytes: number) => void) {
    this.#writer = writer
    this.#count = count
    writer.onDrain = () => this.onDrain?.()
  }

  rows(chunk: Buffer, start: number, end: number): void {
    this.#count(end - start)
    this.#writer.relay(start === 0 && end === chunk.length ? chunk : chunk.subarray(start, end))
  }

  begin(size: number): void {
    const header = Buffer.allocUnsafe(5)
    header[0] = COPY_DATA
    header.writeUInt32BE(size + 4, 1)
    this.#writer.relay(header)
  }

  part(chunk: Buffer, start: number, end: number): void {
    this.#count(end - start)
    this.#writer.relay(chunk.subarray(start, end))
  }

  ready(): boolean {
    return this.#writer.ready()
  }
}
