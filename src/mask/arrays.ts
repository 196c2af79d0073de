import type { Codec, Mask, Row } from './mask.ts'
import { Output } from './mask.ts'

/**
 * Lifts a mask of elements to arrays of them, whatever their dimensions. NULL elements stay NULL.
 */
export function openArrayMask(element: Mask, codec: Codec): Mask {
  return codec === 'binary' ? binaryArrayMask(element) : textArrayMask(element)
}

/** Dimensions, flags and element type. */
const HEADER = 12

/**
 * Binary form (array_send in PostgreSQL's arrayfuncs.c): int32 dimensions, flags, element type, then
 * two int32 a dimension, then per element an int32 length, -1 for NULL, and its bytes. Bytes of any other
 * form become NULL: what cannot be read cannot be masked.
 */
function binaryArrayMask(element: Mask): Mask {
  return (bytes, start, end, out, row) => {
    const view = bytes as Buffer
    const mark = out.length
    const dimensions = start + HEADER <= end ? view.readInt32BE(start) : -1
    const headerEnd = start + HEADER + dimensions * 8
    if (dimensions < 0 || headerEnd > end) return false
    out.reserve(end - start)
    out.bytes.set(bytes.subarray(start, headerEnd), mark)
    out.length += headerEnd - start
    let position = headerEnd
    while (position < end) {
      const length = position + 4 <= end ? view.readInt32BE(position) : end
      position += 4
      if (position + length > end) {
        out.length = mark
        return false
      }
      out.reserve(4)
      const lengthAt = out.length
      out.length += 4
      if (length < 0 || !element(bytes, position, position + length, out, row)) {
        out.length = lengthAt + 4
        out.bytes.writeInt32BE(-1, lengthAt)
        out.bytes.writeInt32BE(1, mark + 4)
      } else {
        out.bytes.writeInt32BE(out.length - lengthAt - 4, lengthAt)
      }
      position += Math.max(length, 0)
    }
    return true
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const COMMA = 0x2c
const EQUALS = 0x3d
const NULL_TEXT = Buffer.from('NULL')

/**
 * Text form (PostgreSQL documentation, "Array Input and Output Syntax"): `{…}` nested per dimension, maybe
 * after explicit bounds and `=`; elements quoted where need be, NULL unquoted.
 */
function textArrayMask(element: Mask): Mask {
  const plain = new Output(256)
  const masked = new Output(256)
  return (bytes, start, end, out, row) => {
    let position = start
    if (bytes[position] === 0x5b) {
      while (position < end && bytes[position] !== EQUALS) position++
      position++
      out.append(bytes, start, position)
    }
    while (position < end) {
      const byte = bytes[position] as number
      if (byte === OPEN || byte === CLOSE || byte === COMMA) {
        out.reserve(1)
        out.bytes[out.length++] = byte
        position++
        continue
      }
      const from = position
      plain.length = 0
      position = readElement(bytes, position, end, plain)
      if (byte !== QUOTE && isNull(bytes, from, position)) out.append(bytes, from, position)
      else writeElement(element, plain, masked, out, row)
    }
    return true
  }
}

/** Appends the element at `position`, unquoted, to `plain`; returns where it ends. */
function readElement(bytes: Uint8Array, position: number, end: number, plain: Output): number {
  const quoted = bytes[position] === QUOTE
  let at = quoted ? position + 1 : position
  for (; at < end; at++) {
    let byte = bytes[at] as number
    if (quoted ? byte === QUOTE : byte === COMMA || byte === CLOSE) break
    if (byte === BACKSLASH) byte = bytes[++at] as number
    plain.reserve(1)
    plain.bytes[plain.length++] = byte
  }
  return quoted ? at + 1 : at
}

function isNull(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    Buffer.from(bytes.subarray(start, end)).toString('latin1').toUpperCase() === 'NULL'
  )
}

function writeElement(element: Mask, plain: Output, masked: Output, out: Output, row: Row): void {
  masked.length = 0
  if (!element(plain.bytes, 0, plain.length, masked, row)) {
    out.append(NULL_TEXT, 0, NULL_TEXT.length)
    return
  }
  out.reserve(masked.length * 2 + 2)
  const target = out.bytes
  target[out.length++] = QUOTE
  for (let i = 0; i < masked.length; i++) {
    const byte = masked.bytes[i] as number
    if (byte === QUOTE || byte === BACKSLASH) target[out.length++] = BACKSLASH
    target[out.length++] = byte
  }
  target[out.length++] = QUOTE
}
