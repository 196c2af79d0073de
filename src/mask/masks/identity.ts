import { bring, CANDIDATE, heap, keep, LONGEST_CANONICAL, ORIGINAL, phone } from '../kernel.ts'
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

/** A numbering as the kernel takes it. */
function keepNumbering({ country, trunk, nationalDigits }: PhoneNumbering): number {
  const words = Buffer.alloc(20)
  const prefixes = [country, trunk]
  prefixes.forEach((prefix, i) => {
    words.writeUInt32LE(prefix.length, i * 8)
    words.write(prefix, i * 8 + 4, 4, 'latin1')
  })
  words.writeUInt32LE(nationalDigits, 16)
  return keep(words)
}

/**
 * Equal as numbers to dial: the digits in international form, without punctuation. `00` and the trunk
 * prefix become the country code; a number without either counts as national unless it begins with
 * the country code and is too long for a national one. Where letters occur (an extension, a note) the
 * value counts as text; so does one of more than 4064 bytes.
 */
export class PhoneIdentity implements Identity {
  bytes: Uint8Array = heap
  start = 0
  end = 0
  /** After `read`: whether the value is a number at all; if not, the identity is its text. */
  isNumber = false
  readonly #text: TextIdentity
  readonly #numbering: number
  readonly #at: number

  /** @param at where canonical forms go */
  constructor(numbering: PhoneNumbering, at: number) {
    this.#text = new TextIdentity(at)
    this.#numbering = keepNumbering(numbering)
    this.#at = at
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    const from = length <= LONGEST_CANONICAL ? bring(bytes, start, end) : -1
    const form = from < 0 ? 0 : phone(from, from + length, this.#at, this.#numbering)
    this.isNumber = form !== 0
    if (this.isNumber) {
      this.bytes = heap
      this.start = this.#at
      this.end = form
    } else {
      this.#text.read(bytes, start, end)
      this.bytes = this.#text.bytes
      this.start = this.#text.start
      this.end = this.#text.end
    }
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
  /** What the kernel's own functions read an original by; undefined where they cannot. */
  readonly numbering: number | undefined

  constructor(key: Uint8Array, kind: IdentityKind) {
    this.hash = new KeyedHash(key)
    this.identity = openIdentity(kind)
    this.#candidate = openIdentity(kind, CANDIDATE)
    this.numbering =
      kind === 'text' ? 0 : typeof kind === 'string' ? undefined : keepNumbering(kind)
  }

  /** Takes in a value; the tag and the stream are its own until the next one. */
  read(bytes: Uint8Array, start: number, end: number): void {
    this.identity.read(bytes, start, end)
    this.draw()
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
