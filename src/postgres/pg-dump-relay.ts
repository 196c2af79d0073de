import type { Duplex } from 'node:stream'
import { Failure } from '../errors.ts'
import { openClient, serverFailure, type Endpoint } from './connect.ts'

/** How a pg_dump ended: the dump, or what it wrote to its standard error. */
export type DumpOutcome = { text: string } | { error: string }

/**
 * A session that pg opened and authenticated, handed to a program that speaks the protocol itself.
 *
 * pg_dump so needs no password, no TLS and no idea of where the server is: whatever pg can connect to, it can dump.
 */
export interface Session {
  /** Frontend messages go in, backend messages come out. */
  stream: Duplex
  /** What a server says between a start-up message and the first query. */
  greeting: Buffer
  /** Ends the session at once, whatever it is doing. */
  close(): void
}

/** What a server reports unasked when a session starts; libpq and pg_dump look some of them up. */
const REPORTED = [
  'server_version',
  'server_encoding',
  'client_encoding',
  'is_superuser',
  'session_authorization',
  'DateStyle',
  'IntervalStyle',
  'TimeZone',
  'integer_datetimes',
  'standard_conforming_strings',
  'in_hot_standby',
  'default_transaction_read_only',
]

/**
 * Connects, and takes the connection away from pg.
 *
 * @throws Failure `source` (or the side of `endpoint`) where that does not work
 */
export async function openSession(endpoint: Endpoint): Promise<Session> {
  const client = await openClient(endpoint, 'pg_dump')
  try {
    const { rows } = await client.query<{ name: string; value: string | null }>(
      `SELECT name, pg_catalog.current_setting(name, true) AS value
         FROM pg_catalog.unnest($1::text[]) AS name`,
      [REPORTED],
    )
    const { stream } = client.connection
    stream.removeAllListeners('data')
    return { stream, greeting: greetingOf(rows), close: () => closeStream(stream) }
  } catch (error) {
    await client.end().catch(() => {})
    throw serverFailure(endpoint.side, `read the settings of ${endpoint.label}`, error)
  }
}

const TERMINATE = message('X', Buffer.alloc(0))

/** Says farewell where the connection still takes bytes, so that the server has nothing to log. */
function closeStream(stream: Duplex): void {
  if (stream.writableNeedDrain) stream.destroy()
  else stream.end(TERMINATE, () => stream.destroy())
}

function greetingOf(settings: { name: string; value: string | null }[]): Buffer {
  const messages = [message('R', Buffer.alloc(4))]
  for (const { name, value } of settings) {
    if (value !== null) messages.push(message('S', Buffer.from(`${name}\0${value}\0`)))
  }
  // the key of a session that cannot be cancelled this way: closing it is the only way out
  messages.push(message('K', Buffer.alloc(8)), message('Z', Buffer.from('I')))
  return Buffer.concat(messages)
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

const SSL_REQUEST = 80877103
const GSS_REQUEST = 80877104
const CANCEL_REQUEST = 80877102

/**
 * The server's side of a session's start, played to a program whose session has long begun. Feeds on what
 * the program writes; passes everything after the start-up message on, and keeps its farewell back.
 */
export class Frontend {
  /** The start-up message has come. */
  started = false
  #pending: Buffer = Buffer.alloc(0)
  readonly #session: Session
  readonly #reply: (bytes: Buffer) => void

  /** @param reply brings bytes to the program */
  constructor(session: Session, reply: (bytes: Buffer) => void) {
    this.#session = session
    this.#reply = reply
  }

  /** @throws Failure `bug` where the program asks for what it cannot have here */
  write(bytes: Buffer): void {
    if (this.started) {
      this.#forward(bytes)
      return
    }
    this.#pending = Buffer.concat([this.#pending, bytes])
    while (!this.started && this.#pending.length >= 8) {
      const length = this.#pending.readInt32BE(0)
      if (this.#pending.length < length) return
      this.#answer(this.#pending.readInt32BE(4))
      this.#pending = this.#pending.subarray(length)
    }
    if (this.started && this.#pending.length > 0) this.#forward(this.#pending)
  }

  #answer(code: number): void {
    if (code === SSL_REQUEST || code === GSS_REQUEST) {
      this.#reply(Buffer.from('N'))
    } else if (code === CANCEL_REQUEST || code >> 16 !== 3) {
      throw new Failure('bug', 'pg_dump opened its session with an unexpected message')
    } else {
      this.started = true
      this.#reply(this.#session.greeting)
    }
  }

  /** Terminate is the last thing a frontend writes, in a write of its own. */
  #forward(bytes: Buffer): void {
    if (!bytes.equals(TERMINATE)) this.#session.stream.write(bytes)
  }
}
