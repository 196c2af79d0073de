import { bringRows, heap, WINDOW } from '../mask/kernel.ts'
import { Output } from '../mask/mask.ts'
import type { FrameWriter } from './frames.ts'
import { malformed, MaskedRows, type RowLayout } from './masked-rows.ts'

const TAB = 0x09
const NEWLINE = 0x0a
const BACKSLASH = 0x5c

/** `\b` → 0x08 and so on; 0 where the letter stands for itself. */
const UNESCAPED = new Uint8Array(256)
/** 0x08 → `b` and so on; 0 where a byte needs no escape. */
const ESCAPED = new Uint8Array(256)
for (const [letter, byte] of [
  ['b', 0x08],
  ['f', 0x0c],
  ['n', NEWLINE],
  ['r', 0x0d],
  ['t', TAB],
  ['v', 0x0b],
] as const) {
  UNESCAPED[letter.charCodeAt(0)] = byte
  ESCAPED[byte] = letter.charCodeAt(0)
}
ESCAPED[BACKSLASH] = BACKSLASH

/**
 * Masks rows in COPY's text format (PostgreSQL documentation, COPY, "Text Format"): fields end at tabs, rows at
 * newlines, `\N` is NULL, control characters and backslashes are escaped. No other byte ends
 * anything, so Unicode's line ends stay what they are: text.
 */
export class TextRows extends MaskedRows {
  /** Unescaped fields of the head, where one of them holds an escape. */
  readonly #plain = new Output(8 * 1024)
  readonly #rawStart: Int32Array
  readonly #rawEnd: Int32Array
  /** Fields as they come. */
  readonly #order: Int32Array

  constructor(layout: RowLayout, writer: FrameWriter, count: (bytes: number) => void) {
    super(layout, writer, count)
    const fields = layout.conditions + layout.head
    this.#rawStart = new Int32Array(fields)
    this.#rawEnd = new Int32Array(fields)
    this.#order = Int32Array.from(layout.order ?? new Int32Array(fields).keys())
  }

  /** Takes whole rows that stand one behind the other, without any framing. */
  lines(text: Buffer, start: number, end: number): void {
    let position = start
    while (position < end) {
      const most = Math.min(end, position + WINDOW)
      const stop = text.lastIndexOf(NEWLINE, most - 1) + 1
      const at = stop > position ? bringRows(text, position, stop) : undefined
      if (at === undefined) position = this.#line(text, position)
      else {
        for (let line = at; line < at + stop - position;) line = this.#line(heap, line)
        position = stop
      }
    }
  }

  /** Writes the row that begins at `position`, masked; returns where it ends. */
  #line(text: Buffer, position: number): number {
    const next = text.indexOf(NEWLINE, position) + 1
    this.whole(text, position, next)
    this.writer.rowDone()
    return next
  }

  protected whole(bytes: Buffer, start: number, end: number): void {
    if (bytes[end - 1] !== NEWLINE) throw malformed()
    const tail = this.headOnly(bytes, start, end)
    if (tail < 0) throw malformed()
    this.writer.out.append(bytes, tail, end)
  }

  protected headOnly(bytes: Buffer, start: number, end: number): number {
    const { conditions, head, masks } = this.layout
    const tail = this.#split(bytes, start, end)
    if (tail < 0) return -1

    const row = this.row
    const out = this.writer.out
    const rawStart = this.#rawStart
    const rawEnd = this.#rawEnd
    let runStart = head > 0 ? (rawStart[this.#order[conditions] as number] as number) : tail
    for (let i = 0; i < masks.length; i++) {
      const masked = masks[i] as (typeof masks)[number]
      const valueStart = row.start[masked.field] as number
      if (valueStart < 0) continue
      if (masked.condition >= 0) {
        const verdict = row.start[masked.condition] as number
        if (verdict < 0 || row.bytes[verdict] !== 0x74) continue
      }
      out.append(bytes, runStart, rawStart[masked.field] as number)
      const mark = out.length
      if (masked.mask(row.bytes, valueStart, row.end[masked.field] as number, out, row)) {
        escapeFrom(out, mark)
      } else {
        out.length = mark
        out.reserve(2)
        out.bytes[out.length++] = BACKSLASH
        out.bytes[out.length++] = 0x4e
      }
      masked.count++
      runStart = rawEnd[masked.field] as number
    }
    out.append(bytes, runStart, tail)
    return tail
  }

  /** Finds the fields of the head, unescaped; returns where the tail begins, -1 if it is not there yet. */
  #split(bytes: Buffer, start: number, end: number): number {
    const fields = this.layout.conditions + this.layout.head
    const rawStart = this.#rawStart
    const rawEnd = this.#rawEnd
    const order = this.#order
    const row = this.row
    let position = start
    let escaped = false
    for (let i = 0; i < fields; i++) {
      const from = position
      let byte = 0
      while (position < end) {
        byte = bytes[position] as number
        if (byte === TAB || byte === NEWLINE) break
        if (byte === BACKSLASH) escaped = true
        position++
      }
      if (position === end) return -1
      if ((byte === NEWLINE) !== (i === this.layout.total - 1)) throw malformed()
      const field = order[i] as number
      rawStart[field] = from
      rawEnd[field] = position
      row.start[field] = from
      row.end[field] = position
      if (byte === TAB) position++
    }
    row.bytes = bytes
    if (escaped) this.#unescape(bytes, position - start)
    return position
  }

  /** @param most bytes that the fields have together */
  #unescape(bytes: Buffer, most: number): void {
    const plain = this.#plain
    const row = this.row
    plain.length = 0
    plain.reserve(most)
    const target = plain.bytes
    const order = this.#order
    let at = 0
    for (let k = 0; k < order.length; k++) {
      const field = order[k] as number
      const from = this.#rawStart[field] as number
      const to = this.#rawEnd[field] as number
      if (to - from === 2 && bytes[from] === BACKSLASH && bytes[from + 1] === 0x4e) {
        row.start[field] = -1
        continue
      }
      row.start[field] = at
      for (let i = from; i < to; i++) {
        let byte = bytes[i] as number
        if (byte === BACKSLASH) {
          byte = bytes[++i] as number
          byte = UNESCAPED[byte] || byte
        }
        target[at++] = byte
      }
      row.end[field] = at
    }
    row.bytes = target
  }
}

/** Escapes what `out` holds from `mark` on, in place. */
function escapeFrom(out: Output, mark: number): void {
  let extra = 0
  const before = out.bytes
  for (let i = mark; i < out.length; i++) if (ESCAPED[before[i] as number] !== 0) extra++
  if (extra === 0) return
  out.reserve(extra)
  const bytes = out.bytes
  let from = out.length - 1
  let to = from + extra
  out.length += extra
  while (to > from) {
    const byte = bytes[from--] as number
    const letter = ESCAPED[byte] as number
    bytes[to--] = letter === 0 ? byte : letter
    if (letter !== 0) bytes[to--] = BACKSLASH
  }
}
