import { Aes } from '../aes.ts'
import type { Codec, Mask, MaskOpener, Output, TypeClass } from '../mask.ts'
import { appendInteger } from './compose.ts'
import { NumeralPermutation, SmallPermutation, WidePermutation } from './permutation.ts'
import { appendUuid, readUuid } from './scramble-bytes.ts'

/** `params` of a prepared mask of kind `key`. */
export interface KeyParams {
  /** For whole numbers: ranges, ends included, that are permuted each within itself; in decimal. */
  ranges?: readonly (readonly [string, string])[]
}

const INTEGER_BYTES: Partial<Record<TypeClass, number>> = { int2: 2, int4: 4, int8: 8 }
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const CAPITAL_A = 0x41
const SMALL_A = 0x61
const LETTERS = 26

/** A whole number of at most 32 bits, or of decimal text. */
export function readSmallInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  codec: Codec,
): number {
  if (codec === 'binary') {
    let value = (bytes[start]! << 24) >> 24
    for (let i = start + 1; i < end; i++) value = (value << 8) | bytes[i]!
    return value
  }
  const negative = bytes[start] === MINUS
  let value = 0
  for (let i = negative ? start + 1 : start; i < end; i++) value = value * 10 + bytes[i]! - ZERO
  return negative ? -value : value
}

/** Appends a whole number of at most 32 bits: `size` bytes of the binary codec, or decimal text. */
export function appendSmallInteger(out: Output, value: number, codec: Codec, size: number): void {
  out.reserve(12)
  if (codec === 'binary') {
    for (let shift = (size - 1) * 8; shift >= 0; shift -= 8)
      out.bytes[out.length++] = value >>> shift
  } else {
    if (value < 0) out.bytes[out.length++] = MINUS
    appendInteger(out, Math.abs(value))
  }
}

/** A whole number of 64 bits. */
export function readWideInteger(
  bytes: Uint8Array,
  start: number,
  end: number,
  codec: Codec,
): bigint {
  if (codec === 'binary') {
    return new DataView(bytes.buffer, bytes.byteOffset + start, end - start).getBigInt64(0)
  }
  return BigInt(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1'))
}

/** Appends a whole number of 64 bits. */
export function appendWideInteger(out: Output, value: bigint, codec: Codec): void {
  out.reserve(20)
  if (codec === 'binary') {
    out.bytes.writeBigInt64BE(value, out.length)
    out.length += 8
  } else {
    out.length += out.bytes.write(value.toString(), out.length, 'latin1')
  }
}

function openSmall(key: Uint8Array, { ranges }: KeyParams, codec: Codec, size: number): Mask {
  const opened = ranges!.map(([least, most]) => {
    const [low, high] = [Number(least), Number(most)]
    return { low, high, permutation: new SmallPermutation(key, high - low + 1) }
  })
  return (bytes, start, end, out) => {
    let value = readSmallInteger(bytes, start, end, codec)
    for (const { low, high, permutation } of opened) {
      if (value < low || value > high) continue
      value = low + permutation.of(value - low)
      break
    }
    appendSmallInteger(out, value, codec, size)
    return true
  }
}

function openWide(key: Uint8Array, { ranges }: KeyParams, codec: Codec): Mask {
  const opened = ranges!.map(([least, most]) => {
    const [low, high] = [BigInt(least), BigInt(most)]
    return { low, high, permutation: new WidePermutation(key, high - low + 1n) }
  })
  return (bytes, start, end, out) => {
    let value = readWideInteger(bytes, start, end, codec)
    for (const { low, high, permutation } of opened) {
      if (value < low || value > high) continue
      value = low + permutation.of(value - low)
      break
    }
    appendWideInteger(out, value, codec)
    return true
  }
}

/**
 * AES is a permutation of 128-bit blocks; walked until version and variant are those of the original, it is one
 * of the uuids of that version.
 */
function openUuid(key: Uint8Array, codec: Codec): Mask {
  const aes = new Aes(key)
  const uuid = Buffer.alloc(16)
  const view = new DataView(uuid.buffer)
  return (bytes, start, end, out) => {
    readUuid(bytes, start, end, codec, uuid)
    // Version and variant are the high bits of bytes 6 and 8: of the second half of word 1, and of word 2.
    const version = uuid[6]! & 0xf0
    const variant = uuid[8]! & 0xc0
    aes.encrypt(view.getInt32(0), view.getInt32(4), view.getInt32(8), view.getInt32(12))
    while (((aes.w1 >>> 8) & 0xf0) !== version || ((aes.w2 >>> 24) & 0xc0) !== variant) {
      aes.encrypt(aes.w0, aes.w1, aes.w2, aes.w3)
    }
    view.setInt32(0, aes.w0)
    view.setInt32(4, aes.w1)
    view.setInt32(8, aes.w2)
    view.setInt32(12, aes.w3)
    appendUuid(out, uuid, codec)
    return true
  }
}

/** Digits are permuted and stay in their places; a text without digits has its ASCII letters permuted. */
function openText(key: Uint8Array): Mask {
  const digits = new NumeralPermutation(key, 10)
  const letters = new NumeralPermutation(key, LETTERS)
  let numerals: Uint8Array = Buffer.alloc(64)
  return (bytes, start, end, out) => {
    const length = end - start
    if (numerals.length < length) numerals = Buffer.alloc(length * 2)
    let count = 0
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte >= ZERO && byte <= NINE) numerals[count++] = byte - ZERO
    }
    const numeric = count > 0
    if (numeric) digits.apply(numerals, 0, count)
    else {
      for (let i = start; i < end; i++)
        if (isLetter(bytes[i]!)) numerals[count++] = letterIndex(bytes[i]!)
      letters.apply(numerals, 0, count)
    }
    out.reserve(length)
    for (let i = start, at = 0; i < end; i++) {
      let byte = bytes[i]!
      if (numeric && byte >= ZERO && byte <= NINE) byte = ZERO + numerals[at++]!
      else if (!numeric && isLetter(byte)) byte = byte - letterIndex(byte) + numerals[at++]!
      out.bytes[out.length++] = byte
    }
    return true
  }
}

function isLetter(byte: number): boolean {
  const small = byte | 0x20
  return byte < 0x80 && small >= SMALL_A && small < SMALL_A + LETTERS
}

function letterIndex(byte: number): number {
  return byte - (byte >= SMALL_A ? SMALL_A : CAPITAL_A)
}

/** A permutation of identifiers: distinct stays distinct, and every mask is of the original's form. */
export const openKey: MaskOpener = (prepared, type, codec): Mask => {
  const params = prepared.params as KeyParams
  const key = prepared.key.subarray(0, 16)
  if (type === 'uuid') return openUuid(key, codec)
  if (type === 'int8') return openWide(key, params, codec)
  const size = INTEGER_BYTES[type]
  return size === undefined ? openText(key) : openSmall(key, params, codec, size)
}
