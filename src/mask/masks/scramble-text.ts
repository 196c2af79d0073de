import type { Stream } from '../keyed.ts'
import type { Output } from '../mask.ts'
import type { Original } from './identity.ts'

/** Classes of characters. */
const KEPT = 0
export const SMALL = 1
export const CAPITAL = 2
export const DIGIT = 3
const UNKNOWN = 4

const QUESTION_MARK = 0x3f

/** How often a value that equals its original is drawn anew. */
const DRAWS = 16

/** Class by code point of the basic plane, filled on demand: asking Unicode takes a regular expression. */
const classes = new Uint8Array(0x10000).fill(UNKNOWN)

/** The class of a code point: small letter, capital, digit, or anything else, which is kept. */
export function classOf(codePoint: number): number {
  const known = codePoint < 0x10000 ? classes[codePoint]! : UNKNOWN
  if (known !== UNKNOWN) return known
  const char = String.fromCodePoint(codePoint)
  let kind = KEPT
  if (/[\p{Lu}\p{Lt}]/u.test(char)) kind = CAPITAL
  else if (/\p{L}/u.test(char)) kind = SMALL
  else if (/\p{Nd}/u.test(char)) kind = DIGIT
  if (codePoint < 0x10000) classes[codePoint] = kind
  return kind
}

for (let codePoint = 0; codePoint <= 0x17f; codePoint++) classOf(codePoint)

/** First character of a class, and how many there are. */
const FIRST = Uint8Array.of(0, 0x61, 0x41, 0x30)
const COUNT = Uint8Array.of(0, 26, 26, 10)

/** An ASCII letter or digit of class `kind`, chosen by the low byte of `random`. */
export function pick(kind: number, random: number): number {
  return FIRST[kind]! + (((random & 0xff) * COUNT[kind]!) >> 8)
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

/** Length in bytes of the well-formed UTF-8 sequence at `at`; 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return 0
  const second = bytes[at + 1]!
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return 0
  for (let i = 2; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0
  return length
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  let codePoint = bytes[at]! & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) codePoint = (codePoint << 6) | (bytes[at + i]! & 0x3f)
  return codePoint
}

/**
 * Appends `bytes[start, end)` with every letter and digit replaced; never more bytes than that.
 *
 * @returns how many characters were replaced
 */
export function scrambleText(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  stream: Stream,
  unicode: boolean,
): number {
  out.reserve(end - start)
  const target = out.bytes
  let at = out.length
  let replaced = 0
  let word = 0
  for (let i = start; i < end;) {
    const byte = bytes[i]!
    if (byte < 0x80) {
      const kind = classes[byte]!
      if (kind === KEPT) target[at++] = byte
      else {
        // Four draws to a word of the stream.
        word = replaced & 3 ? word >>> 8 : stream.next() | 0
        target[at++] = FIRST[kind]! + (((word & 0xff) * COUNT[kind]!) >> 8)
        replaced++
      }
      i++
      continue
    }
    const next = i + 1 < end ? bytes[i + 1]! : 0
    if (byte <= 0xc5 && byte >= 0xc3 && isContinuation(next)) {
      // U+00C0 to U+017F, whose classes are known: the letters of most of Europe.
      const kind = classes[((byte & 0x1f) << 6) | (next & 0x3f)]!
      if (kind !== KEPT) {
        word = replaced & 3 ? word >>> 8 : stream.next() | 0
        target[at++] = FIRST[kind]! + (((word & 0xff) * COUNT[kind]!) >> 8)
        replaced++
        i += 2
        continue
      }
    }
    const length = sequenceLength(bytes, i, end)
    if (length === 0) {
      target[at++] = QUESTION_MARK
      i++
      continue
    }
    const kind = classOf(codePointAt(bytes, i, length))
    if (kind !== KEPT) {
      word = replaced & 3 ? word >>> 8 : stream.next() | 0
      target[at++] = pick(kind, word)
      replaced++
    } else if (unicode) {
      for (let j = 0; j < length; j++) target[at++] = bytes[i + j]!
    } else {
      target[at++] = QUESTION_MARK
    }
    i += length
  }
  out.length = at
  return replaced
}

/** Whether two runs of bytes are equal. */
export function sameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false
  for (let i = aStart; i < aEnd; i++) if (a[i] !== b[i - aStart + bStart]) return false
  return true
}

/** Bytes from the start and from the end of a long text that seed its random characters. */
const HEAD = 48
const TAIL = 16
// A Buffer, like all that masks read: code that meets one class of objects only is much faster.
const ends = Buffer.alloc(HEAD + TAIL)

/**
 * Reads an original that is to be scrambled. Of a long text only both ends count: equal texts stay equal, and what is
 * drawn tells nothing of the letters it replaces, whatever it was seeded with.
 */
export function readEnds(original: Original, bytes: Uint8Array, start: number, end: number): void {
  while (end > start && bytes[end - 1] === 0x20) end--
  while (start < end && bytes[start] === 0x20) start++
  if (end - start <= HEAD + TAIL) {
    original.read(bytes, start, end)
    return
  }
  let headEnd = start + HEAD
  while (headEnd > start && isContinuation(bytes[headEnd]!)) headEnd--
  let tailStart = end - TAIL
  while (tailStart < end && isContinuation(bytes[tailStart]!)) tailStart++
  let at = 0
  for (let i = start; i < headEnd; i++) ends[at++] = bytes[i]!
  for (let i = tailStart; i < end; i++) ends[at++] = bytes[i]!
  original.read(ends, 0, at)
}

/** {@link scrambleText} seeded by the value itself; drawn anew while nothing changed. */
export function scrambleValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  original: Original,
  unicode: boolean,
): void {
  readEnds(original, bytes, start, end)
  const from = out.length
  for (let i = 0; i < DRAWS; i++) {
    out.length = from
    if (scrambleText(bytes, start, end, out, original.stream, unicode) === 0) return
    if (!sameBytes(bytes, start, end, out.bytes, from, out.length)) return
  }
}
