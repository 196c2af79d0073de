import { Failure } from '../errors.ts'
import { heap, keep } from './kernel.ts'
import type { Dictionary, Output } from './mask.ts'

// Letters without a canonical decomposition that still have a plain look-alike.
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  Æ: 'Ae',
  œ: 'oe',
  Œ: 'Oe',
  ø: 'o',
  Ø: 'O',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'Th',
  ł: 'l',
  Ł: 'L',
  ı: 'i',
  '’': "'",
  '–': '-',
}

/** Number of characters as PostgreSQL counts them: code points. */
export function countChars(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

/** `text` with accents dropped from its letters: `Kővári` → `Kovari`. Other scripts stay as they are. */
export function dropAccents(text: string): string {
  let plain = ''
  for (const char of text.normalize('NFD')) {
    if (!/\p{Mark}/u.test(char)) plain += LOOK_ALIKES[char] ?? char
  }
  return plain
}

/**
 * `text` in characters that the target has: as it is, else without accents, else undefined. Control
 * characters other than tab and line feed are never passed.
 */
export function toEncodable(
  text: string,
  encodable: (codePoint: number) => boolean,
): string | undefined {
  const passes = (char: string) =>
    (char >= ' ' || char === '\n' || char === '\t') && encodable(char.codePointAt(0)!)
  const composed = text.normalize('NFC')
  const chars = Array.from(composed)
  if (chars.every(passes)) return composed
  const spelled = chars.map((char) => (passes(char) ? char : dropAccents(char))).join('')
  return Array.from(spelled).every(passes) ? spelled : undefined
}

const built = new Map<string, Dictionary>()

/**
 * A flat dictionary of `entries` in the order given. Equal lists give the same object, so that they
 * travel to a worker once.
 *
 * @throws Failure `refused` where there is no entry
 */
export function buildDictionary(entries: readonly string[]): Dictionary {
  if (entries.length === 0) throw new Failure('refused', 'no replacement value fits')
  const identity = entries.join('\0')
  const known = built.get(identity)
  if (known) return known
  const encoded = entries.map((entry) => Buffer.from(entry, 'utf8'))
  const offsets = new Uint32Array(entries.length + 1)
  encoded.forEach((entry, i) => (offsets[i + 1] = offsets[i]! + entry.length))
  const dictionary = { bytes: new Uint8Array(Buffer.concat(encoded)), offsets }
  built.set(identity, dictionary)
  return dictionary
}

/**
 * `dictionary` in the kernel's memory, its offsets too.
 *
 * @throws Failure `refused` where the memory is full
 */
export function keepDictionary(dictionary: Dictionary): Dictionary {
  const { bytes, offsets } = dictionary
  if (bytes === heap) return dictionary
  const at = keep(bytes)
  const moved = offsets.map((offset) => at + offset)
  const offsetsAt = keep(new Uint8Array(moved.buffer))
  return { bytes: heap, offsets: new Uint32Array(heap.buffer, offsetsAt, offsets.length) }
}

/** Appends entry `index` of `dictionary` to `out`. */
export function appendEntry(out: Output, dictionary: Dictionary, index: number): void {
  const { bytes, offsets } = dictionary
  out.append(bytes, offsets[index]!, offsets[index + 1]!)
}
