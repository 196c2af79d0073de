import { Failure } from '../../errors.ts'
import { keepDictionary } from '../dictionary.ts'
import { bring, compose, heap, keep, replace, WINDOW } from '../kernel.ts'
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

/** Bits that one character of a suffix carries. */
export const SUFFIX_BITS = 5

/** Most characters of a suffix that one tag can fill. */
export const LONGEST_SUFFIX = 25

/** How often a value that equals its original is drawn anew. */
const DRAWS = 16

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

/** Parts as the kernel takes them, four words each. */
type Words = [kind: number, ...operands: number[]]

const END: Words = [5]

function partWords(part: Part, dictionaries: Readonly<Record<string, Dictionary>>): Words {
  if ('pick' in part) {
    const { offsets } = dictionaries[part.pick]!
    return [0, offsets.byteOffset, offsets.length - 1]
  }
  if ('literal' in part) {
    const text = Buffer.from(part.literal, 'utf8')
    const { offsets } = keepDictionary({ bytes: text, offsets: Uint32Array.of(0, text.length) })
    return [1, offsets[0]!, offsets[1]!]
  }
  if ('integer' in part) return [2, part.integer[0], part.integer[1] - part.integer[0] + 1]
  return 'digits' in part ? [3, part.digits] : [4, part.suffix]
}

/** Most bytes that a part makes. */
function mostBytes(part: Part, dictionaries: Readonly<Record<string, Dictionary>>): number {
  if ('literal' in part) return Buffer.byteLength(part.literal)
  if ('integer' in part) return `${part.integer[1]}`.length
  if ('digits' in part) return part.digits
  if ('suffix' in part) return part.suffix
  const { offsets } = dictionaries[part.pick]!
  return offsets.reduce((most, offset, i) => Math.max(most, offset - (offsets[i - 1] ?? offset)), 0)
}

/** The address of what makes a value of `parts`. */
function program(
  parts: readonly Part[],
  dictionaries: Readonly<Record<string, Dictionary>>,
): number {
  const lines = [...parts.map((part) => partWords(part, dictionaries)), END]
  const made = new Int32Array(lines.length * 4)
  lines.forEach((line, i) => made.set(line, i * 4))
  return keep(new Uint8Array(made.buffer))
}

/**
 * Values put together from dictionaries, numbers and literals, chosen by the keyed tag of the original.
 * A value that would equal its original is drawn again.
 */
export const openCompose: MaskOpener = (prepared): Mask => {
  const { identity, parts } = prepared.params as unknown as ComposeParams
  const { dictionaries } = prepared
  const original = new Original(prepared.key, identity)
  const most = parts.reduce((sum, part) => sum + mostBytes(part, dictionaries), 0)
  if (most > WINDOW) throw new Failure('refused', 'a replacement value takes more than 64 kB')
  const made = program(parts, dictionaries)
  const { hash, numbering, stream } = original
  const draw = (bytes: Uint8Array, start: number, end: number, to: number) => {
    original.read(bytes, start, end)
    stream.lend()
    let written = to
    for (let i = 0; i < DRAWS; i++) {
      written = compose(made, to)
      if (!original.isSame(heap, to, written)) break
    }
    return written
  }
  if (numbering === undefined) {
    return (bytes, start, end, out) => {
      out.wrote(draw(bytes, start, end, out.room(most)))
      return true
    }
  }
  return (bytes, start, end, out) => {
    const to = out.room(most)
    const length = end - start
    const from = length <= WINDOW ? bring(bytes, start, end) : -1
    const written = from < 0 ? 0 : replace(from, from + length, hash.key, numbering, made, to)
    out.wrote(written || draw(bytes, start, end, to))
    return true
  }
}
