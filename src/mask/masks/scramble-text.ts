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

/** What a character of a class is drawn from: in the low byte the first, in the next one how many there are. */
const RANGES = Uint16Array.of(0, 0x61 | (26 << 8), 0x41 | (26 << 8), 0x30 | (10 << 8))

/** A character of the range in the low bytes of `range`, chosen by the low byte of `random`. */
function draw(range: number, random: number): number {
  return (range & 0xff) + (((random & 0xff) * ((range >>> 8) & 0xff)) >>> 8)
}

/** An ASCII letter or digit of class `kind`, chosen by the low byte of `random`. */
export function pick(kind: number, random: number): number {
  return draw(RANGES[kind]!, random)
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}

/** Length in bytes of the well-formed UTF-8 sequence at `at`; 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]!
  if (lead < 0x80) return 1
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0 || at + length > end) return 0
  const second = bytes[at + 1]!
  const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < least || second > most) return 0
  for (let i = 2; i < length; i++) if (!isContinuation(bytes[at + i]!)) return 0
  return length
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at]!
  let codePoint = bytes[at]! & (0xff >> (length + 1))
  for (let i = 1; i < length; i++) codePoint = (codePoint << 6) | (bytes[at + i]! & 0x3f)
  return codePoint
}

/** Of a step: the byte ends a character that is written; the character is drawn; it takes more than a step. */
const WRITTEN = 1 << 16
const DRAWN = 1 << 17
const SLOW = 1 << 18

/** The lead bytes of characters of two bytes, by their last five bits, times 256; 0 for all other bytes. */
const LEAD = Uint16Array.from({ length: 256 }, (_, byte) =>
  byte >= 0xc2 && byte <= 0xdf ? (byte & 0x1f) << 8 : 0,
)

/**
 * What a byte does, by the lead byte before it: in the low bytes of a step the range that is drawn from, and what is said
 * above. For ASCII, and letters and digits of two bytes.
 */
const STEPS = new Uint32Array(32 * 256).fill(SLOW)

for (let codePoint = 0; codePoint < 0x800; codePoint++) {
  const kind = classOf(codePoint)
  const drawn = RANGES[kind]! | DRAWN | WRITTEN
  if (codePoint < 0x80) STEPS[codePoint] = kind === KEPT ? codePoint | WRITTEN : drawn
  else if (kind !== KEPT) STEPS[((codePoint >> 6) << 8) | 0x80 | (codePoint & 0x3f)] = drawn
}
for (let byte = 0xc2; byte <= 0xdf; byte++) STEPS[byte] = 0

/**
 * Appends `bytes[start, end)` with every letter and digit replaced; never more bytes than that.
 *
 * Which characters are letters, and which are longer than a byte, cannot be predicted, and a processor that guesses
 * wrong loses the time of several characters: so four bytes at a time are looked up, drawn and written without asking.
 *
 * @returns whether a character was replaced
 */
export function scrambleText(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Output,
  stream: Stream,
  unicode: boolean,
): boolean {
  out.reserve(end - start)
  const target = out.bytes
  let at = out.length
  let all = 0
  let lead = 0
  // Four draws to a word of the stream. Those to come are the low bits, so many of them.
  let word = 0
  let bits = 0
  for (let i = start; i < end || lead !== 0;) {
    for (; i < end - 3; i += 4) {
      const byte0 = bytes[i]!
      const byte1 = bytes[i + 1]!
      const byte2 = bytes[i + 2]!
      const byte3 = bytes[i + 3]!
      const step0 = STEPS[lead | byte0]!
      const step1 = STEPS[LEAD[byte0]! | byte1]!
      const step2 = STEPS[LEAD[byte1]! | byte2]!
      const step3 = STEPS[LEAD[byte2]! | byte3]!
      const group = step0 | step1 | step2 | step3
      if (group & SLOW) break
      const drawn1 = (step0 >>> 14) & 8
      const drawn2 = drawn1 + ((step1 >>> 14) & 8)
      const drawn3 = drawn2 + ((step2 >>> 14) & 8)
      const drawn4 = drawn3 + ((step3 >>> 14) & 8)
      let random = word
      if (bits < drawn4) {
        const next = stream.next()
        random |= next << bits
        // Not by 32 at once, which JavaScript takes for none.
        word = (next >>> 8) >>> (drawn4 - bits - 8)
        bits += 32 - drawn4
      } else {
        word >>>= drawn4
        bits -= drawn4
      }
      target[at] = draw(step0, random)
      at += (step0 >>> 16) & 1
      target[at] = draw(step1, random >>> drawn1)
      at += (step1 >>> 16) & 1
      target[at] = draw(step2, random >>> drawn2)
      at += (step2 >>> 16) & 1
      target[at] = draw(step3, random >>> drawn3)
      at += (step3 >>> 16) & 1
      lead = LEAD[byte3]!
      all |= group
    }
    // A character by itself: among the last three bytes, or of another kind.
    if (lead !== 0) i--
    else if (i === end) break
    lead = 0
    const length = sequenceLength(bytes, i, end)
    const kind = length === 0 ? KEPT : classOf(codePointAt(bytes, i, length))
    if (kind !== KEPT) {
      if (bits === 0) {
        word = stream.next()
        bits = 32
      }
      target[at++] = pick(kind, word)
      word >>>= 8
      bits -= 8
      all |= DRAWN
    } else if (length === 1 || (length > 0 && unicode)) {
      for (let j = 0; j < length; j++) target[at++] = bytes[i + j]!
    } else {
      target[at++] = QUESTION_MARK
    }
    i += length || 1
  }
  out.length = at
  return (all & DRAWN) !== 0
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
    if (!scrambleText(bytes, start, end, out, original.stream, unicode)) return
    if (!sameBytes(bytes, start, end, out.bytes, from, out.length)) return
  }
}
