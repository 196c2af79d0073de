import { Failure } from '../errors.ts'
import { BLOCK_BYTES } from './blocks.ts'
import { closeRows, openRows, type RowsExports } from './rows-instance.ts'

/** Most bytes handled in one step: they stay in the processor's cache from one pass to the next. */
const STEP = 128 * 1024
/** Where rows are hashed: two blocks, with room in front for what the last step left over. */
const AREA = 64 * 1024
/** Where framed bytes come in: behind the two blocks and the room that the module's stores need. */
const INPUT = AREA + 2 * BLOCK_BYTES + 64 * 1024
/** `hash` leaves at most 7 bytes over; moved as one word. */
const LEFT_OVER = 8
const HEADER = 5

/**
 * A keyed digest of a set of rows of COPY text that does not depend on their order.
 *
 * A row's hash is SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input
 * PRF", 2012) over its bytes without the newline; a set's digest is the sum of its rows' hashes modulo
 * 2^128, each read as a little-endian number, together with the number of rows. This is the keyed
 * multiset hash by addition, MSet-Add-Hash, of Clarke, Devadas, van Dijk, Gassend and Suh ("Incremental
 * Multiset Hash Functions and Their Application to Memory Integrity Checking", ASIACRYPT 2003), with a key
 * per backup in the place of their nonce.
 *
 * What it promises, as long as SipHash is a pseudorandom function: under one key equal sets have equal
 * digests, and two different ones have equal digests with a probability of 2^-128 times the largest
 * power of two that divides every difference in how often a row occurs in them: 2^-128 unless rows are
 * repeated, 2^-108 where the only difference is a million copies of one row. Without the key nobody can
 * test a guess at a row or make rows that fit a digest. Digests under one key show which sets are equal,
 * and add up: that of a union is the sum. They are not to be trusted where somebody could replace them.
 */
export abstract class RowDigest {
  protected module: RowsExports
  /** The module's whole memory. */
  protected readonly memory: Buffer

  /** @param key 16 bytes */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError('the key of a row digest has 16 bytes')
    this.module = openRows()
    this.memory = Buffer.from(this.module.memory.buffer)
    const words = Buffer.from(key.buffer, key.byteOffset, key.length)
    this.module.key(words.readBigUInt64LE(0), words.readBigUInt64LE(8))
    this.module.reset()
  }

  /** Gives its memory to the next one, which need not be made and collected then. Nothing may be asked of it afterwards. */
  close(): void {
    if (this.module === CLOSED) return
    closeRows(this.module)
    this.module = CLOSED
  }

  /** Rows that have ended so far. */
  get rows(): number {
    return Number(this.module.rows.value)
  }

  /** Begins a new set under the same key, without any row. */
  reset(): void {
    this.module.reset()
  }

  /** The sum of the hashes of the rows that have ended, as 32 hexadecimal digits. */
  digest(): string {
    const { high, low } = this.module
    return hex((BigInt.asUintN(64, high.value) << 64n) | BigInt.asUintN(64, low.value))
  }
}

/** Whatever is asked of it is a mistake. */
const CLOSED = new Proxy({} as RowsExports, {
  get: () => {
    throw new Error('the row digest is closed')
  },
})

/** The digest of no rows. */
export const NO_ROWS = '0'.repeat(32)

/** The digest of two sets of rows together, from their digests under the same key. */
export function addDigests(a: string, b: string): string {
  return hex(number(a) + number(b))
}

function hex(sum: bigint): string {
  return BigInt.asUintN(128, sum).toString(16).padStart(32, '0')
}

function number(digest: string): bigint {
  if (!/^[0-9a-f]{32}$/.test(digest)) throw new RangeError('a row digest has 32 hexadecimal digits')
  return BigInt(`0x${digest}`)
}

/**
 * Takes rows as a COPY … TO STDOUT sends them, one CopyData message each, and hands on their contents in
 * blocks of {@link BLOCK_BYTES} bytes; the last one is shorter. Without rows there is no block.
 * The methods are those that a RowConsumer is called with (see src/postgres/copy-out.ts).
 */
export class FramedRows extends RowDigest {
  readonly #emit: (block: Buffer) => void
  /** Where the next content goes, and where what is not yet hashed begins. */
  #end = AREA
  #hashed = AREA
  #split = 0
  #rowsBefore = 0n

  /** @param emit gets a view that is valid only during the call */
  constructor(key: Uint8Array, emit: (block: Buffer) => void) {
    super(key)
    this.#emit = emit
  }

  /**
   * Takes the whole messages between `start` and `end`.
   *
   * @throws {Failure} `source` where a message is not one row of COPY text
   */
  takeFramed(chunk: Buffer, start: number, end: number): void {
    let position = start
    while (position < end) {
      const size = chunk.copy(this.memory, INPUT, position, Math.min(end, position + STEP))
      const taken = this.module.strip(INPUT, INPUT + size, this.#end) - INPUT
      this.#extend(this.module.out.value)
      position = taken > 0 ? position + taken : this.#takeLarge(chunk, position, end)
    }
  }

  /** A message that one step cannot hold. */
  #takeLarge(chunk: Buffer, start: number, end: number): number {
    const content = start + HEADER
    const size = content <= end ? chunk.readUInt32BE(start + 1) - 4 : 0
    if (size <= STEP - HEADER || size > end - content) throw notOneRow()
    this.beginFramed(size)
    this.partFramed(chunk, content, content + size, true)
    return content + size
  }

  /** A message begins that does not lie in one chunk; `size` is that of its content in bytes. */
  beginFramed(size: number): void {
    if (size < 1) throw notOneRow()
    this.#split++
    this.#rowsBefore = this.module.rows.value
  }

  /**
   * The next bytes of that message's content; with `last`, it is complete.
   *
   * @throws {Failure} `source` where it is not one row of COPY text
   */
  partFramed(chunk: Buffer, start: number, end: number, last: boolean): void {
    let position = start
    while (position < end) {
      const size = chunk.copy(this.memory, this.#end, position, Math.min(end, position + STEP))
      this.#extend(this.#end + size)
      position += size
    }
    if (!last) return
    const isOpen = this.#hashed < this.#end || this.module.length.value !== 0n
    if (isOpen || this.module.rows.value !== this.#rowsBefore + 1n) throw notOneRow()
  }

  /** Hashes the content up to `end` and hands on a block that it has filled. */
  #extend(end: number): void {
    this.#hashed = this.module.hash(this.#hashed, end)
    this.#end = end
    if (end < AREA + BLOCK_BYTES) return
    this.#emit(this.memory.subarray(AREA, AREA + BLOCK_BYTES))
    this.memory.copyWithin(AREA - LEFT_OVER, AREA - LEFT_OVER + BLOCK_BYTES, end)
    this.#hashed -= BLOCK_BYTES
    this.#end -= BLOCK_BYTES
  }

  /**
   * Hands on what is left, after the last row.
   *
   * @throws {Failure} `source` where rows and messages are not the same number
   */
  flush(): void {
    if (this.module.rows.value !== this.module.messages.value + BigInt(this.#split)) {
      throw notOneRow()
    }
    if (this.#end > AREA) this.#emit(this.memory.subarray(AREA, this.#end))
    this.#end = this.#hashed = AREA
  }

  override reset(): void {
    super.reset()
    this.#end = this.#hashed = AREA
    this.#split = 0
  }
}

function notOneRow(): Failure {
  return new Failure('source', 'the source sent a message that is not one row of COPY text')
}

/** Takes COPY text as a stream of bytes cut anywhere: every row ends with a newline. */
export class LineRows extends RowDigest {
  #leftOver = 0

  override reset(): void {
    super.reset()
    this.#leftOver = 0
  }

  take(chunk: Buffer): void {
    let position = 0
    while (position < chunk.length) {
      const size = chunk.copy(this.memory, AREA, position, position + STEP)
      const end = AREA + size
      const hashed = this.module.hash(AREA - this.#leftOver, end)
      this.memory.copyWithin(AREA - LEFT_OVER, end - LEFT_OVER, end)
      this.#leftOver = end - hashed
      position += size
    }
  }

  /** True where the last row was complete; to be asked once all bytes were taken. */
  end(): boolean {
    return this.#leftOver === 0 && this.module.length.value === 0n
  }
}
