import type { Codec, Output } from '../mask.ts'

/** A decimal number: `unscaled` times 10 to the power of `-scale`. */
export interface Numeric {
  unscaled: bigint
  scale: number
}

/** PostgreSQL's binary form: these words, then digits in base 10000. */
const HEADER = 8
const POSITIVE = 0x0000
const NEGATIVE = 0x4000
const GROUP = 4

function readBinary(bytes: Uint8Array, start: number, end: number): Numeric | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start)
  const groups = view.getInt16(0)
  const weight = view.getInt16(2)
  const sign = view.getUint16(4)
  const scale = view.getUint16(6)
  if (sign !== POSITIVE && sign !== NEGATIVE) return undefined
  let digits = '0'
  for (let i = 0; i < groups; i++) {
    digits += String(view.getUint16(HEADER + i * 2)).padStart(GROUP, '0')
  }
  // The digits end this many places behind the last decimal; what lies beyond the scale is zeros.
  const beyond = (groups - 1 - weight) * GROUP - scale
  const kept = beyond > 0 ? digits.slice(0, -beyond) || '0' : digits + '0'.repeat(-beyond)
  return { unscaled: BigInt(sign === NEGATIVE ? `-${kept}` : kept), scale }
}

function readText(bytes: Uint8Array, start: number, end: number): Numeric | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1')
  if (!/^-?\d+(\.\d+)?$/.test(text)) return undefined
  const point = text.indexOf('.')
  if (point < 0) return { unscaled: BigInt(text), scale: 0 }
  return { unscaled: BigInt(text.replace('.', '')), scale: text.length - point - 1 }
}

/** The number in a field of either codec; undefined for NaN and the infinities. */
export function readNumeric(
  bytes: Uint8Array,
  start: number,
  end: number,
  codec: Codec,
): Numeric | undefined {
  return codec === 'binary' ? readBinary(bytes, start, end) : readText(bytes, start, end)
}

function appendText(out: Output, { unscaled, scale }: Numeric): void {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const text = `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
  out.reserve(text.length)
  out.length += out.bytes.write(text, out.length, 'latin1')
}

function appendBinary(out: Output, { unscaled, scale }: Numeric): void {
  const fractionGroups = Math.ceil(scale / GROUP)
  let digits = (unscaled < 0n ? -unscaled : unscaled).toString()
  digits += '0'.repeat(fractionGroups * GROUP - scale)
  digits = digits.padStart(Math.ceil(digits.length / GROUP) * GROUP, '0')
  let first = 0
  let last = digits.length
  while (first < last && digits.startsWith('0000', first)) first += GROUP
  while (last > first && digits.startsWith('0000', last - GROUP)) last -= GROUP
  const groups = (last - first) / GROUP
  const weight = groups === 0 ? 0 : (digits.length - first) / GROUP - fractionGroups - 1
  out.reserve(HEADER + groups * 2)
  const words = [groups, weight & 0xffff, unscaled < 0n ? NEGATIVE : POSITIVE, scale]
  for (const word of words) out.length = out.bytes.writeUInt16BE(word, out.length)
  for (let at = first; at < last; at += GROUP) {
    out.length = out.bytes.writeUInt16BE(Number(digits.slice(at, at + GROUP)), out.length)
  }
}

/** Appends a number in either codec. */
export function appendNumeric(out: Output, value: Numeric, codec: Codec): void {
  if (codec === 'binary') appendBinary(out, value)
  else appendText(out, value)
}

/** Powers of ten that doubles hold. */
const TENS = Float64Array.from({ length: 16 }, (_, i) => 10 ** i)
const BASE = 10_000
/** With the zeros that fill its last group, a magnitude below this stays exact in a double. */
const SMALL = 1e12
const MOST_GROUPS = 4

/** A number in the binary form whose digits a double holds: most amounts of money. Allocates nothing. */
export class SmallNumeric {
  /** What {@link read} read: the number without its sign, times 10 to the power of `scale`. */
  magnitude = 0
  negative = false
  scale = 0
  readonly #groups = new Int32Array(MOST_GROUPS)

  /** Returns false where the number is larger, or none: {@link readNumeric} then says which. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    const word = (at: number) => (bytes[start + at]! << 8) | bytes[start + at + 1]!
    const groups = word(0)
    const sign = word(4)
    this.negative = sign === NEGATIVE
    this.scale = word(6)
    if (groups > MOST_GROUPS || (sign !== POSITIVE && sign !== NEGATIVE)) return false
    if (end - start !== HEADER + groups * 2) return false
    let value = 0
    for (let i = 0; i < groups; i++) value = value * BASE + word(HEADER + i * 2)
    const weight = (word(2) << 16) >> 16
    const beyond = (groups - 1 - weight) * GROUP - this.scale
    if (beyond >= GROUP || beyond <= -TENS.length || value > Number.MAX_SAFE_INTEGER) return false
    this.magnitude = beyond > 0 ? Math.floor(value / TENS[beyond]!) : value * TENS[-beyond]!
    return this.magnitude < SMALL
  }

  /** Appends the number with another magnitude, of no more digits. */
  append(out: Output, magnitude: number): void {
    const fractionGroups = Math.ceil(this.scale / GROUP)
    let rest = magnitude * TENS[fractionGroups * GROUP - this.scale]!
    // Least group first; zeros at that end are not written.
    let count = 0
    let zeros = 0
    while (rest > 0) {
      const upper = Math.floor(rest / BASE)
      const group = rest - upper * BASE
      if (group === 0 && zeros === count) zeros++
      this.#groups[count++] = group
      rest = upper
    }
    const written = count - zeros
    const weight = count === 0 ? 0 : count - fractionGroups - 1
    out.reserve(HEADER + written * 2)
    appendWord(out, written)
    appendWord(out, weight)
    appendWord(out, this.negative && magnitude > 0 ? NEGATIVE : POSITIVE)
    appendWord(out, this.scale)
    for (let i = count - 1; i >= zeros; i--) appendWord(out, this.#groups[i]!)
  }
}

function appendWord(out: Output, word: number): void {
  out.bytes[out.length++] = word >>> 8
  out.bytes[out.length++] = word
}
