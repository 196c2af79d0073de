import type { Mask, MaskOpener, Output } from '../mask.ts'
import { Original, PhoneIdentity, type PhoneNumbering } from './identity.ts'
import { NumeralPermutation } from './permutation.ts'

/** A prefix that no telephone is behind, and how many digits follow it. */
interface DeadRange {
  prefix: string
  digits: number
}

/** `params` of a prepared mask of kind `phone`. */
export interface PhoneParams {
  numbering: PhoneNumbering
  /** For numbers of the numbering's own country; undefined: they are treated like any other. */
  own?: DeadRange
  /** For all other numbers of up to 15 digits, the most that ITU-T E.164 allows. */
  foreign: DeadRange
  /** For what is no telephone number. */
  other: DeadRange
}

const ZERO = 0x30

function append(out: Output, prefix: Uint8Array, numerals: Uint8Array, count: number): void {
  out.append(prefix, 0, prefix.length)
  out.reserve(count)
  for (let i = 0; i < count; i++) out.bytes[out.length++] = ZERO + numerals[i]!
}

/**
 * Telephone numbers that stay distinct: the digits are permuted behind a prefix that is assigned to nobody,
 * and leave it longer than any number that can be dialled.
 */
export const openPhone: MaskOpener = (prepared): Mask => {
  const { numbering, own, foreign, other } = prepared.params as unknown as PhoneParams
  const original = new Original(prepared.key, numbering)
  const identity = original.identity as PhoneIdentity
  const permutation = new NumeralPermutation(prepared.key.subarray(16, 32), 10)
  const prefixes = [own ?? foreign, foreign, other].map(({ prefix }) =>
    Buffer.from(prefix, 'latin1'),
  )
  const country = Buffer.from(numbering.country, 'latin1')
  const numerals = Buffer.alloc(32)

  const permute = (digits: Uint8Array, start: number, end: number, count: number): void => {
    numerals.fill(0, 0, count)
    for (let i = end - 1, at = count - 1; i >= start; i--, at--) numerals[at] = digits[i]! - ZERO
    permutation.apply(numerals, 0, count)
  }
  /** Numbers padded with zeros stay distinct only where none begins with one. */
  const fits = (start: number, end: number, count: number): boolean =>
    end - start <= count && end > start && identity.bytes[start] !== ZERO

  return (bytes, start, end, out) => {
    identity.read(bytes, start, end)
    const national = identity.start + country.length
    const isOwn =
      own !== undefined &&
      identity.isNumber &&
      country.every((digit, i) => identity.bytes[identity.start + i] === digit)
    if (isOwn && fits(national, identity.end, own.digits)) {
      permute(identity.bytes, national, identity.end, own.digits)
      append(out, prefixes[0]!, numerals, own.digits)
    } else if (identity.isNumber && fits(identity.start, identity.end, foreign.digits)) {
      permute(identity.bytes, identity.start, identity.end, foreign.digits)
      append(out, prefixes[1]!, numerals, foreign.digits)
    } else {
      original.draw()
      for (let i = 0; i < other.digits; i++) numerals[i] = original.stream.below(10)
      append(out, prefixes[2]!, numerals, other.digits)
    }
    return true
  }
}
