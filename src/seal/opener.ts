import { createDecipheriv, createHash, timingSafeEqual, type Decipher } from 'node:crypto'
import { Failure } from '../errors.ts'
import {
  BLOCK,
  CIPHER,
  CODED_COUNT,
  ENCRYPTED_HEAD,
  ENCRYPTED_TAG,
  keyOf,
  LITERAL_HEAD,
  LITERAL_TAG,
  MDC_BYTES,
  MDC_HEAD,
  PASSWORD_PACKET,
  PREFIX_BYTES,
  SALT_BYTES,
  ZERO_IV,
} from './packet.ts'
import { secretBytes } from './secret.ts'
import { damaged, PacketReader } from './packet-reader.ts'
import type { Emit } from './sealer.ts'

/** Where the salt and what follows it end. */
const SALT_END = PASSWORD_PACKET.length + SALT_BYTES
const HEAD_BYTES = SALT_END + 1

/**
 * Opens what a Sealer wrote, and nothing else: every other form of OpenPGP is refused, and so is a changed, missing
 * or added byte.
 *
 * Content is emitted before the checksum at the end was seen. Whoever takes it commits nothing before `end`
 * returned. And the checksum tells of damage, not of a forger who knows the content: where a manifest says which
 * SHA-256 the sealed bytes have, that must hold too.
 *
 * After a failure it is of no more use: every call throws that failure again. Memory: nothing but what node's cipher
 * returns.
 *
 * The messages do not name the object, which the caller knows.
 */
export class Opener {
  readonly #passphrase: Buffer
  readonly #emit: Emit
  readonly #head = Buffer.alloc(HEAD_BYTES)
  readonly #prefix = Buffer.alloc(PREFIX_BYTES)
  readonly #trailer = Buffer.alloc(MDC_HEAD.length + MDC_BYTES)
  /** How much of them is there. */
  #headLength = 0
  #prefixLength = 0
  #trailerLength = 0
  #decipher: Decipher | undefined
  readonly #hash = createHash('sha1')
  readonly #encrypted = new PacketReader(ENCRYPTED_TAG, ENCRYPTED_HEAD, 'encrypted', (bytes) =>
    this.#decrypt(bytes),
  )
  readonly #literal: PacketReader
  #failed: unknown
  #ended = false

  /**
   * @param passphrase copied; the copy is overwritten once the key is derived from it
   * @param emit gets the content, from within `update`; what it throws comes out there
   */
  constructor(passphrase: Uint8Array, emit: Emit) {
    this.#passphrase = secretBytes(passphrase.length)
    this.#passphrase.set(passphrase)
    this.#emit = emit
    this.#literal = new PacketReader(LITERAL_TAG, LITERAL_HEAD, 'literal', (bytes) =>
      this.#emit(bytes),
    )
  }

  /**
   * @throws Failure `key` where the passphrase is another one (or where the first bytes are damaged: that cannot be
   *   told apart), `integrity` where the bytes are not what a Sealer writes
   */
  update(bytes: Uint8Array): void {
    this.#guard(() => {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let at = this.#takeHead(buffer)
      if (at < buffer.length) at += this.#encrypted.read(buffer, at)
      if (at < buffer.length) throw damaged('bytes follow its end')
    })
  }

  /** @throws Failure `integrity` where bytes are missing or the checksum is wrong */
  end(): void {
    this.#guard(() => {
      this.#ended = true
      this.#passphrase.fill(0)
      if (!this.#encrypted.complete) throw damaged('it is cut off')
      if (!this.#literal.complete || this.#trailerLength < this.#trailer.length)
        throw damaged('its content ends too early')
      const digest = this.#hash.update(MDC_HEAD).digest()
      if (
        !this.#trailer.subarray(0, MDC_HEAD.length).equals(MDC_HEAD) ||
        !timingSafeEqual(this.#trailer.subarray(MDC_HEAD.length), digest)
      )
        throw damaged('its checksum is wrong')
    })
  }

  #guard(step: () => void): void {
    if (this.#failed !== undefined) throw this.#failed
    if (this.#ended) throw new Error('the opener has ended')
    try {
      step()
    } catch (error) {
      this.#failed = error
      this.#passphrase.fill(0)
      throw error
    }
  }

  /** The password packet. Returns how many bytes belong to it. */
  #takeHead(bytes: Buffer): number {
    if (this.#headLength === HEAD_BYTES) return 0
    const taken = bytes.copy(this.#head, this.#headLength)
    this.#headLength += taken
    const known = Math.min(this.#headLength, PASSWORD_PACKET.length)
    const isKnown = this.#head.subarray(0, known).equals(PASSWORD_PACKET.subarray(0, known))
    const isFull = this.#headLength === HEAD_BYTES
    if (!isKnown || (isFull && this.#head[SALT_END] !== CODED_COUNT))
      throw damaged('it does not begin as a sealed object does')
    if (isFull) {
      const key = keyOf(this.#passphrase, this.#head.subarray(PASSWORD_PACKET.length, SALT_END))
      this.#decipher = createDecipheriv(CIPHER, key, ZERO_IV)
      key.fill(0)
      this.#passphrase.fill(0)
    }
    return taken
  }

  #decrypt(bytes: Buffer): void {
    const plain = this.#decipher!.update(bytes)
    let at = this.#takePrefix(plain)
    if (at < plain.length) {
      const taken = this.#literal.read(plain, at)
      this.#hash.update(plain.subarray(at, at + taken))
      at += taken
    }
    if (at < plain.length) {
      if (plain.length - at > this.#trailer.length - this.#trailerLength)
        throw damaged('its content is followed by something else')
      this.#trailerLength += plain.copy(this.#trailer, this.#trailerLength, at)
    }
  }

  /** Random bytes, the last two of them repeated: where they differ, the key is another one. */
  #takePrefix(plain: Buffer): number {
    if (this.#prefixLength === PREFIX_BYTES) return 0
    const taken = plain.copy(this.#prefix, this.#prefixLength)
    this.#prefixLength += taken
    if (this.#prefixLength < PREFIX_BYTES) return taken
    const repeated = this.#prefix.subarray(BLOCK)
    if (!repeated.equals(this.#prefix.subarray(BLOCK - 2, BLOCK)))
      throw new Failure('key', 'it was sealed with another secret, or its first bytes are damaged')
    this.#hash.update(this.#prefix)
    return taken
  }
}

/**
 * A small object in one call; its content comes back only once it was checked.
 *
 * @throws as {@link Opener}
 */
export function openBytes(passphrase: Uint8Array, sealed: Uint8Array): Buffer {
  const parts: Buffer[] = []
  const opener = new Opener(passphrase, (part) => parts.push(Buffer.from(part)))
  opener.update(sealed)
  opener.end()
  return Buffer.concat(parts)
}
