import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import {
  BLOCK,
  CIPHER,
  ENCRYPTED_HEAD,
  ENCRYPTED_TAG,
  lastLength,
  LITERAL_HEAD,
  LITERAL_TAG,
  MDC_BYTES,
  MDC_HEAD,
  PREFIX_BYTES,
  ZERO_IV,
} from './packet.ts'
import { secretBytes } from './secret.ts'

/**
 * A short content as an encrypted, integrity-protected packet (SEIPD version 1; RFC 9580, 5.13.1) with one literal
 * packet in it. Made here, since openpgp.js leaves copies of the content in memory that nobody can overwrite.
 *
 * @param key of AES-256
 */
export function encryptedPacket(key: Uint8Array, content: Uint8Array): Buffer {
  const length = lastLength(LITERAL_HEAD.length + content.length)
  const literal = Buffer.concat([Buffer.from([LITERAL_TAG]), length, LITERAL_HEAD])
  const plain = secretBytes(
    PREFIX_BYTES + literal.length + content.length + MDC_HEAD.length + MDC_BYTES,
  )
  try {
    plain.set(randomBytes(BLOCK))
    plain.copy(plain, BLOCK, BLOCK - 2, BLOCK)
    plain.set(literal, PREFIX_BYTES)
    plain.set(content, PREFIX_BYTES + literal.length)
    const end = plain.length - MDC_BYTES
    plain.set(MDC_HEAD, end - MDC_HEAD.length)
    plain.set(createHash('sha1').update(plain.subarray(0, end)).digest(), end)
    const sealed = createCipheriv(CIPHER, key, ZERO_IV).update(plain)
    const size = lastLength(ENCRYPTED_HEAD.length + sealed.length)
    return Buffer.concat([Buffer.from([ENCRYPTED_TAG]), size, ENCRYPTED_HEAD, sealed])
  } finally {
    plain.fill(0)
  }
}
