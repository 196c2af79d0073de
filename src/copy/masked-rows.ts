import { Failure } from '../errors.ts'
import { bringRows, heap, viewOf } from '../mask/kernel.ts'
import { type Mask, Output, type Row } from '../mask/mask.ts'
import type { RowConsumer } from '../postgres/copy-out.ts'
import type { FrameWriter } from './frames.ts'

/**
 * How the fields of a row lie on the wire: first the conditions (dropped again), then the columns that
 * masks read or replace, then all others, which travel as one piece.
 */
export interface RowLayout {
  conditions: number
  head: number
  total: number
  /** Masks in the order in which their fields come. */
  masks: MaskedField[]
  /** `order[i]`: index of the field that comes i-th on the wire, conditions and head; absent: each in its place. */
  order?: readonly number[]
}

export interface MaskedField {
  /** Field index in the row as it arrives; conditions count. */
  field: number
  /** Field index of the condition that says whether to mask; -1: always. */
  condition: number
  mask: Mask
  /** Values masked so far. */
  count: number
}

/** A row that is longer than this is not gathered whole: its tail streams through. */
const GATHER = 1024 * 1024

/**
 * What binary and text rows share: gathering rows that are split over chunks, streaming the unmasked
 * tail of huge ones, counting.
 */
export abstract class MaskedRows implements RowConsumer {
  onDrain: (() => void) | undefined
  protected readonly layout: RowLayout
  protected readonly writer: FrameWriter
  protected readonly row: Row
  readonly #count: (bytes: number) => void
  readonly #gathered = new Output(64 * 1024)
  /** The head of the message in hand is out; what comes is unmasked tail. */
  #streaming = false
  #huge = false
  /** Length at which the head of a huge message is looked for again: doubling keeps the work linear. */
  #nextLook = 0

  constructor(layout: RowLayout, writer: FrameWriter, count: (bytes: number) => void) {
    this.layout = layout
    this.writer = writer
    this.#count = count
    const fields = layout.conditions + layout.head
    this.row = {
      bytes: Buffer.alloc(0),
      start: new Int32Array(fields),
      end: new Int32Array(fields),
    }
    writer.onDrain = () => this.onDrain?.()
  }

  /** Writes one whole row, masked. */
  protected abstract whole(bytes: Buffer, start: number, end: number): void

  /**
   * Writes the masked head of a row that is known up to `end` and returns where the tail begins; -1
   * where the head is not complete yet.
   */
  protected abstract headOnly(bytes: Buffer, start: number, end: number): number

  rows(chunk: Buffer, start: number, end: number): void {
    this.#count(end - start)
    const at = bringRows(chunk, start, end)
    if (at === undefined) this.#rows(chunk, start, end)
    else this.#rows(heap, at, at + end - start)
  }

  #rows(chunk: Buffer, start: number, end: number): void {
    const view = viewOf(chunk)
    let position = start
    while (position < end) {
      const next = position + 1 + view.getInt32(position + 1)
      this.whole(chunk, position + 5, next)
      this.writer.rowDone()
      position = next
    }
  }

  begin(size: number): void {
    this.#huge = size > GATHER
    this.#streaming = false
    this.#nextLook = 0
    this.#gathered.length = 0
  }

  part(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.#count(end - start)
    if (this.#streaming) {
      this.writer.out.append(chunk, start, end)
    } else {
      const gathered = this.#gathered
      gathered.append(chunk, start, end)
      if (this.#huge) {
        if (gathered.length < this.#nextLook && !last) return
        this.#nextLook = gathered.length * 2
        const tail = this.headOnly(gathered.bytes, 0, gathered.length)
        if (tail >= 0) {
          this.writer.out.append(gathered.bytes, tail, gathered.length)
          this.#streaming = true
        } else if (last) {
          throw malformed()
        }
      } else if (last) {
        this.whole(gathered.bytes, 0, gathered.length)
      }
    }
    this.writer.rowDone()
  }

  ready(): boolean {
    return this.writer.ready()
  }
}

/** The rows from the source are not what COPY promises. */
export function malformed(): Failure {
  return new Failure('source', 'the rows from the source do not have the form that COPY gives them')
}
