import { EventEmitter } from 'node:events'
import type { Connection } from 'pg'
import { FrameWriter } from '../../../src/copy/frames.ts'
import type { CopyIn } from '../../../src/postgres/copy-in.ts'
import { CopyOut, type RowConsumer } from '../../../src/postgres/copy-out.ts'

/** A seeded generator of whole numbers in [0, below): mulberry32. */
export function seeded(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** A message of the protocol, framing included. */
export function message(type: string, content: Buffer | string = ''): Buffer {
  const body = Buffer.from(content as string)
  const header = Buffer.alloc(5)
  header.write(type, 'latin1')
  header.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

export const copyData = (content: Buffer | string): Buffer => message('d', content)
/** Format 0, no columns: its content is of no interest to us. */
export const COPY_OUT_RESPONSE = message('H', Buffer.from([0, 0, 0]))
export const COPY_DONE = message('c')
export const commandComplete = (rows: number): Buffer => message('C', `COPY ${rows}\0`)
export const READY = message('Z', 'T')
export const NOTICE = message('N', 'SNOTICE\0MMfirst line\nd\0\0')
export const PARAMETER_STATUS = message('S', 'application_name\0d\0\0\0\0\x05\0')
export const ERROR = message('E', 'SERROR\0C57014\0Mcanceling statement due to user request\0\0')

/** Cuts bytes at the given positions. */
export function cutAt(bytes: Buffer, ...positions: number[]): Buffer[] {
  const cuts = [0, ...positions, bytes.length]
  return cuts.slice(1).map((to, i) => bytes.subarray(cuts[i], to))
}

/** Cuts bytes into chunks of 1 to `most` bytes. */
export function cutRandomly(bytes: Buffer, random: (below: number) => number, most: number) {
  const positions: number[] = []
  for (let at = 1 + random(most); at < bytes.length; at += 1 + random(most)) positions.push(at)
  return cutAt(bytes, ...positions)
}

class FakeSocket extends EventEmitter {
  paused = false
  destroyed = false
  pause(): void {
    this.paused = true
  }
  resume(): void {
    this.paused = false
  }
  destroy(): void {
    this.destroyed = true
  }
}

/** What pg's own parser was given back. */
export interface Delivered {
  toPg: Buffer
  destroyed: boolean
}

/**
 * Lets a copy read `chunks` as if they came from a server. Each chunk is overwritten after its event, unless
 * `keepChunks`: whatever still points into it shows.
 */
export async function deliver(
  copy: CopyOut,
  chunks: readonly Buffer[],
  { keepChunks = false } = {},
): Promise<Delivered> {
  const stream = new FakeSocket()
  const toPg: Buffer[] = []
  stream.on('data', (bytes: Buffer) => toPg.push(Buffer.from(bytes)))
  copy.submit({ stream, query: () => {} } as unknown as Connection)
  for (const chunk of chunks) {
    while (stream.paused) await new Promise(setImmediate)
    if (stream.destroyed) break
    const arrived = Buffer.from(chunk)
    stream.emit('data', arrived)
    if (!keepChunks) arrived.fill(0xaa)
  }
  return { toPg: Buffer.concat(toPg), destroyed: stream.destroyed }
}

/** The server's whole answer to a COPY … TO STDOUT. */
export function copyAnswer(rows: readonly Buffer[], count = rows.length): Buffer {
  return Buffer.concat([COPY_OUT_RESPONSE, ...rows, COPY_DONE, commandComplete(count), READY])
}

/** What pg is to see of {@link copyAnswer}. */
export const answerEnd = (count: number): Buffer =>
  Buffer.concat([COPY_DONE, commandComplete(count), READY])

/**
 * A COPY … FROM STDIN without a server. Bytes are looked at only when their buffer is given back, like a socket
 * that is slow; with `full`, each write fills it up.
 */
export class FakeCopyIn {
  readonly #written: Buffer[] = []
  readonly #full: boolean
  #drain: (() => void) | undefined
  drains = 0

  constructor({ full = false } = {}) {
    this.#full = full
  }

  get asCopyIn(): CopyIn {
    return this as unknown as CopyIn
  }

  write(bytes: Buffer, done?: () => void): boolean {
    const at = this.#written.push(bytes) - 1
    const settle = () => {
      this.#written[at] = Buffer.from(bytes)
      done?.()
    }
    if (done) setImmediate(settle)
    else settle()
    return !this.#full
  }

  onceDrain(listener: () => void): void {
    if (this.#drain) throw new Error('asked twice to tell of one drain')
    this.#drain = listener
    setImmediate(() => {
      this.#drain = undefined
      this.drains++
      listener()
    })
  }

  /** Sizes of the writes, framing included. */
  get sizes(): number[] {
    return this.#written.map((bytes) => bytes.length)
  }

  /** The content of all CopyData messages written, in one piece. */
  async content(): Promise<Buffer> {
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    const bytes = Buffer.concat(this.#written)
    const parts: Buffer[] = []
    for (let at = 0; at < bytes.length;) {
      if (bytes[at] !== 0x64) throw new Error(`no CopyData message at ${at}`)
      const next = at + 1 + bytes.readInt32BE(at + 1)
      if (next > bytes.length) throw new Error('the last message is not complete')
      parts.push(bytes.subarray(at + 5, next))
      at = next
    }
    return Buffer.concat(parts)
  }
}

export type OpenRows = (writer: FrameWriter, count: (bytes: number) => void) => RowConsumer

export interface Transferred {
  /** What the target was sent, without framing. */
  content: Buffer
  counted: number
  toPg: Buffer
  target: FakeCopyIn
}

/** Runs a whole transfer from chunks to frames. */
export async function transfer(
  open: OpenRows,
  chunks: readonly Buffer[],
  options: { full?: boolean; keepChunks?: boolean } = {},
): Promise<Transferred> {
  const target = new FakeCopyIn(options)
  const writer = new FrameWriter(target.asCopyIn)
  let counted = 0
  const copy = new CopyOut(
    'COPY',
    open(writer, (bytes) => (counted += bytes)),
  )
  const { toPg, destroyed } = await deliver(copy, chunks, options)
  if (destroyed) await copy.finished
  writer.flush()
  return { content: await target.content(), counted, toPg, target }
}
