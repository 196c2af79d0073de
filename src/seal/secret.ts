import { createHash, hkdfSync, randomFillSync } from 'node:crypto'
import { Failure } from '../errors.ts'

/**
 * What opens one backup, in two halves of 43 ASCII bytes: base64url (RFC 4648, section 5, without padding) of 32
 * random bytes each. Buffers, never strings: a string cannot be overwritten.
 */
export interface Secret {
  a: Buffer
  b: Buffer
}

const RANDOM_BYTES = 32
const HALF_BYTES = 43
const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')

/**
 * Zeros, for bytes that are overwritten once they are no longer needed. V8 keeps short typed arrays (up to 64 bytes) on the
 * heap that its garbage collector moves things in, and what it moves stays readable where it was; an ArrayBuffer of
 * one's own lies outside and stays where it is.
 */
export function secretBytes(length: number): Buffer {
  return Buffer.from(new ArrayBuffer(length))
}

/** A fresh secret: 512 bits from the system's random source. */
export function drawSecret(): Secret {
  return { a: drawHalf(), b: drawHalf() }
}

function drawHalf(): Buffer {
  const random = randomFillSync(secretBytes(RANDOM_BYTES))
  const half = secretBytes(HALF_BYTES)
  // As Buffer's toString('base64url'), which would leave a string behind.
  for (let i = 0, at = 0; at < HALF_BYTES; i += 3) {
    const three = (random[i]! << 16) | ((random[i + 1] ?? 0) << 8) | (random[i + 2] ?? 0)
    for (let shift = 18; shift >= 0 && at < HALF_BYTES; shift -= 6)
      half[at++] = ALPHABET[(three >> shift) & 63]!
  }
  random.fill(0)
  return half
}

/**
 * The half that somebody typed, or that an envelope held. White space around it is ignored.
 *
 * @param side whose half it should be, for the message
 * @throws Failure `key` where it is not a half
 */
export function parseHalf(text: string | Uint8Array, side: string): Buffer {
  const bytes = trimmed(text)
  if (isHalf(bytes)) return bytes
  const found = bytes.length === HALF_BYTES ? 'something else of that length' : `${bytes.length}`
  bytes.fill(0)
  throw new Failure('key', `what was given for side ${side} is not a half of a secret`, {
    hint: `a half is ${HALF_BYTES} characters (A-Z a-z 0-9 - _) as its envelope holds them; found ${found}`,
  })
}

/**
 * Both halves in one text, first `a`, then `b`: what the envelope of a restore server holds.
 *
 * @param place where the text is from, for the message
 * @throws Failure `key` where it is not that
 */
export function parseSecret(text: string | Uint8Array, place: string): Secret {
  const bytes = trimmed(text)
  const a = secretBytes(Math.min(HALF_BYTES, bytes.length))
  const b = secretBytes(bytes.length - a.length)
  a.set(bytes.subarray(0, a.length))
  b.set(bytes.subarray(a.length))
  bytes.fill(0)
  if (isHalf(a) && isHalf(b)) return { a, b }
  wipe({ a, b })
  throw new Failure('key', `${place} does not hold both halves of a secret`)
}

/** A copy of its own, without white space at its ends. */
function trimmed(text: string | Uint8Array): Buffer {
  const all = typeof text === 'string' ? Buffer.from(text) : text
  let start = 0
  let end = all.length
  while (start < end && isSpace(all[start]!)) start++
  while (end > start && isSpace(all[end - 1]!)) end--
  const bytes = secretBytes(end - start)
  bytes.set(all.subarray(start, end))
  if (typeof text === 'string') all.fill(0)
  return bytes
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function isHalf(bytes: Buffer): boolean {
  // 32 bytes are 42 characters and 4 bits: the last 2 bits of the last character are zero.
  return (
    bytes.length === HALF_BYTES &&
    bytes.every((byte) => ALPHABET.includes(byte)) &&
    ALPHABET.indexOf(bytes[HALF_BYTES - 1]!) % 4 === 0
  )
}

/** The passphrase of every object of the backup: `a`, then `b`, 86 bytes. The caller overwrites it after use. */
export function passphraseOf(secret: Secret): Buffer {
  const passphrase = secretBytes(secret.a.length + secret.b.length)
  passphrase.set(secret.a)
  passphrase.set(secret.b, secret.a.length)
  return passphrase
}

/** SHA-256 of the half's ASCII bytes, in lower case hex. It tells a half from another and gives nothing of it away. */
export function halfDigest(half: Uint8Array): string {
  return createHash('sha256').update(half).digest('hex')
}

/**
 * A key for something other than objects, by HKDF-SHA256 (RFC 5869) of the passphrase with salt `pgveil`: whoever
 * holds it learns nothing of the secret.
 *
 * @param purpose what it is for; different purposes give unrelated keys
 */
export function deriveKey(secret: Secret, purpose: string, bytes: number): Buffer {
  const passphrase = passphraseOf(secret)
  try {
    return Buffer.from(hkdfSync('sha256', passphrase, 'pgveil', purpose, bytes))
  } finally {
    passphrase.fill(0)
  }
}

/** Overwrites both halves. */
export function wipe(secret: Secret): void {
  secret.a.fill(0)
  secret.b.fill(0)
}
