import { Aes } from '../aes.ts'
import { doubles, ff1, HALVES, keep } from '../kernel.ts'

/**
 * FF1 of NIST SP 800-38G with an empty tweak: a keyed permutation of the strings of `length` numerals in
 * `radix`. A numeral string is held as two numbers, its first `⌊length / 2⌋` numerals and the rest.
 *
 * The standard asks for at least a million strings; below that the permutation is still one, but whoever
 * learns enough pairs of original and mask knows the table.
 */

const ROUNDS = 10
const BLOCK = 16
const PREFIX = [1, 2, 1] as const

/** Largest half that the kernel takes: it is shifted by 16 bits, and comes and goes as a double. */
const LARGEST_HALF = 2n ** 37n

/** AES of the block that depends on radix and length alone; the state that each round starts from. */
function firstBlock(aes: Aes, radix: number, length: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const view = new DataView(block.buffer)
  // The radix takes three bytes, 3 to 5.
  view.setUint32(2, radix)
  block.set(PREFIX)
  block[6] = ROUNDS
  block[7] = Math.floor(length / 2) & 0xff
  view.setUint32(8, length)
  encryptBlock(aes, block)
  return block
}

/** Encrypts a block in place. */
function encryptBlock(aes: Aes, block: Uint8Array): void {
  const view = new DataView(block.buffer, block.byteOffset, BLOCK)
  aes.encrypt(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12))
  view.setInt32(0, aes.w0)
  view.setInt32(4, aes.w1)
  view.setInt32(8, aes.w2)
  view.setInt32(12, aes.w3)
}

/** Bytes that a half of `count` numerals takes. */
function halfBytes(radix: number, count: number): number {
  return Math.ceil((BigInt(radix) ** BigInt(count) - 1n).toString(2).length / 8)
}

/** FF1 for lengths whose halves stay below 2^37: 22 decimal digits, 74 bits. */
export class Ff1 {
  /** The halves after {@link encrypt}. */
  high = 0
  low = 0
  /** What the kernel goes by. */
  readonly #parameters: number

  /**
   * @param key 16, 24 or 32 secret bytes
   * @param radix 2 to 65536
   * @param length numerals in a string, at least 2
   */
  constructor(key: Uint8Array, radix: number, length: number) {
    const highCount = Math.floor(length / 2)
    const lowBytes = halfBytes(radix, length - highCount)
    const aes = new Aes(key)
    const start = Buffer.from(firstBlock(aes, radix, length))
    // In the order in which kernel.wat has them.
    const words = [
      aes.first,
      aes.last,
      ...[0, 4, 8, 12].map((at) => start.readInt32BE(at)),
      // The round's number stands in the byte before the half, which ends the block.
      (lowBytes & 3) * 8,
      lowBytes >= 4 ? 1 : 0,
      lowBytes > 4 ? 1 : 0,
      0,
    ]
    const ranges = [highCount, length - highCount].map((count) => BigInt(radix) ** BigInt(count))
    this.#parameters = keep(
      Buffer.concat([
        new Uint8Array(Int32Array.from(words).buffer),
        new Uint8Array(BigUint64Array.from(ranges).buffer),
      ]),
    )
  }

  /** Whether the arithmetic here is exact for strings of this kind. */
  static fits(radix: number, length: number): boolean {
    return length >= 2 && BigInt(radix) ** BigInt(length - Math.floor(length / 2)) <= LARGEST_HALF
  }

  /** Leaves the permuted halves in `high` and `low`. */
  encrypt(high: number, low: number): void {
    ff1(this.#parameters, high, low)
    this.high = doubles[HALVES]!
    this.low = doubles[HALVES + 1]!
  }
}

function toBytes(value: bigint, count: number): Uint8Array {
  return Buffer.from(value.toString(16).padStart(count * 2, '0'), 'hex')
}

/** FF1 for lengths of any size: {@link Ff1} in whole numbers without limit, and slower. */
export class BigFf1 {
  readonly #aes: Aes
  readonly #start: Uint8Array
  readonly #halfBytes: number
  readonly #highRange: bigint
  readonly #lowRange: bigint

  /** See {@link Ff1}. */
  constructor(key: Uint8Array, radix: number, length: number) {
    const highCount = Math.floor(length / 2)
    this.#aes = new Aes(key)
    this.#start = firstBlock(this.#aes, radix, length)
    this.#halfBytes = halfBytes(radix, length - highCount)
    this.#highRange = BigInt(radix) ** BigInt(highCount)
    this.#lowRange = BigInt(radix) ** BigInt(length - highCount)
  }

  /** The permuted halves. */
  encrypt(high: bigint, low: bigint): [bigint, bigint] {
    for (let round = 0; round < ROUNDS; round++) {
      const range = round & 1 ? this.#lowRange : this.#highRange
      const mixed = (high + BigInt(`0x${this.#expand(round, low)}`)) % range
      high = low
      low = mixed
    }
    return [high, low]
  }

  /** The round's pseudo-random bytes, as hexadecimal. */
  #expand(round: number, low: bigint): string {
    const count = this.#halfBytes
    const input = new Uint8Array(Math.ceil((count + 1) / BLOCK) * BLOCK)
    input.set(toBytes(low, count), input.length - count)
    input[input.length - count - 1] = round
    const state = Uint8Array.from(this.#start)
    for (let at = 0; at < input.length; at += BLOCK) {
      for (let i = 0; i < BLOCK; i++) state[i]! ^= input[at + i]!
      encryptBlock(this.#aes, state)
    }
    const wanted = 4 * Math.ceil(count / 4) + 4
    let expanded = Buffer.from(state).toString('hex')
    for (let counter = 1; expanded.length < wanted * 2; counter++) {
      const block = Uint8Array.from(state)
      const last = new DataView(block.buffer)
      last.setUint32(12, last.getUint32(12) ^ counter)
      encryptBlock(this.#aes, block)
      expanded += Buffer.from(block).toString('hex')
    }
    return expanded.slice(0, wanted * 2)
  }
}
