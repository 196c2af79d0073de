import type { Connection, Submittable } from 'pg'
import type { Socket } from 'node:net'

interface WireConnection extends Connection {
  stream: Socket
  query(text: string): void
  sendCopyFail(message: string): void
}

const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])

/**
 * A COPY … FROM STDIN query for `pg.Client#query` that takes whole CopyData messages, framing
 * included, and puts them on the socket as they are.
 *
 * `finished` resolves with the row count of the server's command tag; it rejects when the server reports an
 * error or the connection ends.
 */
export class CopyIn implements Submittable {
  readonly opened: Promise<void>
  readonly finished: Promise<number>
  readonly #sql: string
  #wire: WireConnection | undefined
  #resolveOpened: () => void = () => {}
  #rejectOpened: (error: unknown) => void = () => {}
  #resolve: (rows: number) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #rowCount = Number.NaN
  #failed = false

  constructor(sql: string) {
    this.#sql = sql
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      this.#rejectOpened = reject
    })
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.opened.catch(() => {})
    this.finished.catch(() => {})
  }

  /** Called by pg when the query's turn comes. */
  submit(connection: Connection): void {
    this.#wire = connection as WireConnection
    this.#wire.query(this.#sql)
  }

  /**
   * Sends bytes that are whole CopyData messages, or a piece of them in order. `done` is called
   * when the buffer may be used again. Returns false where the socket's buffer is full.
   */
  write(bytes: Buffer, done?: () => void): boolean {
    if (this.#failed || !this.#wire) {
      done?.()
      return true
    }
    return this.#wire.stream.write(bytes, done)
  }

  /** Calls `listener` once, when the socket takes more. */
  onceDrain(listener: () => void): void {
    this.#wire?.stream.once('drain', listener)
  }

  /** All rows are sent. */
  end(): void {
    if (!this.#failed) this.#wire?.stream.write(COPY_DONE)
  }

  /** Tells the server to forget the rows of this copy. `finished` then rejects. */
  fail(): void {
    if (!this.#failed) this.#wire?.sendCopyFail('pgveil: the copy was given up')
  }

  /** Called by pg when the server takes rows. */
  handleCopyInResponse(): void {
    this.#resolveOpened()
  }

  /** Called by pg on an error of the server or the connection. */
  handleError(error: unknown): void {
    this.#failed = true
    this.#rejectOpened(error)
    this.#reject(error)
  }

  /** Called by pg with the command tag. */
  handleCommandComplete(message: { text: string }): void {
    this.#rowCount = Number(/^COPY (\d+)$/.exec(message.text)?.[1] ?? Number.NaN)
  }

  /** Called by pg when the server is ready for the next query. */
  handleReadyForQuery(): void {
    this.#resolve(this.#rowCount)
  }
}
