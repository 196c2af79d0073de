import { createHash } from 'node:crypto'

/**
 * The parts of OpenPGP (RFC 9580, RFC 4880) that sealer and opener share. There is one form and no choice in it: a
 * message is determined by its content, its passphrase and 24 random bytes. docs/FORMAT.md shows it byte by byte.
 */

/**
 * Body bytes of each chunk but the last of a packet: 2 ** 16. Larger ones are slower, as the cipher returns a new
 * buffer for each.
 */
export const CHUNK = 1 << 16
/** Length octet of a chunk that others follow: 224 + the power of two. */
export const PARTIAL = 0xe0 | 16

/** What stands before the salt: packet of type 3, its length, version 4, AES-256, S2K iterated and salted, SHA-256. */
export const PASSWORD_PACKET = Buffer.from([0xc3, 0x0d, 0x04, 0x09, 0x03, 0x08])
export const SALT_BYTES = 8
/**
 * The coded count 0: 1,024 bytes go through SHA-256. More would only take time: nobody guesses a passphrase of 512
 * random bits, nor the 256 that one half leaves unknown.
 */
export const CODED_COUNT = 0
const HASHED_BYTES = 1024

/** Packet of type 18, and the first byte of its body: version 1. */
export const ENCRYPTED_TAG = 0xd2
export const ENCRYPTED_HEAD = Buffer.from([0x01])
/** Packet of type 11, and the first bytes of its body: binary, no name, no date. */
export const LITERAL_TAG = 0xcb
export const LITERAL_HEAD = Buffer.from([0x62, 0, 0, 0, 0, 0])
/** Packet of type 19 and its length; 20 bytes of SHA-1 follow. */
export const MDC_HEAD = Buffer.from([0xd3, 0x14])
export const MDC_BYTES = 20

/** A cipher's block: as many random bytes begin the plaintext, then the last two of them again. */
export const BLOCK = 16
export const PREFIX_BYTES = BLOCK + 2

export const CIPHER = 'aes-256-cfb'
export const ZERO_IV = Buffer.alloc(BLOCK)

/** The AES-256 key: SHA-256 over salt and passphrase, over and over (RFC 9580, 3.7.1.3). The caller overwrites it. */
export function keyOf(passphrase: Uint8Array, salt: Uint8Array): Buffer {
  const hashed = Buffer.alloc(Math.max(HASHED_BYTES, salt.length + passphrase.length))
  hashed.set(salt)
  hashed.set(passphrase, salt.length)
  const once = salt.length + passphrase.length
  for (let at = once; at < hashed.length; at += once) hashed.copy(hashed, at, 0, once)
  const key = createHash('sha256').update(hashed).digest()
  hashed.fill(0)
  return key
}

/** Octets of a last chunk's length, `length` below {@link CHUNK}: the shortest form, as RFC 9580, 4.2.1 says. */
export function lastLength(length: number): Buffer {
  if (length < 192) return Buffer.from([length])
  if (length < 8384) return Buffer.from([192 + ((length - 192) >> 8), (length - 192) & 0xff])
  const octets = Buffer.alloc(5, 0xff)
  octets.writeUInt32BE(length, 1)
  return octets
}
