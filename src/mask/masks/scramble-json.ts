import type { Mask, Output } from '../mask.ts'
import type { Stream } from '../keyed.ts'
import { bring, json, STOPPED, words } from '../kernel.ts'
import type { Original } from './identity.ts'
import { CAPITAL, classOf, DIGIT, pick, SMALL } from '../characters.ts'
import { CHANGED, DRAWN, readEnds, scrambleText } from './scramble-text.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const SMALL_U = 0x75
const JSONB_VERSION_BYTES = 1
const DRAWS = 16

/** Bytes of a document that the kernel is given at once; some of them again behind each value that it leaves. */
const PIECE = 4096

/** Past the closing quote of the string whose opening quote is at `at`. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at + 1; i < end; i++) {
    if (bytes[i] === BACKSLASH) i++
    else if (bytes[i] === QUOTE) return i + 1
  }
  return end
}

/** Whether the string that ended at `at` is a key: a colon follows. */
function isKey(bytes: Uint8Array, at: number, end: number): boolean {
  while (at < end && bytes[at]! <= 0x20) at++
  return at < end && bytes[at] === COLON
}

function isNumberByte(byte: number): boolean {
  // 0-9 + - . e E
  return (
    (byte >= ZERO && byte <= NINE) ||
    byte === MINUS ||
    byte === 0x2b ||
    byte === 0x2e ||
    (byte | 0x20) === 0x65
  )
}

/** Code unit of the escape `\uXXXX` at `at`; -1 where it is none. */
function escapedUnit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 6 > end || bytes[at + 1] !== SMALL_U) return -1
  let unit = 0
  for (let i = at + 2; i < at + 6; i++) {
    const byte = bytes[i]!
    const digit = byte <= NINE ? byte - ZERO : (byte | 0x20) - 0x57
    if (digit < 0 || digit > 15) return -1
    unit = (unit << 4) | digit
  }
  return unit
}

/** Appends the inside of a string: `\uXXXX` becomes a letter, other escapes stay. */
function scrambleString(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  stream: Stream,
  unicode: boolean,
): number {
  let did = 0
  let plain = start
  for (let i = start; i < end; i++) {
    if (bytes[i] !== BACKSLASH) continue
    did |= scrambleText(bytes, plain, i, out, stream, unicode)
    const unit = escapedUnit(bytes, i, end)
    out.reserve(2)
    if (unit < 0) {
      out.bytes[out.length++] = BACKSLASH
      if (i + 1 < end) out.bytes[out.length++] = bytes[i + 1]!
      i += 1
    } else {
      out.bytes[out.length++] = pick(classOf(unit) === CAPITAL ? CAPITAL : SMALL, stream.next())
      did |= DRAWN | CHANGED
      i += 5
    }
    plain = i + 1
  }
  return did | scrambleText(bytes, plain, Math.max(plain, end), out, stream, unicode)
}

/** Appends a number: its digits change, but for the exponent, and no leading zero appears. */
function scrambleNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  stream: Stream,
): number {
  let did = DRAWN
  out.reserve(end - start)
  const first = bytes[start] === MINUS ? start + 1 : start
  const long = first + 1 < end && bytes[first + 1]! >= ZERO && bytes[first + 1]! <= NINE
  let exponent = false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if ((byte | 0x20) === 0x65) exponent = true
    let digit = byte
    if (!exponent && byte >= ZERO && byte <= NINE) {
      do digit = pick(DIGIT, stream.next())
      while (digit === ZERO && i === first && long)
      if (digit !== byte) did |= CHANGED
    }
    out.bytes[out.length++] = digit
  }
  return did
}

/**
 * Scrambles the strings and numbers of a JSON text; keys, structure, white space, booleans and null
 * stay. Each value is seeded by itself, so equal values are equal in all documents.
 *
 * The kernel goes through it, and stops before a value that it leaves to be done here: one with escapes, that goes on
 * behind a piece, or of letters that take Unicode's own rules.
 */
export function openScrambledJson(original: Original, unicode: boolean, versioned: boolean): Mask {
  const { stream } = original
  const scramble = (bytes: Uint8Array, start: number, end: number, out: Output, text: boolean) => {
    readEnds(original, bytes, start, end)
    const from = out.length
    for (let i = 0; i < DRAWS; i++) {
      out.length = from
      const did = text
        ? scrambleString(bytes, start, end, out, stream, unicode)
        : scrambleNumber(bytes, start, end, out, stream)
      if (did !== DRAWN) return
    }
  }
  /** Appends the string or number at `at`, and returns where it ends. */
  const one = (bytes: Uint8Array, at: number, end: number, out: Output) => {
    if (bytes[at] !== QUOTE) {
      let after = at
      while (after < end && isNumberByte(bytes[after]!)) after++
      scramble(bytes, at, after, out, false)
      return after
    }
    const after = stringEnd(bytes, at, end)
    if (after - at <= 2 || isKey(bytes, after, end)) {
      out.append(bytes, at, after)
    } else {
      out.append(bytes, at, at + 1)
      scramble(bytes, at + 1, after - 1, out, true)
      out.append(bytes, after - 1, after)
    }
    return after
  }
  return (bytes, start, end, out) => {
    const first = versioned ? start + JSONB_VERSION_BYTES : start
    out.append(bytes, start, first)
    for (let at = first; at < end;) {
      const stop = Math.min(at + PIECE, end)
      const from = bring(bytes, at, stop)
      const to = out.room(stop - at)
      const last = stop === end ? 1 : 0
      out.wrote(json(from, from + stop - at, to, unicode ? 1 : 0, last, original.hash.key))
      at += words[STOPPED]! - from
      if (at < stop) at = one(bytes, at, end, out)
    }
    return true
  }
}
