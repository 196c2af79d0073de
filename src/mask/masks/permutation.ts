import { BigFf1, Ff1 } from './ff1.ts'

/** A keyed permutation of the whole numbers in [0, size), for sizes up to 2^53: FF1 on bits, walked into range. */
export class SmallPermutation {
  readonly #ff1: Ff1
  readonly #size: number
  readonly #lowRange: number

  constructor(key: Uint8Array, size: number) {
    const bits = Math.max(2, (size - 1).toString(2).length)
    this.#ff1 = new Ff1(key, 2, bits)
    this.#size = size
    this.#lowRange = 2 ** Math.ceil(bits / 2)
  }

  /** Where `value` goes. */
  of(value: number): number {
    const ff1 = this.#ff1
    do {
      const high = Math.floor(value / this.#lowRange)
      ff1.encrypt(high, value - high * this.#lowRange)
      value = ff1.high * this.#lowRange + ff1.low
    } while (value >= this.#size)
    return value
  }
}

/** {@link SmallPermutation} for sizes up to 2^64. */
export class WidePermutation {
  readonly #ff1: Ff1
  readonly #size: bigint
  readonly #lowBits: bigint
  readonly #lowMask: bigint

  constructor(key: Uint8Array, size: bigint) {
    const bits = Math.max(2, (size - 1n).toString(2).length)
    this.#ff1 = new Ff1(key, 2, bits)
    this.#size = size
    this.#lowBits = BigInt(Math.ceil(bits / 2))
    this.#lowMask = (1n << this.#lowBits) - 1n
  }

  /** Where `value` goes. */
  of(value: bigint): bigint {
    const ff1 = this.#ff1
    do {
      ff1.encrypt(Number(value >> this.#lowBits), Number(value & this.#lowMask))
      value = (BigInt(ff1.high) << this.#lowBits) | BigInt(ff1.low)
    } while (value >= this.#size)
    return value
  }
}

/**
 * Keyed permutations of numeral strings of any length, in place. One instance per key and radix: the
 * schedules of the lengths met are kept.
 */
export class NumeralPermutation {
  readonly #key: Uint8Array
  readonly #radix: number
  readonly #single: SmallPermutation
  readonly #byLength: (Ff1 | undefined)[] = []
  /** The least length that takes whole numbers without limit. */
  readonly #tooLong: number

  /** @param radix 2 to 36 */
  constructor(key: Uint8Array, radix: number) {
    this.#key = key
    this.#radix = radix
    this.#single = new SmallPermutation(key, radix)
    let length = 2
    while (Ff1.fits(radix, length)) length++
    this.#tooLong = length
  }

  /** Permutes `numerals[start, end)`, each in [0, radix). */
  apply(numerals: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length === 0) return
    if (length === 1) numerals[start] = this.#single.of(numerals[start]!)
    else if (length < this.#tooLong) this.#applySmall(numerals, start, end)
    else this.#applyBig(numerals, start, end)
  }

  #applySmall(numerals: Uint8Array, start: number, end: number): void {
    const length = end - start
    const ff1 = (this.#byLength[length] ??= new Ff1(this.#key, this.#radix, length))
    const middle = start + Math.floor(length / 2)
    ff1.encrypt(this.#read(numerals, start, middle), this.#read(numerals, middle, end))
    this.#write(numerals, start, middle, ff1.high)
    this.#write(numerals, middle, end, ff1.low)
  }

  #read(numerals: Uint8Array, start: number, end: number): number {
    let value = 0
    for (let i = start; i < end; i++) value = value * this.#radix + numerals[i]!
    return value
  }

  #write(numerals: Uint8Array, start: number, end: number, value: number): void {
    for (let i = end - 1; i >= start; i--) {
      const rest = Math.floor(value / this.#radix)
      numerals[i] = value - rest * this.#radix
      value = rest
    }
  }

  #applyBig(numerals: Uint8Array, start: number, end: number): void {
    const middle = start + Math.floor((end - start) / 2)
    const ff1 = new BigFf1(this.#key, this.#radix, end - start)
    const [high, low] = ff1.encrypt(
      this.#readBig(numerals, start, middle),
      this.#readBig(numerals, middle, end),
    )
    this.#writeBig(numerals, start, middle, high)
    this.#writeBig(numerals, middle, end, low)
  }

  #readBig(numerals: Uint8Array, start: number, end: number): bigint {
    const radix = BigInt(this.#radix)
    let value = 0n
    for (let i = start; i < end; i++) value = value * radix + BigInt(numerals[i]!)
    return value
  }

  #writeBig(numerals: Uint8Array, start: number, end: number, value: bigint): void {
    const text = value.toString(this.#radix).padStart(end - start, '0')
    for (let i = start; i < end; i++) numerals[i] = Number.parseInt(text[i - start]!, this.#radix)
  }
}
