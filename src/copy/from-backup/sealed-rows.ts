import type { FrameWriter } from '../frames.ts'
import type { RowLayout } from '../masked-rows.ts'
import { TextRows } from '../text-rows.ts'

const NEWLINE = 0x0a
const COPY_DATA = 0x64

/** Takes the content of a segment, COPY text that is cut anywhere, and writes its rows to the target. */
export interface SealedRows {
  take(block: Buffer): void
}

/** Rows that nobody masks: each block is one CopyData message. */
export class UnmaskedRows implements SealedRows {
  readonly #writer: FrameWriter

  constructor(writer: FrameWriter) {
    this.#writer = writer
  }

  take(block: Buffer): void {
    const header = Buffer.allocUnsafe(5)
    header[0] = COPY_DATA
    header.writeUInt32BE(block.length + 4, 1)
    this.#writer.relay(header)
    this.#writer.relay(block)
  }
}

/** Masks rows. Of one that reaches over blocks, what no mask looks at streams through. */
export class MaskedLines implements SealedRows {
  readonly #rows: TextRows
  /** The last block ended within a row. */
  #isOpen = false

  constructor(layout: RowLayout, writer: FrameWriter) {
    this.#rows = new TextRows(layout, writer, () => {})
  }

  take(block: Buffer): void {
    let position = this.#isOpen ? this.#endRow(block) : 0
    const end = block.lastIndexOf(NEWLINE) + 1
    if (end > position) {
      this.#rows.lines(block, position, end)
      position = end
    }
    if (position === block.length) return
    // How long it gets is not known, so it is treated as if without end.
    this.#isOpen = true
    this.#rows.begin(Infinity)
    this.#rows.part(block, position, block.length, false)
  }

  /** @returns where the row that was begun before ends */
  #endRow(block: Buffer): number {
    const end = block.indexOf(NEWLINE) + 1
    this.#isOpen = end === 0
    const until = end === 0 ? block.length : end
    this.#rows.part(block, 0, until, end > 0)
    return until
  }
}
