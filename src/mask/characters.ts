/** Classes of characters. */
export const KEPT = 0
export const SMALL = 1
export const CAPITAL = 2
export const DIGIT = 3
const UNKNOWN = 4

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

/** What characters of a class are drawn from: the first, and how many there are. */
const FIRSTS = Uint8Array.of(0, 0x61, 0x41, 0x30)
const COUNTS = Uint8Array.of(0, 26, 26, 10)

/** An ASCII letter or digit of class `kind`, chosen by the low byte of `random`. */
export function pick(kind: number, random: number): number {
  return FIRSTS[kind]! + (((random & 0xff) * COUNTS[kind]!) >>> 8)
}
