import { isUtf8 } from 'node:buffer'
import {
  AFTER_BYTE,
  bring,
  canonical,
  heap,
  LONGEST_CANONICAL,
  OWN_FORMS,
  TEXT_STEPS,
} from '../kernel.ts'
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
const AFTER = new Uint16Array(heap.buffer, AFTER_BYTE, 256)

for (let byte = 0; byte < 256; byte++) {
  if (byte >= FIRST_LEAD && byte <= LAST_LEAD) AFTER[byte] = SPACE + ((byte - FIRST_LEAD + 1) << 8)
  else AFTER[byte] = FOLDED[byte] === 0x20 ? SPACE : WHOLE
}

/** Of a step: it takes Unicode's own rules, or more bytes. */
const SLOW = 1 << 20

/**
 * What a byte does, by what it comes after: in the bits of a step two bytes of canonical form, from bit 16 on how many
 * of them count, and {@link SLOW}. For ASCII and the letters of U+00C0 to U+017F, whose UTF-8 begins with C3, C4 or C5.
 */
const STEPS = new Uint32Array(heap.buffer, TEXT_STEPS, 5 * 256).fill(SLOW)

for (const after of [WHOLE, SPACE]) {
  for (let byte = 0; byte < 0x80; byte++) {
    const folded = FOLDED[byte]!
    // A run of spaces counts as one.
    const count = folded === 0x20 && after === SPACE ? 0 : 1
    STEPS[after | byte] = folded | (count << 16)
  }
  for (let lead = FIRST_LEAD; lead <= LAST_LEAD; lead++) STEPS[after | lead] = 0
}
/** Letters that are their own form, which take no step. */
const OWN = new BigUint64Array(heap.buffer, OWN_FORMS, LAST_LEAD - FIRST_LEAD + 1)

for (let codePoint = 0xc0; codePoint <= 0x17f; codePoint++) {
  const char = String.fromCodePoint(codePoint)
  const lower = Buffer.from(char.toLowerCase(), 'utf8')
  const [first = 0, second = 0] = lower
  if (lower.length !== 2 || first < FIRST_LEAD || first > LAST_LEAD) continue
  if (lower.toString() === char) OWN[first - FIRST_LEAD]! |= 1n << BigInt(second & 0x3f)
  STEPS[AFTER[0xc0 | (codePoint >> 6)]! | 0x80 | (codePoint & 0x3f)] =
    first | (second << 8) | (2 << 16)
}

/**
 * Equal but for case, Unicode form (NFC) and white space: none at the ends, runs count as one space. ASCII and
 * the Latin letters up to U+017F take a path that allocates nothing. Bytes that are no valid UTF-8
 * are taken as they are.
 */
export class TextIdentity implements Identity {
  bytes: Uint8Array = heap
  start = 0
  end = 0
  readonly #at: number

  /** @param at where canonical forms go; each is valid until the next one goes there */
  constructor(at: number) {
    this.#at = at
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    const from = length <= LONGEST_CANONICAL ? bring(bytes, start, end) : -1
    const to = from < 0 ? 0 : canonical(from, from + length, this.#at)
    if (to === 0) {
      this.#readSlowly(bytes, start, end)
      return
    }
    this.bytes = heap
    this.start = this.#at
    this.end = to
  }

  #readSlowly(bytes: Uint8Array, start: number, end: number): void {
    while (end > start && isSpace(bytes[end - 1]!)) end--
    while (start < end && isSpace(bytes[start]!)) start++
    const view = bytes.subarray(start, end)
    let canonicalBytes = Buffer.from(view)
    if (isUtf8(view)) {
      const text = decoder.decode(view).normalize('NFC').toLowerCase().normalize('NFC')
      canonicalBytes = Buffer.from(text.replace(/\s+/gu, ' ').trim(), 'utf8')
    }
    this.bytes = canonicalBytes
    this.start = 0
    this.end = canonicalBytes.length
  }
}
