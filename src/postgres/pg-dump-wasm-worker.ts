import type { File } from 'node:buffer'
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'

/**
 * The thread in which WebAssembly pg_dump runs. Its libpq writes and reads synchronously, so the thread
 * waits, asleep, for the answers that the other side fetches from the server.
 */

/** What the thread is started with. */
export interface WasmTask {
  args: string[]
  /** Bytes both ways, and the outcome at the end. */
  port: MessagePort
  /** One counter, raised and notified with every message to the thread. */
  arrived: Int32Array
}

/** What the thread sends: bytes for the server, or how it ended. */
export type FromThread =
  { write: Uint8Array } | { done: string } | { failed: string } | { unfaithful: true }

/** What the thread is sent: bytes from the server; null where the connection ended. */
export type ToThread = Uint8Array | null

// the name that its messages begin with
process.argv[1] = 'pg_dump'

const { args, port, arrived } = workerData as WasmTask

/** How many messages of the counter have been taken. */
let taken = 0
let started = false
/** The tail of what was written: a message that is not complete yet. */
let partial: Buffer = Buffer.alloc(0)

function send(message: FromThread): void {
  port.postMessage(message)
}

function receive(): Buffer {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: ToThread } | undefined
    if (received) {
      if (received.message === null) throw new Error('the connection ended')
      return Buffer.from(received.message)
    }
    Atomics.wait(arrived, 0, taken)
    taken = Atomics.load(arrived, 0)
  }
}

/** How many ReadyForQuery the messages completed by `bytes` call for. */
function answersDue(bytes: Buffer): number {
  partial = Buffer.concat([partial, bytes])
  let due = 0
  for (;;) {
    const head = started ? 1 : 0
    if (partial.length < head + 4) return due
    const length = head + partial.readInt32BE(head)
    if (partial.length < length) return due
    const type = started ? String.fromCharCode(partial[0] ?? 0) : 'startup'
    if (type === 'startup' || type === 'Q' || type === 'S' || type === 'F') due++
    started = true
    partial = partial.subarray(length)
  }
}

/** Everything the server says up to and including the `due`-th ReadyForQuery. */
function answers(due: number): Buffer {
  const chunks: Buffer[] = []
  let rest: Buffer = Buffer.alloc(0)
  let left = due
  while (left > 0) {
    const chunk = receive()
    chunks.push(chunk)
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    while (rest.length >= 5) {
      const length = 1 + rest.readInt32BE(1)
      if (rest.length < length) break
      if (rest[0] === 0x5a) left--
      rest = rest.subarray(length)
    }
  }
  return Buffer.concat(chunks)
}

/**
 * pgDump() takes lines that begin like psql's \restrict out of the whole dump, a function body's
 * own ones too. A server that sends such a line holds structure that would not arrive whole.
 */
const RESTRICT_LINE = /(?:[\n\r]|\xe2\x80[\xa8\xa9])\\(?:un)?restrict\b/i
const BACKSLASH = 0x5c
let unfaithful = false

function exchange(bytes: Uint8Array, onRawData: (answer: Uint8Array) => void): void {
  const written = Buffer.from(bytes)
  send({ write: written })
  const due = answersDue(written)
  if (due === 0) return
  const answer = answers(due)
  if (answer.includes(BACKSLASH)) unfaithful ||= RESTRICT_LINE.test(answer.toString('latin1'))
  onRawData(answer)
}

/** The part of pglite-tools in use; its own declarations need those of browsers. */
interface PgliteTools {
  pgDump: (options: { pg: typeof connection; args: string[] }) => Promise<File>
}

/** The three methods of a PGlite that pgDump() calls. */
const connection = {
  query: async () => ({ rows: [{ search_path: '' }] }),
  exec: async () => [],
  execProtocolRawStream: (
    bytes: Uint8Array,
    { onRawData }: { onRawData: (answer: Uint8Array) => void },
  ) => exchange(bytes, onRawData),
}

try {
  const module = import.meta.resolve('@electric-sql/pglite-tools/pg_dump')
  const { pgDump } = (await import(module)) as PgliteTools
  const file = await pgDump({ pg: connection, args })
  const text = await file.text()
  send(unfaithful ? { unfaithful: true } : { done: text })
} catch (error) {
  send({ failed: error instanceof Error ? error.message : String(error) })
}
port.close()
