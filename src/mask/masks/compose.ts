import { appendEntry, keepDictionary } from '../dictionary.ts'
import type { Dictionary, Mask, MaskOpener, Output } from '../mask.ts'
import { Original, type IdentityKind } from './identity.ts'

/** One piece of a composed value, as plain data. */
export type Part =
  | { literal: string }
  /** An entry of the dictionary with this role. */
  | { pick: string }
  /** A whole number of the range, both ends included, without leading zeros. */
  | { integer: readonly [number, number] }
  /** So many decimal digits. */
  | { digits: number }
  /** So many characters of base 32, straight from the tag's bits: five bits a character, up to 25. */
  | { suffix: number }

/** `params` of a prepared mask of kind `compose`. */
export interface ComposeParams {
  identity: IdentityKind
  parts: readonly Part[]
}

/** Lower case only, so that suffixes stay distinct under any collation; without l, o, 0, 1. */
const BASE_32 = Buffer.from('abcdefghijkmnpqrstuvwxyz23456789', 'latin1')

/** Bits that one character of a suffix carries. */
export const SUFFIX_BITS = 5

/** Most characters of a suffix that one tag can fill. */
export const LONGEST_SUFFIX = 25

/** How often a value that equals its original is drawn anew. */
const DRAWS = 16

type Append = (out: Output) => void

/** Appends a whole number in [0, 2^53) in decimal. */
export function appendInteger(out: Output, value: number): void {
  let count = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++
  out.reserve(count)
  out.length += count
  for (let at = out.length - 1; count > 0; at--, count--) {
    const rest = Math.floor(value / 10)
    out.bytes[at] = 0x30 + (value - rest * 10)
    value = rest
  }
}

/** Appends `count` base-32 characters of the tag of `original`. */
function appendSuffix(out: Output, original: Original, count: number): void {
  const { t0, t1, t2, t3 } = original.hash
  out.reserve(count)
  const target = out.bytes
  const from = out.length
  out.length = from + count
  for (let i = 0; i < count; i++) {
    const bit = i * SUFFIX_BITS
    const index = bit >> 5
    const low = index === 0 ? t0 : index === 1 ? t1 : index === 2 ? t2 : t3
    const high = index === 0 ? t1 : index === 1 ? t2 : index === 2 ? t3 : 0
    const shift = bit & 31
    const bits = shift === 0 ? low : (low >>> shift) | (high << (32 - shift))
    target[from + i] = BASE_32[bits & 31]!
  }
}

function openPart(
  part: Part,
  original: Original,
  dictionaries: Readonly<Record<string, Dictionary>>,
): Append {
  const { stream } = original
  if ('literal' in part) {
    const text = Buffer.from(part.literal, 'utf8')
    const literal = keepDictionary({ bytes: text, offsets: Uint32Array.of(0, text.length) })
    return (out) => appendEntry(out, literal, 0)
  }
  if ('pick' in part) {
    const dictionary = dictionaries[part.pick]!
    const count = dictionary.offsets.length - 1
    return (out) => appendEntry(out, dictionary, stream.below(count))
  }
  if ('integer' in part) {
    const [least, most] = part.integer
    return (out) => appendInteger(out, least + stream.below(most - least + 1))
  }
  if ('digits' in part) {
    return (out) => {
      out.reserve(part.digits)
      const target = out.bytes
      const from = out.length
      for (let i = 0; i < part.digits; i++) target[from + i] = 0x30 + stream.below(10)
      out.length = from + part.digits
    }
  }
  return (out) => appendSuffix(out, original, part.suffix)
}

/**
 * Values put together from dictionaries, numbers and literals, chosen by the keyed tag of the original.
 * A value that would equal its original is drawn again.
 */
export const openCompose: MaskOpener = (prepared): Mask => {
  const { identity, parts } = prepared.params as unknown as ComposeParams
  const original = new Original(prepared.key, identity)
  const appends = parts.map((part) => openPart(part, original, prepared.dictionaries))
  return (bytes, start, end, out) => {
    original.read(bytes, start, end)
    const from = out.length
    for (let draw = 0; draw < DRAWS; draw++) {
      out.length = from
      for (let i = 0; i < appends.length; i++) appends[i]!(out)
      if (!original.isSame(out.bytes, from, out.length)) break
    }
    return true
  }
}
