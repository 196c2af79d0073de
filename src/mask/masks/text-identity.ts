import { isUtf8 } from 'node:buffer'
import type { Identity } from './identity.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

/** ASCII in lower case, white space as a space; 0xff for bytes of longer characters. */
export const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return 0xff
  if (isSpace(byte)) return 0x20
  return byte > 0x40 && byte < 0x5b ? byte | 0x20 : byte
})

/** What a byte comes after: a whole character, a space, or a lead byte. Times 256. */
const WHOLE = 0
const SPACE = 0x100
const FIRST_LEAD = 0xc3
const LAST_LEAD = 0xc5

/** What the next byte comes after. */
const AFTER = Uint16Array.from({ length: 256 }, (_, byte) => {
  if (byte >= FIRST_LEAD && byte <= LAST_LEAD) return SPACE + ((byte - FIRST_LEAD + 1) << 8)
  return FOLDED[byte] === 0x20 ? SPACE : WHOLE
})

/** Of a step: it takes Unicode's own rules, or more bytes. */
const SLOW = 1 << 20

/**
 * What a byte does, by what it comes after: in the bits of a step two bytes of canonical form, from bit 16 on how many
 * of them count, and {@link SLOW}. For ASCII and the letters of U+00C0 to U+017F, whose UTF-8 begins with C3, C4 or C5.
 */
const STEPS = new Uint32Array(5 * 256).fill(SLOW)

for (const after of [WHOLE, SPACE]) {
  for (let byte = 0; byte < 0x80; byte++) {
    const folded = FOLDED[byte]!
    // A run of spaces counts as one.
    const count = folded === 0x20 && after === SPACE ? 0 : 1
    STEPS[after | byte] = folded | (count << 16)
  }
  for (let lead = FIRST_LEAD; lead <= LAST_LEAD; lead++) STEPS[after | lead] = 0
}
for (let codePoint = 0xc0; codePoint <= 0x17f; codePoint++) {
  const lower = Buffer.from(String.fromCodePoint(codePoint).toLowerCase(), 'utf8')
  const [first = 0, second = 0] = lower
  if (lower.length !== 2 || first < FIRST_LEAD || first > LAST_LEAD) continue
  STEPS[AFTER[0xc0 | (codePoint >> 6)]! | 0x80 | (codePoint & 0x3f)] =
    first | (second << 8) | (2 << 16)
}

/** Punctuation that is its own canonical form: dashes, quotation marks, dots, … (U+2010 to U+2027, U+2030 to U+203E). */
function isPlainPunctuation(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + 2 >= end || bytes[at] !== 0xe2 || bytes[at + 1] !== 0x80) return false
  const third = bytes[at + 2]!
  return (third >= 0x90 && third <= 0xa7) || (third >= 0xb0 && third <= 0xbe)
}

/**
 * Equal but for case, Unicode form (NFC) and white space: none at the ends, runs count as one space. ASCII and
 * the Latin letters up to U+017F take a path that allocates nothing. Bytes that are no valid UTF-8
 * are taken as they are.
 */
export class TextIdentity implements Identity {
  bytes: Uint8Array = Buffer.allocUnsafeSlow(256)
  start = 0
  end = 0

  read(bytes: Uint8Array, start: number, end: number): void {
    while (end > start && isSpace(bytes[end - 1]!)) end--
    while (start < end && isSpace(bytes[start]!)) start++
    // A step writes two bytes, whether they count or not.
    const target = this.#scratch(end - start + 1)
    let at = 0
    let after = WHOLE
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      const step = STEPS[after | byte]!
      if (step & SLOW) {
        if (after > SPACE || !isPlainPunctuation(bytes, i, end)) {
          this.#readSlowly(bytes, start, end)
          return
        }
        for (let j = 0; j < 3; j++) target[at++] = bytes[i + j]!
        after = WHOLE
        i += 2
        continue
      }
      target[at] = step
      target[at + 1] = step >>> 8
      at += step >>> 16
      after = AFTER[byte]!
    }
    if (after > SPACE) {
      this.#readSlowly(bytes, start, end)
      return
    }
    this.start = 0
    this.end = at
  }

  #readSlowly(bytes: Uint8Array, start: number, end: number): void {
    this.start = 0
    const view = bytes.subarray(start, end)
    if (!isUtf8(view)) {
      this.#scratch(view.length).set(view)
      this.end = view.length
      return
    }
    const text = decoder.decode(view).normalize('NFC').toLowerCase().normalize('NFC')
    const canonical = Buffer.from(text.replace(/\s+/gu, ' ').trim(), 'utf8')
    this.#scratch(canonical.length).set(canonical)
    this.end = canonical.length
  }

  #scratch(count: number): Uint8Array {
    if (this.bytes.length < count) this.bytes = Buffer.allocUnsafeSlow(count * 2)
    return this.bytes
  }
}
