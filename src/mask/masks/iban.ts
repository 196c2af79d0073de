import type { Mask, MaskOpener } from '../mask.ts'
import { Original } from './identity.ts'
import { NumeralPermutation } from './permutation.ts'
import { scrambleValue } from './scramble-text.ts'

/** `params` of a prepared mask of kind `iban`. */
export interface IbanParams {
  identity: 'code' | 'raw'
  /** See ScrambleParams. */
  unicode: boolean
}

const ZERO = 0x30
const NINE = 0x39
const CAPITAL_A = 0x41
const CAPITAL_Z = 0x5a
const HEAD = 4
const SHORTEST = 15
const LONGEST = 34

const HUNGARIAN_LENGTH = 28
const HUNGARIAN_WEIGHTS = [9, 7, 3, 1] as const
/** Where the two inner check digits of a Hungarian account number stand, and where their groups begin. */
const HUNGARIAN_CHECKS = [
  [HEAD, HEAD + 7],
  [HEAD + 8, HEAD + 23],
] as const

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

function isCapital(byte: number): boolean {
  return byte >= CAPITAL_A && byte <= CAPITAL_Z
}

/** Whether `bytes[start, end)` has the form of an IBAN, without spaces and in capitals. */
function hasForm(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  if (length < SHORTEST || length > LONGEST) return false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const at = i - start
    if (
      at < 2 ? !isCapital(byte) : at < HEAD ? !isDigit(byte) : !isDigit(byte) && !isCapital(byte)
    ) {
      return false
    }
  }
  return true
}

/** ISO 7064 mod 97-10 over the account, then the country, then `00`; writes the two check digits. */
function writeChecks(iban: Uint8Array, length: number): void {
  let rest = 0
  const add = (byte: number) => {
    rest = isDigit(byte) ? rest * 10 + byte - ZERO : rest * 100 + byte - CAPITAL_A + 10
    // A division costs more than all the rest: as few as whole numbers of 32 bits allow.
    if (rest > 10_000_000) rest %= 97
  }
  for (let i = HEAD; i < length; i++) add(iban[i]!)
  add(iban[0]!)
  add(iban[1]!)
  const check = 98 - (((rest % 97) * 100) % 97)
  iban[2] = ZERO + Math.floor(check / 10)
  iban[3] = ZERO + (check % 10)
}

/** The inner check digits of a Hungarian account number: weights 9, 7, 3, 1 over each group. */
function writeHungarianChecks(iban: Uint8Array): void {
  for (const [first, check] of HUNGARIAN_CHECKS) {
    let sum = 0
    for (let i = first; i < check; i++)
      sum += (iban[i]! - ZERO) * HUNGARIAN_WEIGHTS[(i - first) & 3]!
    iban[check] = ZERO + ((10 - (sum % 10)) % 10)
  }
}

/**
 * IBANs of the same country and length with valid check digits, distinct for distinct accounts: digits and
 * letters of the account are permuted. What has not the form of an IBAN is scrambled.
 */
export const openIban: MaskOpener = (prepared): Mask => {
  const { identity, unicode } = prepared.params as unknown as IbanParams
  const original = new Original(prepared.key, identity)
  const secret = prepared.key.subarray(16, 32)
  const digits = new NumeralPermutation(secret, 10)
  const letters = new NumeralPermutation(secret, 26)
  const iban = Buffer.alloc(LONGEST)
  const numerals = Buffer.alloc(LONGEST)

  /** Permutes the bytes of the account between `least` and `most`, inner check digits left out. */
  const permute = (
    length: number,
    hungarian: boolean,
    least: number,
    most: number,
    permutation: NumeralPermutation,
  ): void => {
    const free = (i: number) =>
      iban[i]! >= least &&
      iban[i]! <= most &&
      !(hungarian && (i === HUNGARIAN_CHECKS[0][1] || i === HUNGARIAN_CHECKS[1][1]))
    let count = 0
    for (let i = HEAD; i < length; i++) if (free(i)) numerals[count++] = iban[i]! - least
    permutation.apply(numerals, 0, count)
    for (let i = HEAD, at = 0; i < length; i++) if (free(i)) iban[i] = least + numerals[at++]!
  }

  return (bytes, start, end, out) => {
    const from = original.identity
    from.read(bytes, start, end)
    if (!hasForm(from.bytes, from.start, from.end)) {
      scrambleValue(bytes, start, end, out, original, unicode)
      return true
    }
    const length = from.end - from.start
    for (let i = 0; i < length; i++) iban[i] = from.bytes[from.start + i]!
    const hungarian = length === HUNGARIAN_LENGTH && iban[0] === 0x48 && iban[1] === 0x55
    permute(length, hungarian, ZERO, NINE, digits)
    permute(length, hungarian, CAPITAL_A, CAPITAL_Z, letters)
    if (hungarian) writeHungarianChecks(iban)
    writeChecks(iban, length)
    out.append(iban, 0, length)
    return true
  }
}
