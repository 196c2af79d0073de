import { Failure } from '../errors.ts'
import type { RowConsumer } from '../postgres/copy-out.ts'
import type { Store } from '../store/store.ts'
import { FramedRows } from '../stream/rows.ts'
import type { Finishing } from './finishing.ts'
import { SealedObjectWriter, type WrittenObject } from './object-writer.ts'

/** One sealed piece of a table. */
export interface Segment extends WrittenObject {
  rows: number
  digest: string
}

export interface SegmentRequest {
  store: Store
  /** Object names are this, a dot and a number. */
  stem: string
  passphrase: Buffer
  level: number
  /** 16 bytes. */
  digestKey: Buffer
  /** Bytes of COPY text after which a segment ends with the row in hand. */
  limit: number
  finishing: Finishing
  signal?: AbortSignal
}

/**
 * Takes the rows of a COPY and makes segments of them: rows are counted and digested, lose their framing, and go
 * compressed and sealed into the store. A segment is completed only when the next row shows that it was not the last, or
 * by {@link finish}, which is called after the server said that all went well.
 */
export class SegmentRows implements RowConsumer {
  onDrain: (() => void) | undefined
  readonly isPatient = true
  readonly #request: SegmentRequest
  /** Each is aborted where it fails. */
  readonly #segments: Promise<Segment>[] = []
  readonly #framed: FramedRows
  #writer: SealedObjectWriter | undefined
  /** Segments begun, and the rows of those that are complete or about to be. */
  #begun = 0
  #cutRows = 0
  #isOver = false
  #waiting: Promise<void> | undefined
  #error: unknown
  #bytes = 0

  constructor(request: SegmentRequest) {
    this.#request = request
    this.#framed = new FramedRows(request.digestKey, (bytes) => this.#take(bytes))
  }

  /** Rows and bytes so far. */
  get progress(): { rows: number; bytes: number } {
    const inHand = this.#isOver ? 0 : this.#framed.rows
    return { rows: this.#cutRows + inHand, bytes: this.#bytes }
  }

  rows(chunk: Buffer, start: number, end: number): void {
    this.#check()
    this.#bytes += end - start
    this.#framed.takeFramed(chunk, start, end)
    this.#cut()
  }

  begin(size: number): void {
    this.#framed.beginFramed(size)
  }

  part(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.#check()
    this.#bytes += end - start
    this.#framed.partFramed(chunk, start, end, last)
    if (last) this.#cut()
  }

  ready(): boolean {
    return this.#waiting === undefined
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  #take(bytes: Buffer): void {
    const { store, stem, passphrase, level, signal } = this.#request
    this.#writer ??= new SealedObjectWriter(
      store,
      `${stem}.${this.#begun++}.pgp`,
      { passphrase, level },
      signal ? { signal } : {},
    )
    const wait = this.#writer.write(bytes)
    if (wait) this.#hold(wait)
  }

  /** Between two rows: ends a segment that is long enough. */
  #cut(): void {
    if ((this.#writer?.content ?? 0) < this.#request.limit) return
    const completed = this.#complete()
    completed.catch((error: unknown) => (this.#error ??= error))
    this.#hold(this.#request.finishing.add(completed))
  }

  /** Wants no rows until `work` is done. What it fails with is thrown at the next row. */
  #hold(work: Promise<void>): void {
    const before = this.#waiting
    const all = before ? before.then(() => work) : work
    const held: Promise<void> = all.then(
      () => this.#release(held),
      (error: unknown) => {
        this.#error ??= error
        this.#release(held)
      },
    )
    this.#waiting = held
  }

  #release(held: Promise<void>): void {
    if (this.#waiting !== held) return
    this.#waiting = undefined
    this.onDrain?.()
  }

  /** Ends the segment in hand, which is stored when this resolves. */
  #complete(): Promise<unknown> {
    this.#framed.flush()
    const writer = this.#writer
    const { rows } = this.#framed
    const digest = this.#framed.digest()
    this.#framed.reset()
    this.#writer = undefined
    this.#cutRows += rows
    if (!writer) return Promise.resolve()
    const segment = writer.complete().then((object) => ({ ...object, rows, digest }))
    this.#segments.push(segment)
    return segment
  }

  /**
   * All rows are in: completes the last segment.
   *
   * @param rows as the server counted them
   * @throws Failure `source` where it sent another number
   */
  async finish(rows: number): Promise<Segment[]> {
    await this.#waiting
    this.#check()
    const seen = this.progress.rows
    if (seen !== rows) {
      throw new Failure('source', `the source counted ${rows} rows and sent ${seen}`)
    }
    const completed = this.#complete()
    this.#isOver = true
    this.#framed.close()
    await completed
    return await Promise.all(this.#segments)
  }

  /** Throws away what is not completed. */
  async abort(): Promise<void> {
    await this.#waiting
    await Promise.allSettled(this.#segments)
    await this.#writer?.abort()
  }
}
