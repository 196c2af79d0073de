import { KeyedHash, Stream } from '../keyed.ts'

/** `params` of a prepared mask of kind `number-noise`. One of the two is given. */
export interface NumberNoiseParams {
  /** Millionths of the value. */
  share?: number
  /** Absolute, as a plain decimal like `2.50`. */
  amount?: string
}

const MILLION = 1_000_000
const TWO_32 = 4_294_967_296
const SMALL_REACH = 2n ** 31n

/** The random part: which of the values around an original takes its place. */
export class Noise {
  readonly #hash: KeyedHash
  readonly #stream = new Stream()
  readonly #share: number | undefined
  readonly #amount: readonly [unscaled: bigint, scale: number]

  constructor(key: Uint8Array, { share, amount = '0' }: NumberNoiseParams) {
    this.#hash = new KeyedHash(key)
    this.#share = share
    const [whole = '0', fraction = ''] = amount.split('.')
    this.#amount = [BigInt(whole + fraction), fraction.length]
  }

  seed(bytes: Uint8Array, end: number): void {
    this.#hash.hash(bytes, 0, end)
    this.#stream.seed(this.#hash)
  }

  /** How far a whole number up to 2^32 may move: at least 1. */
  smallReach(magnitude: number): number {
    const reach =
      this.#share === undefined ? Number(this.#reachOf(0)) : (magnitude * this.#share) / MILLION
    return Math.min(Math.max(1, Math.floor(reach)), TWO_32 / 2 - 1)
  }

  /** The share of a whole number up to 10^12, at least 1, in steps that stay exact. */
  shareOf(magnitude: number): number {
    const share = this.#share as number
    const millions = Math.floor(magnitude / MILLION)
    const rest = magnitude - millions * MILLION
    return Math.max(1, millions * share + Math.floor((rest * share) / MILLION))
  }

  /** How far a number of `scale` decimals may move, in units of its last decimal: at least 1. */
  reach(magnitude: bigint, scale: number): bigint {
    const reach =
      this.#share === undefined
        ? this.#reachOf(scale)
        : (magnitude * BigInt(this.#share)) / BigInt(MILLION)
    return reach > 0n ? reach : 1n
  }

  /** The same for a float. */
  floatReach(magnitude: number): number {
    if (this.#share !== undefined) return magnitude * (this.#share / MILLION)
    return Number(this.#amount[0]) / 10 ** this.#amount[1]
  }

  #reachOf(scale: number): bigint {
    const [unscaled, ownScale] = this.#amount
    return scale >= ownScale
      ? unscaled * 10n ** BigInt(scale - ownScale)
      : unscaled / 10n ** BigInt(ownScale - scale)
  }

  /** A whole number of [-reach, reach] other than 0. */
  smallStep(reach: number): number {
    const drawn = this.#stream.below(2 * reach)
    return drawn < reach ? drawn - reach : drawn - reach + 1
  }

  /** {@link smallStep} for reaches of any size. */
  step(reach: bigint): bigint {
    if (reach < SMALL_REACH) return BigInt(this.smallStep(Number(reach)))
    let drawn = 0n
    for (let bits = reach; bits > 0n; bits >>= 32n) {
      drawn = (drawn << 32n) | BigInt(this.#stream.next())
    }
    drawn = ((drawn << 32n) | BigInt(this.#stream.next())) % (2n * reach)
    return drawn < reach ? drawn - reach : drawn - reach + 1n
  }

  /** A number of [-1, 1]. */
  factor(): number {
    return (this.#stream.next() / (TWO_32 - 1)) * 2 - 1
  }
}

/**
 * A value of at most `most` moved by noise, its sign kept: where a step would leave the range, the same step the
 * other way does not, for no step is longer than the wider side.
 */
export function moveMagnitude(
  noise: Noise,
  magnitude: bigint,
  most: bigint,
  scale: number,
): bigint {
  const up = most - magnitude
  const widest = up > magnitude ? up : magnitude - 1n
  const reach = noise.reach(magnitude, scale)
  const step = noise.step(reach < widest ? reach : widest)
  const result = magnitude + step
  const least = magnitude > 0n ? 1n : 0n
  return result < least || result > most ? magnitude - step : result
}

/** The same with a share as reach, in doubles; -1 where that takes longer numbers. */
export function moveSmallMagnitude(noise: Noise, magnitude: number): number {
  let most = 10
  while (most <= magnitude) most *= 10
  most--
  const widest = Math.max(most - magnitude, magnitude - 1)
  const reach = Math.min(noise.shareOf(magnitude), widest)
  if (reach >= TWO_32 / 2) return -1
  const step = noise.smallStep(reach)
  const result = magnitude + step
  return result < 1 || result > most ? magnitude - step : result
}

/** The largest number with as many decimal digits. */
export function sameDigits(magnitude: bigint): bigint {
  return 10n ** BigInt(magnitude.toString().length) - 1n
}
