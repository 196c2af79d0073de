import { createHmac } from 'node:crypto'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { deriveKey, type Secret } from '../seal/secret.ts'

const KEY_BYTES = 32
/** Bytes of SipHash's key. */
const DIGEST_KEY = 16

/** From which the keys of all digests of rows come. */
export function digestKeyOf(secret: Secret): Buffer {
  return deriveKey(secret, 'row digest', KEY_BYTES)
}

/**
 * Keys the digests of one table's rows: rows cannot be guessed from them, and equal tables do not show.
 *
 * HMAC-SHA-256 of the table's schema and name as a JSON array, its first 16 bytes.
 */
export function tableDigestKey(digestKey: Buffer, { schema, name }: QualifiedName): Buffer {
  const mac = createHmac('sha256', digestKey)
    .update(JSON.stringify([schema, name]))
    .digest()
  return mac.subarray(0, DIGEST_KEY)
}

/** Keys the digest of the structure. */
export function structureKeyOf(secret: Secret): Buffer {
  return deriveKey(secret, 'structure digest', KEY_BYTES)
}
