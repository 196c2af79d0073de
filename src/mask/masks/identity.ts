import { CANDIDATE, ORIGINAL } from '../kernel.ts'
import { KeyedHash, Stream } from '../keyed.ts'
import { FOLDED, isSpace, TextIdentity } from './text-identity.ts'

/**
 * What makes two originals the same to a mask. `read` leaves the canonical form in
 * `bytes[start, end)`, valid until the next `read`.
 */
export interface Identity {
  bytes: Uint8Array
  start: number
  end: number
  read(bytes: Uint8Array, start: number, end: number): void
}

/** Plain data that names an identity in a prepared mask. */
export type IdentityKind = 'raw' | 'text' | 'code' | PhoneNumbering

/** How phone numbers of one country are written. */
export interface PhoneNumbering {
  /** Country calling code, like `36`. */
  country: string
  /** What is dialled before a national number, like `06`; empty where there is none. */
  trunk: string
  /** Most digits of a national number without trunk prefix. */
  nationalDigits: number
}

/** Equal bytes only. */
class RawIdentity implements Identity {
  bytes: Uint8Array = Buffer.alloc(0)
  start = 0
  end = 0

  read(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.end = end
  }
}

/** Equal but for white space and ASCII case: IBAN and other codes printed in groups. */
class CodeIdentity implements Identity {
  bytes: Uint8Array = Buffer.allocUnsafeSlow(64)
  start = 0
  end = 0

  read(bytes: Uint8Array, start: number, end: number): void {
    if (this.bytes.length < end - start) this.bytes = Buffer.allocUnsafeSlow((end - start) * 2)
    let at = 0
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (!isSpace(byte)) this.bytes[at++] = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte
    }
    this.end = at
  }
}

const ZERO = 0x30
const PLUS = 0x2b
/** Room before the digits where a country code is put. */
const ROOM = 4

/**
 * Equal as numbers to dial: the digits in international form, without punctuation. `00` and the trunk
 * prefix become the country code; a number without either counts as national unless it begins with
 * the country code and is too long for a national one. Where letters occur (an extension, a note) the
 * value counts as text.
 */
export class PhoneIdentity implements Identity {
  bytes: Uint8Array
  start = 0
  end = 0
  /** After `read`: whether the value is a number at all; if not, the identity is its text. */
  isNumber = false
  readonly #text: TextIdentity
  #digits: Uint8Array = Buffer.allocUnsafeSlow(64)
  readonly #country: Uint8Array
  readonly #trunk: Uint8Array
  readonly #nationalDigits: number

  /** @param at where canonical forms of texts go */
  constructor(numbering: PhoneNumbering, at: number) {
    this.#text = new TextIdentity(at)
    this.bytes = this.#digits
    this.#country = Buffer.from(numbering.country)
    this.#trunk = Buffer.from(numbering.trunk)
    this.#nationalDigits = numbering.nationalDigits
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    if (this.#digits.length < end - start + ROOM) {
      this.#digits = Buffer.allocUnsafeSlow((end - start) * 2 + ROOM)
    }
    const digits = this.#digits
    let at = ROOM
    let international = false
    let lettered = false
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte >= ZERO && byte <= 0x39) digits[at++] = byte
      else if (byte === PLUS && at === ROOM) international = true
      else if (byte >= 0x80 || (byte | 0x20) >= 0x61) lettered = true
    }
    this.isNumber = !lettered && at > ROOM
    if (this.isNumber) {
      this.bytes = digits
      this.end = at
      this.start = this.#internationalStart(international)
    } else {
      this.#text.read(bytes, start, end)
      this.bytes = this.#text.bytes
      this.start = this.#text.start
      this.end = this.#text.end
    }
  }

  /** Where the number in international form begins, its country code written before it if need be. */
  #internationalStart(international: boolean): number {
    const { bytes, end } = this
    const count = end - ROOM
    if (international) return this.#withoutTrunk(ROOM)
    if (count > 2 && bytes[ROOM] === ZERO && bytes[ROOM + 1] === ZERO) {
      return this.#withoutTrunk(ROOM + 2)
    }
    if (count > this.#nationalDigits && this.#has(this.#country, ROOM))
      return this.#withoutTrunk(ROOM)
    return this.#prefixed(ROOM)
  }

  /** Some write both: `+36 (06) 20 …`, `+49 (0) 30 …`. */
  #withoutTrunk(from: number): number {
    return this.#has(this.#country, from) ? this.#prefixed(from + this.#country.length) : from
  }

  /** The country code before the national number at `from`, over a trunk prefix if there is one. */
  #prefixed(from: number): number {
    const national = this.#has(this.#trunk, from) ? from + this.#trunk.length : from
    const start = national - this.#country.length
    for (let i = 0; i < this.#country.length; i++) this.bytes[start + i] = this.#country[i]!
    return start
  }

  #has(prefix: Uint8Array, from: number): boolean {
    if (this.end - from < prefix.length) return false
    for (let i = 0; i < prefix.length; i++) if (this.bytes[from + i] !== prefix[i]) return false
    return true
  }
}

function isPlainLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a
}

function isPlainAlphanumeric(byte: number): boolean {
  return isPlainLetter(byte) || (byte >= ZERO && byte <= 0x39)
}

/** A fresh reader of identities of one kind, whose canonical forms of texts go to `at`. */
export function openIdentity(kind: IdentityKind, at = ORIGINAL): Identity {
  if (kind === 'raw') return new RawIdentity()
  if (kind === 'text') return new TextIdentity(at)
  if (kind === 'code') return new CodeIdentity()
  return new PhoneIdentity(kind, at)
}

/** An original as masks see it: its identity, the identity's tag, and a stream that the tag seeds. */
export class Original {
  readonly hash: KeyedHash
  readonly stream = new Stream()
  readonly identity: Identity
  readonly #candidate: Identity

  constructor(key: Uint8Array, kind: IdentityKind) {
    this.hash = new KeyedHash(key)
    this.identity = openIdentity(kind)
    this.#candidate = openIdentity(kind, CANDIDATE)
  }

  /** Takes in a value; the tag and the stream are its own until the next one. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.identity.read(bytes, start, end)
    this.draw()
  }

  /** Takes in a value for its tag alone: the stream stays that of another one. */
  readTag(bytes: Uint8Array, start: number, end: number): void {
    this.identity.read(bytes, start, end)
    this.#tag()
  }

  /** Tag and stream of an identity that was read by itself, by who does not need them for every value. */
  draw(): void {
    this.#tag()
    this.stream.seed(this.hash)
  }

  #tag(): void {
    const { identity } = this
    this.hash.hash(identity.bytes, identity.start, identity.end)
  }

  /** Whether first or last characters alone show that the identities differ, which is cheap to see. */
  #differs(bytes: Uint8Array, start: number, end: number): boolean {
    const { identity } = this
    if (end === start || identity.end === identity.start) return false
    const first = FOLDED[bytes[start]!]!
    const last = FOLDED[bytes[end - 1]!]!
    return (
      (isPlainAlphanumeric(last) && last !== FOLDED[identity.bytes[identity.end - 1]!]) ||
      (isPlainLetter(first) && first !== FOLDED[identity.bytes[identity.start]!])
    )
  }

  /** Whether a masked value has the identity of the original, and so would mask nothing. */
  isSame(bytes: Uint8Array, start: number, end: number): boolean {
    const { identity } = this
    if (this.#differs(bytes, start, end)) return false
    const candidate = this.#candidate
    candidate.read(bytes, start, end)
    const length = identity.end - identity.start
    if (candidate.end - candidate.start !== length) return false
    for (let i = 0; i < length; i++) {
      if (candidate.bytes[candidate.start + i] !== identity.bytes[identity.start + i]) return false
    }
    return true
  }
}
