import type { Codec, Mask, MaskOpener, TypeClass } from '../mask.ts'
import { appendSmallInteger, appendWideInteger, readSmallInteger, readWideInteger } from './key.ts'
import { moveMagnitude, Noise, sameDigits, type NumberNoiseParams } from './noise.ts'
import { openNumericNoise } from './numeric-noise.ts'

const ZERO = 0x30
const NINE = 0x39

const LIMITS: Partial<Record<TypeClass, readonly [number, number, number]>> = {
  int2: [2, -0x8000, 0x7fff],
  int4: [4, -0x8000_0000, 0x7fff_ffff],
}

const LEAST_INT8 = -(2n ** 63n)
const MOST_INT8 = 2n ** 63n - 1n

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
