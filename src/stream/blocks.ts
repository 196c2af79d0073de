import { compress, decompress } from '@cloudpss/zstd'
import { Failure } from '../errors.ts'
import { frameContentSize } from './zstd-frame.ts'

/**
 * Compression in independent blocks. A block is 12 bytes, then one zstd frame that states its content size,
 * at most {@link BLOCK_BYTES}. The 12 bytes are a skippable frame (RFC 8878, section 3.1.2) that holds the
 * size of the frame behind it, all little-endian: the form pzstd writes. So `zstd -d` reads a stream of
 * blocks as it is, and a reader knows before it reads a block how much memory it takes.
 *
 * A stream has at least one block: what is empty is one block of nothing. Where a stream ends is not marked: that no
 * block is missing shows in its digest, which is kept elsewhere.
 */
export const BLOCK_BYTES = 1024 * 1024

const HEADER = 12
const SKIPPABLE_MAGIC = 0x184d2a50
const SIZE_BYTES = 4
/** ZSTD_compressBound of a whole block: what does not compress grows by a 256th at most. */
const MAX_FRAME = BLOCK_BYTES + BLOCK_BYTES / 256
const DEFAULT_LEVEL = 1

/**
 * One block, as its two parts: header and frame.
 *
 * @param raw at most {@link BLOCK_BYTES}; not used after the call
 * @param level zstd's: 1 to 22
 */
export function compressBlock(raw: Uint8Array, level = DEFAULT_LEVEL): [Buffer, Buffer] {
  if (raw.length > BLOCK_BYTES) throw new RangeError(`a block has at most ${BLOCK_BYTES} bytes`)
  const { buffer, byteOffset, length } = compress(raw, level)
  const header = Buffer.allocUnsafe(HEADER)
  header.writeUInt32LE(SKIPPABLE_MAGIC, 0)
  header.writeUInt32LE(SIZE_BYTES, 4)
  header.writeUInt32LE(length, 8)
  return [header, Buffer.from(buffer, byteOffset, length)]
}

/** Takes a stream of blocks apart that comes in chunks cut anywhere, with memory for one block. */
export class BlockReader {
  readonly #emit: (raw: Buffer) => void
  readonly #what: string
  readonly #header = Buffer.alloc(HEADER)
  readonly #frame = Buffer.allocUnsafeSlow(MAX_FRAME)
  /** Size of the frame in hand; 0 before its header is complete. */
  #size = 0
  /** Bytes gathered of the header or frame in hand. */
  #gathered = 0
  #blocks = 0

  /**
   * @param emit gets each block's content, which it may keep
   * @param what is read, for messages
   */
  constructor(emit: (raw: Buffer) => void, what = 'the compressed stream') {
    this.#emit = emit
    this.#what = what
  }

  /**
   * Takes the next bytes and hands on the blocks that they complete.
   *
   * @throws {Failure} `integrity` where they are no block, or one that would decompress to more than
   *   {@link BLOCK_BYTES}
   */
  update(bytes: Buffer): void {
    let position = 0
    while (position < bytes.length) {
      position = this.#size === 0 ? this.#takeHeader(bytes, position) : this.#take(bytes, position)
    }
  }

  /**
   * The stream is at its end.
   *
   * @throws {Failure} `integrity` within a block, and before the first
   */
  end(): void {
    if (this.#size > 0 || this.#gathered > 0) throw this.#failure('ends too early')
    if (this.#blocks === 0) throw this.#failure('is missing')
  }

  #takeHeader(bytes: Buffer, position: number): number {
    const header = this.#header
    const taken = bytes.copy(header, this.#gathered, position)
    this.#gathered += taken
    if (this.#gathered < HEADER) return position + taken
    const size = header.readUInt32LE(8)
    if (header.readUInt32LE(0) !== SKIPPABLE_MAGIC || header.readUInt32LE(4) !== SIZE_BYTES) {
      throw this.#failure('does not begin as it should')
    }
    if (size === 0 || size > MAX_FRAME) throw this.#failure('has an impossible size')
    this.#size = size
    this.#gathered = 0
    return position + taken
  }

  #take(bytes: Buffer, position: number): number {
    const end = position + this.#size - this.#gathered
    if (this.#gathered === 0 && end <= bytes.length) {
      this.#finish(bytes.subarray(position, end))
      return end
    }
    const taken = bytes.copy(this.#frame, this.#gathered, position, end)
    this.#gathered += taken
    if (this.#gathered === this.#size) this.#finish(this.#frame.subarray(0, this.#size))
    return position + taken
  }

  #finish(frame: Buffer): void {
    const raw = this.#decompress(frame)
    this.#size = 0
    this.#gathered = 0
    this.#blocks++
    this.#emit(raw)
  }

  /** The size that the frame states is checked first: it decides how much memory the decompression takes. */
  #decompress(frame: Buffer): Buffer {
    const stated = frameContentSize(frame)
    if (stated === undefined) throw this.#failure('is not one zstd frame that states its size')
    if (stated > BLOCK_BYTES) throw this.#failure(`would grow to more than ${BLOCK_BYTES} bytes`)
    let raw: Uint8Array
    try {
      raw = decompress(frame)
    } catch (error) {
      throw this.#failure('is damaged', error)
    }
    if (raw.length !== stated) throw this.#failure('has not the size that it states')
    return Buffer.from(raw.buffer, raw.byteOffset, raw.length)
  }

  #failure(fault: string, cause?: unknown): Failure {
    return new Failure(
      'integrity',
      `cannot decompress ${this.#what}: block ${this.#blocks + 1} ${fault}`,
      { hint: 'these are not the bytes that were written: take them from another copy', cause },
    )
  }
}

/** A stream of blocks of what is in memory as a whole. */
export function compressAll(content: Uint8Array, level = DEFAULT_LEVEL): Buffer {
  const pieces: Buffer[] = []
  let position = 0
  do {
    pieces.push(...compressBlock(content.subarray(position, position + BLOCK_BYTES), level))
    position += BLOCK_BYTES
  } while (position < content.length)
  return Buffer.concat(pieces)
}

/**
 * What a stream of blocks in memory holds.
 *
 * @param limit most bytes that the content may have
 * @throws {Failure} `integrity` as {@link BlockReader} does, and beyond the limit
 */
export function decompressAll(blocks: Uint8Array, limit: number, what?: string): Buffer {
  const pieces: Buffer[] = []
  let size = 0
  const reader = new BlockReader((raw) => {
    size += raw.length
    if (size > limit) {
      throw new Failure('integrity', `${what ?? 'the content'} is larger than ${limit} bytes`)
    }
    pieces.push(raw)
  }, what)
  reader.update(Buffer.from(blocks.buffer, blocks.byteOffset, blocks.length))
  reader.end()
  return Buffer.concat(pieces)
}
