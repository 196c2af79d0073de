import type { KeyedHash } from '../keyed.ts'
import type { Codec, Mask, Output } from '../mask.ts'
import type { Original } from './identity.ts'

const HEX = Buffer.from('0123456789abcdef', 'latin1')
const BACKSLASH = 0x5c
const SMALL_X = 0x78

/** The value of a hexadecimal digit; -1 for any other byte. */
function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const small = byte | 0x20
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : -1
}

/** The bytes that `count` pairs of hexadecimal digits at `start` stand for, into the beginning of `target`. */
export function decodeHex(
  bytes: Uint8Array,
  start: number,
  count: number,
  target: Uint8Array,
): void {
  for (let i = 0; i < count; i++) {
    const at = start + i * 2
    target[i] = (hexValue(bytes[at]!) << 4) | hexValue(bytes[at + 1]!)
  }
}

/** Appends one byte as two small hexadecimal digits; room must have been made. */
export function appendHexByte(out: Output, byte: number): void {
  out.bytes[out.length++] = HEX[byte >> 4]!
  out.bytes[out.length++] = HEX[byte & 15]!
}

/** The 16 bytes of a uuid in either codec, into `target`. Returns false where it is no uuid. */
export function readUuid(
  bytes: Uint8Array,
  start: number,
  end: number,
  codec: Codec,
  target: Uint8Array,
): boolean {
  if (codec === 'binary') {
    for (let i = 0; i < 16; i++) target[i] = bytes[start + i]!
    return end - start === 16
  }
  let digits = 0
  for (let i = start; i < end; i++) {
    const value = hexValue(bytes[i]!)
    if (value < 0) continue
    if (digits < 32) {
      target[digits >> 1] = digits & 1 ? target[digits >> 1]! | value : value << 4
    }
    digits++
  }
  return digits === 32
}

/** Appends 16 bytes as a uuid of the codec. */
export function appendUuid(out: Output, uuid: Uint8Array, codec: Codec): void {
  out.reserve(36)
  for (let i = 0; i < 16; i++) {
    if (codec === 'binary') out.bytes[out.length++] = uuid[i]!
    else {
      if (i === 4 || i === 6 || i === 8 || i === 10) out.bytes[out.length++] = 0x2d
      appendHexByte(out, uuid[i]!)
    }
  }
}

/** Writes a tag's 16 bytes, little-endian word by word, to `target`. */
export function writeTag(hash: KeyedHash, target: Uint8Array): void {
  for (let i = 0; i < 16; i++) {
    const word = i < 4 ? hash.t0 : i < 8 ? hash.t1 : i < 12 ? hash.t2 : hash.t3
    target[i] = word >>> ((i & 3) << 3)
  }
}

/** 122 bits of the tag; version and variant stay, so that the result passes the same checks. */
export function openScrambledUuid(hash: KeyedHash, codec: Codec): Mask {
  const uuid = Buffer.alloc(16)
  return (bytes, start, end, out) => {
    readUuid(bytes, start, end, codec, uuid)
    const version = uuid[6]! & 0xf0
    const variant = uuid[8]! & 0xc0
    hash.hash(uuid, 0, 16)
    writeTag(hash, uuid)
    uuid[6] = version | (uuid[6]! & 0x0f)
    uuid[8] = variant | (uuid[8]! & 0x3f)
    appendUuid(out, uuid, codec)
    return true
  }
}

/** As many random bytes as the original has. */
export function openScrambledBytea(original: Original, codec: Codec): Mask {
  const { stream } = original
  let decoded: Uint8Array = Buffer.alloc(256)
  return (bytes, start, end, out) => {
    const hex = codec === 'text' && bytes[start] === BACKSLASH && bytes[start + 1] === SMALL_X
    let count = end - start
    if (hex) {
      count = (count - 2) >> 1
      if (decoded.length < count) decoded = Buffer.alloc(count * 2)
      decodeHex(bytes, start + 2, count, decoded)
      original.read(decoded, 0, count)
    } else {
      original.read(bytes, start, end)
    }
    out.reserve(2 + count * 2)
    if (codec === 'text') {
      out.bytes[out.length++] = BACKSLASH
      out.bytes[out.length++] = SMALL_X
    }
    for (let i = 0, word = 0; i < count; i++, word >>>= 8) {
      if ((i & 3) === 0) word = stream.next()
      if (codec === 'binary') out.bytes[out.length++] = word & 0xff
      else appendHexByte(out, word & 0xff)
    }
    return true
  }
}
