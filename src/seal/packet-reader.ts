import { Failure } from '../errors.ts'
import { CHUNK, lastLength, PARTIAL } from './packet.ts'
import type { Emit } from './sealer.ts'

/** What is wrong with a sealed object, without its name. */
export function damaged(what: string): Failure {
  return new Failure('integrity', `it is damaged, or not a sealed object: ${what}`)
}

/** Takes one packet apart, as PacketWriter in sealer.ts writes it; every other way to write the same is refused. */
export class PacketReader {
  readonly #tag: number
  readonly #head: Buffer
  readonly #name: string
  readonly #emit: Emit
  #tagSeen = false
  #headSeen = 0
  readonly #length = Buffer.alloc(5)
  /** Bytes of a length that are there; a length goes on as long as its first byte says. */
  #lengthSeen = 0
  /** What is missing of the chunk. */
  #left = 0
  #isLast = false

  /**
   * @param head how the body begins
   * @param name of the packet, for messages
   * @param emit gets the rest of the body
   */
  constructor(tag: number, head: Buffer, name: string, emit: Emit) {
    this.#tag = tag
    this.#head = head
    this.#name = name
    this.#emit = emit
  }

  /** Whether all of it was read. */
  get complete(): boolean {
    return this.#isLast && this.#left === 0
  }

  /**
   * Reads from `start`, to the packet's end at most.
   *
   * @returns how many bytes it took
   */
  read(bytes: Buffer, start: number): number {
    let at = start
    while (at < bytes.length && !this.complete) {
      if (this.#left > 0) {
        const end = Math.min(bytes.length, at + this.#left)
        this.#left -= end - at
        this.#readBody(bytes.subarray(at, end))
        at = end
      } else if (this.#tagSeen) {
        this.#readLength(bytes[at++]!)
      } else if (bytes[at++] === this.#tag) {
        this.#tagSeen = true
      } else {
        throw damaged(`there is no ${this.#name} packet where one must be`)
      }
    }
    if (this.complete && this.#headSeen < this.#head.length) throw this.#wrongHead()
    return at - start
  }

  #readBody(bytes: Buffer): void {
    let at = 0
    while (this.#headSeen < this.#head.length && at < bytes.length)
      if (bytes[at++] !== this.#head[this.#headSeen++]) throw this.#wrongHead()
    if (at < bytes.length) this.#emit(at === 0 ? bytes : bytes.subarray(at))
  }

  #wrongHead(): Failure {
    return damaged(`its ${this.#name} packet begins wrong`)
  }

  #readLength(byte: number): void {
    if (this.#lengthSeen === 0 && byte === PARTIAL) {
      this.#left = CHUNK
      return
    }
    this.#length[this.#lengthSeen++] = byte
    const first = this.#length[0]!
    const wanted = first < 192 ? 1 : first < 224 ? 2 : first === 0xff ? 5 : 0
    if (this.#lengthSeen < wanted) return
    const read = this.#length.subarray(0, this.#lengthSeen)
    const length = decodeLength(read)
    if (wanted === 0 || length >= CHUNK || !lastLength(length).equals(read))
      throw damaged(`a length in its ${this.#name} packet is wrong`)
    this.#lengthSeen = 0
    this.#left = length
    this.#isLast = true
  }
}

function decodeLength(octets: Buffer): number {
  if (octets.length === 1) return octets[0]!
  if (octets.length === 2) return ((octets[0]! - 192) << 8) + octets[1]! + 192
  return octets.readUInt32BE(1)
}
