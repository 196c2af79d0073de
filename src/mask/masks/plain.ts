import { Failure } from '../../errors.ts'
import type { Mask, MaskOpener } from '../mask.ts'
import { Original, type IdentityKind } from './identity.ts'
import { appendHexByte, appendUuid, decodeHex, readUuid, writeTag } from './scramble-bytes.ts'

/** `params` of a prepared mask of kind `fixed`. */
export interface FixedParams {
  /** The value as text. */
  text: string
  /** Its binary form in base 64; the plan asks PostgreSQL for it where a table goes in binary. */
  binary?: string
}

/** `params` of a prepared mask of kind `hash`. */
export interface HashParams {
  identity: IdentityKind
  /** Hexadecimal digits of a text; bytes of a bytea. */
  length: number
}

/** Every value becomes NULL. */
export const openNull: MaskOpener = (): Mask => () => false

/** Every value becomes the same one. */
export const openFixed: MaskOpener = (prepared, type, codec): Mask => {
  const { text, binary } = prepared.params as unknown as FixedParams
  if (codec === 'binary' && type !== 'text' && binary === undefined) {
    throw new Failure('bug', 'a fixed value was planned for binary without its binary form')
  }
  const value =
    codec === 'binary' && binary !== undefined
      ? Buffer.from(binary, 'base64')
      : Buffer.from(text, 'utf8')
  return (_bytes, _start, _end, out) => {
    out.append(value, 0, value.length)
    return true
  }
}

const BACKSLASH = 0x5c
const SMALL_X = 0x78

/** The keyed tag itself: in hexadecimal, as a uuid of version 4, or as bytes. */
export const openHash: MaskOpener = (prepared, type, codec): Mask => {
  const { identity, length } = prepared.params as unknown as HashParams
  const original = new Original(prepared.key, identity)
  const tag = Buffer.alloc(16)
  let decoded: Uint8Array = Buffer.alloc(64)
  return (bytes, start, end, out) => {
    if (type === 'uuid') {
      readUuid(bytes, start, end, codec, tag)
      original.read(tag, 0, 16)
      writeTag(original.hash, tag)
      tag[6] = 0x40 | (tag[6]! & 0x0f)
      tag[8] = 0x80 | (tag[8]! & 0x3f)
      appendUuid(out, tag, codec)
      return true
    }
    const inHex = type === 'bytea' && codec === 'text'
    if (inHex && bytes[start] === BACKSLASH && bytes[start + 1] === SMALL_X) {
      const count = (end - start - 2) >> 1
      if (decoded.length < count) decoded = Buffer.alloc(count * 2)
      decodeHex(bytes, start + 2, count, decoded)
      original.read(decoded, 0, count)
    } else {
      original.read(bytes, start, end)
    }
    writeTag(original.hash, tag)
    out.reserve(2 + length * 2)
    if (inHex) {
      out.bytes[out.length++] = BACKSLASH
      out.bytes[out.length++] = SMALL_X
    }
    if (type === 'bytea') {
      for (let i = 0; i < length; i++) {
        if (inHex) appendHexByte(out, tag[i]!)
        else out.bytes[out.length++] = tag[i]!
      }
    } else {
      const from = out.length
      for (let i = 0; i < length; i += 2) appendHexByte(out, tag[i >> 1]!)
      out.length = from + length
    }
    return true
  }
}
