import type { Connection, Submittable } from 'pg'
import type { Socket } from 'node:net'
import { Failure } from '../errors.ts'
import { ReusingSocket } from './socket.ts'

/**
 * Takes the rows of a COPY … TO STDOUT off the wire.
 *
 * The server sends each row as one CopyData message (PostgreSQL's protocol documentation, "COPY
 * Operations"). Offsets are into `chunk`, which is valid only during the call.
 */
export interface RowConsumer {
  /** Called with whole messages: `count` contiguous CopyData messages, framing included. */
  rows(chunk: Buffer, start: number, end: number): void
  /** A message that does not lie in one chunk begins; `size` is that of its content in bytes. */
  begin(size: number): void
  /** The next bytes of that message's content; with `last`, it is complete. */
  part(chunk: Buffer, start: number, end: number, last: boolean): void
  /** False: nothing more is wanted until `onDrain` is called. Asked after each chunk. */
  ready(): boolean
  onDrain: (() => void) | undefined
  /** Chunks are used after the call as well: each gets a buffer of its own. */
  keepsChunks?: boolean
  /** Nothing waits for the next row: the socket may rest between reads. */
  isPatient?: boolean
}

const COPY_DATA = 0x64 // d
const COPY_DONE = 0x63 // c
const COPY_OUT_RESPONSE = 0x48 // H
const ERROR_RESPONSE = 0x45 // E
const HEADER = 5

/**
 * A run of whole CopyData messages. By itself, since the loop is compiled once then; in what calls the consumers, of which there
 * are several kinds, V8 would compile it anew for each of them.
 */
class Run {
  end = 0
  count = 0

  /** Finds the run that begins at `position`. */
  find(chunk: Buffer, position: number): void {
    const end = chunk.length
    let count = 0
    while (end - position >= HEADER && chunk[position] === COPY_DATA) {
      const size =
        ((chunk[position + 1] as number) << 24) |
        ((chunk[position + 2] as number) << 16) |
        ((chunk[position + 3] as number) << 8) |
        (chunk[position + 4] as number)
      if (size < 4 || size >= end - position) break
      position += 1 + size
      count++
    }
    this.end = position
    this.count = count
  }
}

const run = new Run()

/** What lies between pg's client and its socket, as far as we use it. */
interface WireConnection extends Connection {
  stream: Socket
  query(text: string): void
}

/**
 * A COPY … TO STDOUT query for `pg.Client#query` that reads the socket itself: no object, no copy and
 * no event per row. Everything that is not row traffic goes back to pg's own parser.
 *
 * `finished` resolves with the row count of the server's command tag; it rejects when the server reports an
 * error, when the connection ends before the copy does, or when the consumer throws.
 */
export class CopyOut implements Submittable {
  readonly finished: Promise<number>
  /** CopyData messages seen so far: rows, and with the binary format its trailer. */
  messages = 0
  readonly #sql: string
  readonly #consumer: RowConsumer
  #resolve: (rows: number) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #stream: Socket | undefined
  #pgListener: ((chunk: Buffer) => void) | undefined
  #rowCount = Number.NaN
  #sawDone = false
  #error: unknown
  /** Bytes of a message header that was split over chunks. */
  readonly #header = Buffer.alloc(HEADER)
  #headerLength = 0
  /** Content bytes still to come of the message in hand, and its type. */
  #remaining = 0
  #type = 0

  constructor(sql: string, consumer: RowConsumer) {
    this.#sql = sql
    this.#consumer = consumer
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.finished.catch(() => {})
  }

  /** Called by pg when the query's turn comes. */
  submit(connection: Connection): void {
    const wire = connection as WireConnection
    this.#stream = wire.stream
    this.#pgListener = wire.stream.listeners('data')[0] as (chunk: Buffer) => void
    wire.stream.removeListener('data', this.#pgListener)
    wire.stream.on('data', this.#onData)
    const { keepsChunks = false, isPatient = false } = this.#consumer
    take(wire.stream, { lend: !keepsChunks, rests: isPatient })
    this.#consumer.onDrain = () => this.#stream?.resume()
    wire.query(this.#sql)
  }

  readonly #onData = (chunk: Buffer): void => {
    try {
      this.#scan(chunk)
    } catch (error) {
      // The consumer failed: drop the connection, since the rest of the copy is of no use.
      this.#error ??= error
      this.#detach()
      this.#stream?.destroy()
      this.#reject(error)
      return
    }
    if (this.#pgListener && !this.#consumer.ready()) this.#stream?.pause()
  }

  #scan(chunk: Buffer): void {
    let position = 0
    while (position < chunk.length) {
      if (this.#remaining > 0) position = this.#goOn(chunk, position)
      else if (this.#headerLength > 0) position = this.#begin(chunk, position)
      else position = this.#wholeRows(chunk, position) || this.#begin(chunk, position)
    }
  }

  /** More of the message in hand. Returns where that ends. */
  #goOn(chunk: Buffer, position: number): number {
    const end = Math.min(position + this.#remaining, chunk.length)
    this.#remaining -= end - position
    if (this.#type === COPY_DATA) {
      this.#consumer.part(chunk, position, end, this.#remaining === 0)
    } else if (this.#type !== COPY_OUT_RESPONSE) {
      this.#pgListener?.(Buffer.from(chunk.subarray(position, end)))
    }
    return end
  }

  /** Hands on the rows that begin at `position` and are there as a whole. Returns where they end; 0 where there are none. */
  #wholeRows(chunk: Buffer, position: number): number {
    run.find(chunk, position)
    const { end, count } = run
    if (count === 0) return 0
    this.messages += count
    this.#consumer.rows(chunk, position, end)
    return end
  }

  /** A message that is none of these begins, or its header goes on. Returns where the header ends. */
  #begin(chunk: Buffer, position: number): number {
    const end = position + this.#gatherHeader(chunk, position)
    if (this.#headerLength < HEADER) return end
    this.#headerLength = 0
    const type = this.#header[0] as number
    if (this.#handsOver(type)) {
      this.#detachWith(this.#header, chunk.subarray(end))
      return chunk.length
    }
    this.#startMessage(type, this.#header.readInt32BE(1) - 4)
    return end
  }

  #gatherHeader(chunk: Buffer, position: number): number {
    const taken = Math.min(HEADER - this.#headerLength, chunk.length - position)
    chunk.copy(this.#header, this.#headerLength, position, position + taken)
    this.#headerLength += taken
    return taken
  }

  /** Messages that end the row traffic: the rest of the conversation is pg's. */
  #handsOver(type: number): boolean {
    if (type === COPY_DONE) this.#sawDone = true
    return type === COPY_DONE || type === ERROR_RESPONSE
  }

  #startMessage(type: number, size: number): void {
    if (size < 0) throw malformedMessage()
    this.#type = type
    this.#remaining = size
    if (type === COPY_DATA) {
      this.messages++
      this.#consumer.begin(size)
    } else if (type !== COPY_OUT_RESPONSE) {
      const header = Buffer.alloc(HEADER)
      header[0] = type
      header.writeUInt32BE(size + 4, 1)
      this.#pgListener?.(header)
    }
  }

  #detachWith(...rest: Buffer[]): void {
    const listener = this.#pgListener
    this.#detach()
    for (const bytes of rest) if (bytes.length > 0) listener?.(Buffer.from(bytes))
  }

  #detach(): void {
    const stream = this.#stream
    if (!stream || !this.#pgListener) return
    stream.removeListener('data', this.#onData)
    take(stream, { lend: false, rests: false })
    stream.on('data', this.#pgListener)
    this.#pgListener = undefined
    this.#consumer.onDrain = undefined
    stream.resume()
  }

  /** Called by pg on an error of the server or the connection. */
  handleError(error: unknown): void {
    this.#error ??= error
    this.#detach()
    this.#reject(this.#error)
  }

  /** Called by pg with the command tag. */
  handleCommandComplete(message: { text: string }): void {
    this.#rowCount = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? Number.NaN)
  }

  /** Called by pg when the server is ready for the next query. */
  handleReadyForQuery(): void {
    if (this.#error !== undefined) return
    if (!this.#sawDone || Number.isNaN(this.#rowCount)) {
      this.#reject(new Failure('source', 'the copy from the source ended without its end mark'))
    } else {
      this.#resolve(this.#rowCount)
    }
  }
}

function take(stream: Socket, how: Pick<ReusingSocket, 'lend' | 'rests'>): void {
  if (stream instanceof ReusingSocket) Object.assign(stream, how)
}

function malformedMessage(): Failure {
  return new Failure('source', 'the source sent what is no message of PostgreSQL’s protocol')
}
