import { KeyedHash, Stream } from '../keyed.ts'
import type { Codec, Mask, MaskOpener, TypeClass } from '../mask.ts'
import { appendSmallInteger, appendWideInteger, readSmallInteger, readWideInteger } from './key.ts'
import { appendNumeric, readNumeric, type Numeric } from './numeric.ts'

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
const ZERO = 0x30
const NINE = 0x39

const LIMITS: Partial<Record<TypeClass, readonly [number, number, number]>> = {
  int2: [2, -0x8000, 0x7fff],
  int4: [4, -0x8000_0000, 0x7fff_ffff],
}

const LEAST_INT8 = -(2n ** 63n)
const MOST_INT8 = 2n ** 63n - 1n

/** The random part: which of the values around an original takes its place. */
class Noise {
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
function moveMagnitude(noise: Noise, magnitude: bigint, most: bigint, scale: number): bigint {
  const up = most - magnitude
  const widest = up > magnitude ? up : magnitude - 1n
  const reach = noise.reach(magnitude, scale)
  const step = noise.step(reach < widest ? reach : widest)
  const result = magnitude + step
  const least = magnitude > 0n ? 1n : 0n
  return result < least || result > most ? magnitude - step : result
}

/** The largest number with as many decimal digits. */
function sameDigits(magnitude: bigint): bigint {
  return 10n ** BigInt(magnitude.toString().length) - 1n
}

function openSmallNoise(
  noise: Noise,
  shares: boolean,
  codec: Codec,
  [size, least, greatest]: readonly [number, number, number],
): Mask {
  const seed = Buffer.alloc(8)
  return (bytes, start, end, out) => {
    const value = readSmallInteger(bytes, start, end, codec)
    if (value === 0 && shares) {
      appendSmallInteger(out, 0, codec, size)
      return true
    }
    writeWide(seed, value < 0 ? -1 : 0, value)
    noise.seed(seed, 8)
    const magnitude = Math.abs(value)
    const most = value < 0 ? -least : greatest
    const widest = Math.max(most - magnitude, magnitude - 1)
    const step = noise.smallStep(Math.min(noise.smallReach(magnitude), widest))
    let result = magnitude + step
    if (result < (magnitude > 0 ? 1 : 0) || result > most) result = magnitude - step
    if (value < 0) result = -result
    appendSmallInteger(out, result, codec, size)
    return true
  }
}

function writeWide(target: Uint8Array, high: number, low: number): void {
  for (let i = 0; i < 4; i++) {
    target[i] = low >>> (i * 8)
    target[i + 4] = high >>> (i * 8)
  }
}

/** A number of 64 bits after noise; the seed is that of the same value in a smaller type. */
function moveWide(noise: Noise, seed: DataView, value: bigint, scale: number): bigint {
  seed.setBigInt64(0, value, true)
  noise.seed(Buffer.from(seed.buffer), 8)
  const magnitude = value < 0n ? -value : value
  // Money keeps its number of digits, for its text keeps its separators.
  const limit = value < 0n ? -LEAST_INT8 : MOST_INT8
  const digits = scale > 0 ? sameDigits(magnitude) : limit
  const result = moveMagnitude(noise, magnitude, digits < limit ? digits : limit, scale)
  return value < 0n ? -result : result
}

function openWideNoise(noise: Noise, shares: boolean, codec: Codec, scale: number): Mask {
  const seed = new DataView(new ArrayBuffer(8))
  return (bytes, start, end, out) => {
    const value = readWideInteger(bytes, start, end, codec)
    const result = value === 0n && shares ? value : moveWide(noise, seed, value, scale)
    appendWideInteger(out, result, codec)
    return true
  }
}

/** Most currencies have two decimals; money's own number of them is a matter of the server's locale. */
const MONEY_SCALE = 2

/** The digits of an amount of money, sign and separators aside, and back into their places. */
function openMoneyText(noise: Noise, shares: boolean): Mask {
  const seed = new DataView(new ArrayBuffer(8))
  return (bytes, start, end, out) => {
    const isDigit = (i: number) => bytes[i]! >= ZERO && bytes[i]! <= NINE
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
    const digits = text.replace(/\D/g, '').slice(0, 19) || '0'
    const value = BigInt(/[-(]/.test(text) ? `-${digits}` : digits)
    const result =
      value === 0n && shares ? value : moveWide(noise, seed, BigInt.asIntN(64, value), MONEY_SCALE)
    let rest = result < 0n ? -result : result
    out.reserve(end - start)
    for (let i = end - 1; i >= start; i--) {
      out.bytes[out.length + i - start] = isDigit(i) ? ZERO + Number(rest % 10n) : bytes[i]!
      if (isDigit(i)) rest /= 10n
    }
    out.length += end - start
    return true
  }
}

function moveFloat(noise: Noise, value: number, most: number, single: boolean): number {
  const round = single ? Math.fround : Number
  const step = noise.factor() * noise.floatReach(Math.abs(value))
  const result = round(value + step)
  const flips = value > 0 ? result <= 0 : value < 0 ? result >= 0 : result < 0
  if (!flips && Math.abs(result) <= most && result !== value) return result
  const other = round(value - step)
  return Math.abs(other) <= most ? other : value
}

const MOST_FLOAT4 = 3.4028234663852886e38

function openFloatNoise(noise: Noise, shares: boolean, codec: Codec, single: boolean): Mask {
  const seed = new DataView(new ArrayBuffer(8))
  const seedBytes = Buffer.from(seed.buffer)
  const most = single ? MOST_FLOAT4 : Number.MAX_VALUE
  return (bytes, start, end, out) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start)
    let value: number
    if (codec === 'text') {
      value = Number(
        Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'),
      )
      if (single) value = Math.fround(value)
    } else {
      value = single ? view.getFloat32(0) : view.getFloat64(0)
    }
    const stays = !Number.isFinite(value) || (value === 0 && shares)
    seed.setFloat64(0, value)
    noise.seed(seedBytes, 8)
    const result = stays ? value : moveFloat(noise, value, most, single)
    out.reserve(32)
    if (codec === 'text') out.length += out.bytes.write(String(result), out.length, 'latin1')
    else
      out.length = single
        ? out.bytes.writeFloatBE(result, out.length)
        : out.bytes.writeDoubleBE(result, out.length)
    return true
  }
}

function openNumericNoise(noise: Noise, shares: boolean, codec: Codec): Mask {
  return (bytes, start, end, out) => {
    const read = readNumeric(bytes, start, end, codec)
    if (read === undefined) {
      out.append(bytes, start, end)
      return true
    }
    const { unscaled, scale } = read
    const seed = Buffer.from(`${unscaled}:${scale}`, 'latin1')
    noise.seed(seed, seed.length)
    const magnitude = unscaled < 0n ? -unscaled : unscaled
    // As many digits as the original at most, so that it fits whatever precision the column has.
    const moved =
      unscaled === 0n && shares
        ? unscaled
        : moveMagnitude(noise, magnitude, sameDigits(magnitude), scale)
    const result: Numeric = { scale, unscaled: unscaled < 0n ? -moved : moved }
    appendNumeric(out, result, codec)
    return true
  }
}

/** Numbers moved by up to a share of themselves or an amount, never by nothing where there is room; the sign stays. */
export const openNumberNoise: MaskOpener = (prepared, type, codec): Mask => {
  const params = prepared.params as NumberNoiseParams
  const noise = new Noise(prepared.key, params)
  const shares = params.share !== undefined
  const limits = LIMITS[type]
  if (limits) return openSmallNoise(noise, shares, codec, limits)
  if (type === 'int8') return openWideNoise(noise, shares, codec, 0)
  if (type === 'money') {
    return codec === 'text'
      ? openMoneyText(noise, shares)
      : openWideNoise(noise, shares, codec, MONEY_SCALE)
  }
  if (type === 'numeric') return openNumericNoise(noise, shares, codec)
  return openFloatNoise(noise, shares, codec, type === 'float4')
}
