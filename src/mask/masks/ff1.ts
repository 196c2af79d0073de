import { Aes } from '../aes.ts'

/**
 * FF1 of NIST SP 800-38G with an empty tweak: a keyed permutation of the strings of `length` numerals in
 * `radix`. A numeral string is held as two numbers, its first `⌊length / 2⌋` numerals and the rest.
 *
 * The standard asks for at least a million strings; below that the permutation is still one, but whoever
 * learns enough pairs of original and mask knows the table.
 */

const ROUNDS = 10
const BLOCK = 16
const TWO_16 = 2 ** 16
const TWO_32 = 2 ** 32
const PREFIX = [1, 2, 1] as const

/** Largest half that the arithmetic in doubles takes: a half times 2^16 stays below 2^53. */
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

/** Remainders by one divisor, through its inverse: `%` on doubles takes several times as long, a division twice. */
class Divisor {
  readonly #divisor: number
  readonly #inverse: number
  /** Below 2^21 a remainder and 32 more bits stay exact in one step. */
  readonly #isShort: boolean

  constructor(divisor: number) {
    this.#divisor = divisor
    this.#inverse = 1 / divisor
    this.#isShort = divisor <= 2 ** 21
  }

  /** The remainder of a whole number below 2^53. */
  remainder(value: number): number {
    const divisor = this.#divisor
    // The quotient may be off by one.
    const rest = value - Math.floor(value * this.#inverse) * divisor
    return rest < 0 ? rest + divisor : rest >= divisor ? rest - divisor : rest
  }

  /** Goes on with the remainder of a number whose next 32 bits are in `word`. */
  shiftIn(sum: number, word: number): number {
    if (this.#isShort) return this.remainder(sum * TWO_32 + (word >>> 0))
    const upper = this.remainder(sum * TWO_16 + (word >>> 16))
    return this.remainder(upper * TWO_16 + (word & 0xffff))
  }

  /** The remainder of the sum of two remainders. */
  add(a: number, b: number): number {
    const sum = a + b
    return sum >= this.#divisor ? sum - this.#divisor : sum
  }
}

/** FF1 for lengths whose halves stay below 2^37: 22 decimal digits, 74 bits. */
export class Ff1 {
  /** The halves after {@link encrypt}. */
  high = 0
  low = 0
  readonly #aes: Aes
  /** The state that each round starts from. */
  readonly #start: Int32Array
  readonly #halfBytes: number
  readonly #high: Divisor
  readonly #low: Divisor

  /**
   * @param key 16, 24 or 32 secret bytes
   * @param radix 2 to 65536
   * @param length numerals in a string, at least 2
   */
  constructor(key: Uint8Array, radix: number, length: number) {
    const highCount = Math.floor(length / 2)
    this.#aes = new Aes(key)
    const start = new DataView(firstBlock(this.#aes, radix, length).buffer)
    this.#start = Int32Array.from([0, 4, 8, 12], (at) => start.getInt32(at))
    this.#halfBytes = halfBytes(radix, length - highCount)
    this.#high = new Divisor(radix ** highCount)
    this.#low = new Divisor(radix ** (length - highCount))
  }

  /** Whether the arithmetic here is exact for strings of this kind. */
  static fits(radix: number, length: number): boolean {
    return length >= 2 && BigInt(radix) ** BigInt(length - Math.floor(length / 2)) <= LARGEST_HALF
  }

  /** Leaves the permuted halves in `high` and `low`. */
  encrypt(high: number, low: number): void {
    const aes = this.#aes
    const start = this.#start
    // The round's number stands in the byte before the half, which ends the block.
    const roundShift = (this.#halfBytes & 3) * 8
    const roundInWord2 = this.#halfBytes >= 4
    for (let round = 0; round < ROUNDS; round++) {
      const range = round & 1 ? this.#low : this.#high
      const mark = round << roundShift
      const word2 = start[2]! ^ Math.floor(low / TWO_32) ^ (roundInWord2 ? mark : 0)
      const word3 = start[3]! ^ low ^ (roundInWord2 ? 0 : mark)
      aes.encrypt(start[0]!, start[1]!, word2, word3)
      let sum = range.shiftIn(range.remainder(aes.w0 >>> 0), aes.w1)
      if (this.#halfBytes > 4) sum = range.shiftIn(sum, aes.w2)
      const mixed = range.add(high, sum)
      high = low
      low = mixed
    }
    this.high = high
    this.low = low
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
