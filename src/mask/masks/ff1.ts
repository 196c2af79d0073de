import { unsafe } from '@noble/ciphers/aes.js'

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

/** Largest half that the arithmetic in doubles takes: a half times 2^16 stays below 2^53. */
const LARGEST_HALF = 2n ** 37n

/** AES of the block that depends on radix and length alone; the state that each round starts from. */
function firstBlock(key: Uint32Array, radix: number, length: number): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const view = new DataView(block.buffer)
  block.set(PREFIX)
  view.setUint32(2, radix)
  block[2] = PREFIX[2]
  block[6] = ROUNDS
  block[7] = Math.floor(length / 2) & 0xff
  view.setUint32(8, length)
  return unsafe.encryptBlock(key, block)
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
  readonly #key: Uint32Array
  readonly #start: Uint8Array
  readonly #block = new Uint8Array(BLOCK)
  readonly #halfBytes: number
  readonly #words: number
  readonly #highRange: number
  readonly #lowRange: number

  /**
   * @param key 16, 24 or 32 secret bytes
   * @param radix 2 to 65536
   * @param length numerals in a string, at least 2
   */
  constructor(key: Uint8Array, radix: number, length: number) {
    const highCount = Math.floor(length / 2)
    this.#key = unsafe.expandKeyLE(key)
    this.#start = firstBlock(this.#key, radix, length)
    this.#halfBytes = halfBytes(radix, length - highCount)
    this.#words = 2 * Math.ceil(this.#halfBytes / 4) + 2
    this.#highRange = radix ** highCount
    this.#lowRange = radix ** (length - highCount)
  }

  /** Whether the arithmetic here is exact for strings of this kind. */
  static fits(radix: number, length: number): boolean {
    return length >= 2 && BigInt(radix) ** BigInt(length - Math.floor(length / 2)) <= LARGEST_HALF
  }

  /** Leaves the permuted halves in `high` and `low`. */
  encrypt(high: number, low: number): void {
    const block = this.#block
    const start = this.#start
    for (let round = 0; round < ROUNDS; round++) {
      const range = round & 1 ? this.#lowRange : this.#highRange
      block.set(start)
      let at = BLOCK
      for (let rest = low, i = 0; i < this.#halfBytes; i++) {
        const next = Math.floor(rest / 256)
        block[--at]! ^= rest - next * 256
        rest = next
      }
      block[BLOCK - 1 - this.#halfBytes]! ^= round
      unsafe.encryptBlock(this.#key, block)
      let sum = 0
      for (let word = 0; word < this.#words; word++) {
        sum = (sum * 65536 + ((block[word * 2]! << 8) | block[word * 2 + 1]!)) % range
      }
      const mixed = (high + sum) % range
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
  readonly #key: Uint32Array
  readonly #start: Uint8Array
  readonly #halfBytes: number
  readonly #highRange: bigint
  readonly #lowRange: bigint

  /** See {@link Ff1}. */
  constructor(key: Uint8Array, radix: number, length: number) {
    const highCount = Math.floor(length / 2)
    this.#key = unsafe.expandKeyLE(key)
    this.#start = firstBlock(this.#key, radix, length)
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
      unsafe.encryptBlock(this.#key, state)
    }
    const wanted = 4 * Math.ceil(count / 4) + 4
    let expanded = Buffer.from(state).toString('hex')
    for (let counter = 1; expanded.length < wanted * 2; counter++) {
      const block = Uint8Array.from(state)
      const last = new DataView(block.buffer)
      last.setUint32(12, last.getUint32(12) ^ counter)
      expanded += Buffer.from(unsafe.encryptBlock(this.#key, block)).toString('hex')
    }
    return expanded.slice(0, wanted * 2)
  }
}
