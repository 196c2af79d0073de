import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import {
  BLOCK,
  CHUNK,
  CIPHER,
  CODED_COUNT,
  ENCRYPTED_HEAD,
  ENCRYPTED_TAG,
  keyOf,
  lastLength,
  LITERAL_HEAD,
  LITERAL_TAG,
  MDC_HEAD,
  PARTIAL,
  PASSWORD_PACKET,
  SALT_BYTES,
  ZERO_IV,
} from './packet.ts'

/** Takes bytes that are its own only until it returns. */
export type Emit = (bytes: Buffer) => void

/**
 * Seals a stream as one OpenPGP message that gpg 2.2 opens with the passphrase: a password packet (SKESK version 4),
 * an encrypted and integrity-protected packet (SEIPD version 1), in it one literal packet.
 *
 * Written here, on node:crypto alone, since openpgp.js does this at 220 MB/s through web streams that starve the
 * event loop, and buffers a whole message to open it. One form and no options make it short enough to check.
 *
 * Memory: two chunks of 64 KiB, allocated once.
 */
export class Sealer {
  readonly #cipher
  readonly #hash = createHash('sha1')
  readonly #encrypted: PacketWriter
  readonly #literal: PacketWriter
  #ended = false

  /**
   * @param passphrase may be overwritten afterwards
   * @param emit gets the sealed bytes, from within `update` and `end`; what it throws comes out there
   * @param random gives that many random bytes; only vectors of tests need another
   */
  constructor(passphrase: Uint8Array, emit: Emit, random: (bytes: number) => Buffer = randomBytes) {
    const salt = random(SALT_BYTES)
    const key = keyOf(passphrase, salt)
    this.#cipher = createCipheriv(CIPHER, key, ZERO_IV)
    key.fill(0)
    this.#encrypted = new PacketWriter(
      Buffer.concat([PASSWORD_PACKET, salt, Buffer.from([CODED_COUNT, ENCRYPTED_TAG])]),
      emit,
    )
    this.#encrypted.write(ENCRYPTED_HEAD)
    const block = random(BLOCK)
    this.#encrypt(Buffer.concat([block, block.subarray(BLOCK - 2)]))
    this.#literal = new PacketWriter(Buffer.from([LITERAL_TAG]), (bytes) => this.#encrypt(bytes))
    this.#literal.write(LITERAL_HEAD)
  }

  update(bytes: Uint8Array): void {
    if (this.#ended) throw new Error('the sealer has ended')
    this.#literal.write(bytes)
  }

  /** Emits what is left. Without it the message is cut off, and opening it fails. */
  end(): void {
    if (this.#ended) throw new Error('the sealer has ended')
    this.#ended = true
    this.#literal.end()
    this.#hash.update(MDC_HEAD)
    const digest = this.#hash.digest()
    this.#encrypted.write(this.#cipher.update(Buffer.concat([MDC_HEAD, digest])))
    this.#encrypted.end()
  }

  #encrypt(bytes: Buffer): void {
    this.#hash.update(bytes)
    this.#encrypted.write(this.#cipher.update(bytes))
  }
}

/** Cuts a packet's body into chunks and puts a length before each. */
class PacketWriter {
  readonly #emit: Emit
  /** A length octet, then the chunk. */
  readonly #chunk = Buffer.allocUnsafeSlow(1 + CHUNK)
  #length = 0
  /** What goes before the first length. */
  #head: Buffer | undefined

  constructor(head: Buffer, emit: Emit) {
    this.#head = head
    this.#emit = emit
    this.#chunk[0] = PARTIAL
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + CHUNK - this.#length)
      const whole = at === 0 && end === bytes.length
      this.#chunk.set(whole ? bytes : bytes.subarray(at, end), 1 + this.#length)
      this.#length += end - at
      at = end
      if (this.#length === CHUNK) {
        this.#emitHead()
        this.#length = 0
        this.#emit(this.#chunk)
      }
    }
  }

  /** The last chunk has a length of its own, which may be 0. */
  end(): void {
    this.#emitHead()
    this.#emit(lastLength(this.#length))
    if (this.#length > 0) this.#emit(this.#chunk.subarray(1, 1 + this.#length))
  }

  #emitHead(): void {
    if (this.#head) this.#emit(this.#head)
    this.#head = undefined
  }
}

/** A small object in one call. */
export function sealBytes(
  passphrase: Uint8Array,
  bytes: Uint8Array,
  random?: (bytes: number) => Buffer,
): Buffer {
  const parts: Buffer[] = []
  const sealer = new Sealer(passphrase, (part) => parts.push(Buffer.from(part)), random)
  sealer.update(bytes)
  sealer.end()
  return Buffer.concat(parts)
}
