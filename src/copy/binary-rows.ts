import { viewOf } from '../mask/kernel.ts'
import type { FrameWriter } from './frames.ts'
import { malformed, MaskedRows, type RowLayout } from './masked-rows.ts'

/** Signature, flags and length of the header extension of COPY's binary format. */
const FILE_HEADER = 19
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
const TRAILER = 0xffff

/**
 * Masks rows in COPY's binary format (PostgreSQL documentation, COPY, "Binary Format"): per row an int16
 * count of fields, per field an int32 length, -1 for NULL, and that many bytes.
 *
 * The hot loop: one pass over the lengths of the head, then per masked field one copy of what lies
 * between and one call of the mask. It allocates nothing.
 */
export class BinaryRows extends MaskedRows {
  #sawHeader = false
  readonly #fixedCount: boolean

  constructor(layout: RowLayout, writer: FrameWriter, count: (bytes: number) => void) {
    super(layout, writer, count)
    this.#fixedCount = layout.conditions === 0
  }

  protected whole(bytes: Buffer, start: number, end: number): void {
    const at = this.#sawHeader ? start : this.#fileHeader(bytes, start, end)
    if (end - at === 2 && ((bytes[at] as number) << 8) + (bytes[at + 1] as number) === TRAILER) {
      this.writer.out.append(bytes, at, end)
      return
    }
    const tail = this.#maskHead(bytes, at, end)
    if (tail < 0) throw malformed()
    this.writer.out.append(bytes, tail, end)
  }

  protected headOnly(bytes: Buffer, start: number, end: number): number {
    if (!this.#sawHeader && end - start < FILE_HEADER) return -1
    const at = this.#sawHeader ? start : this.#fileHeader(bytes, start, end)
    const tail = this.#maskHead(bytes, at, end)
    // The head will be read again from `start`: the file header must count as unseen until then.
    if (tail < 0 && at !== start) {
      this.#sawHeader = false
      this.writer.out.length -= at - start
    }
    return tail
  }

  #fileHeader(bytes: Buffer, start: number, end: number): number {
    if (end - start < FILE_HEADER || SIGNATURE.compare(bytes, start, start + 11) !== 0) {
      throw malformed()
    }
    const length = FILE_HEADER + bytes.readInt32BE(start + 15)
    if (length < FILE_HEADER || start + length > end) throw malformed()
    this.writer.out.append(bytes, start, start + length)
    this.#sawHeader = true
    return start + length
  }

  /** Returns where the unmasked tail begins, or -1 (with nothing written) if the head ends beyond `end`. */
  #maskHead(bytes: Buffer, at: number, end: number): number {
    const { conditions, head, total, masks } = this.layout
    const row = this.row
    const starts = row.start
    const ends = row.end
    if (at + 2 > end) return -1
    const view = viewOf(bytes)
    if (view.getUint16(at) !== total) throw malformed()

    let position = at + 2
    let runStart = this.#fixedCount ? at : -1
    for (let field = 0; field < conditions + head; field++) {
      if (field === conditions && runStart < 0) runStart = position
      if (position + 4 > end) return -1
      const length = view.getInt32(position)
      position += 4
      if (length < 0) {
        starts[field] = -1
        continue
      }
      starts[field] = position
      position += length
      ends[field] = position
      if (position > end) return -1
    }
    if (runStart < 0) runStart = position

    row.bytes = bytes
    const out = this.writer.out
    if (!this.#fixedCount) {
      out.reserve(2)
      out.bytes.writeUInt16BE(total - conditions, out.length)
      out.length += 2
    }
    for (let i = 0; i < masks.length; i++) {
      const masked = masks[i] as (typeof masks)[number]
      const start = starts[masked.field] as number
      if (start < 0) continue
      if (masked.condition >= 0) {
        const verdict = starts[masked.condition] as number
        if (verdict < 0 || bytes[verdict] !== 1) continue
      }
      const fieldEnd = ends[masked.field] as number
      if (runStart < start - 4) out.append(bytes, runStart, start - 4)
      out.reserve(4)
      const lengthAt = out.length
      out.length += 4
      const isValue = masked.mask(bytes, start, fieldEnd, out, row)
      const length = isValue ? out.length - lengthAt - 4 : -1
      if (!isValue) out.length = lengthAt + 4
      viewOf(out.bytes).setInt32(lengthAt, length)
      masked.count++
      runStart = fieldEnd
    }
    out.append(bytes, runStart, position)
    return position
  }
}
