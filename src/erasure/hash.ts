import { createHmac, hkdfSync } from 'node:crypto'

/** HKDF-SHA256 (RFC 5869): `restore.sh` computes the same in SQL. */
const SALT = 'pgveil'
const PURPOSE = 'erasure ledger'
const CHECK = 'pgveil erasure check'

/** The key of all hashes in a ledger: 32 bytes, which the caller overwrites after use. */
export function erasureKey(secret: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, SALT, PURPOSE, 32))
}

/** Tells whether a key is the one of a ledger, and nothing else of it. Hexadecimal. */
export function keyCheck(key: Buffer): string {
  return createHmac('sha256', key).update(CHECK).digest('hex')
}

/** What the ledger holds in place of a key's value: hexadecimal HMAC-SHA-256. */
export interface HashedKey {
  /** Of the text, in UTF-8. */
  hash: string
  /** Of the text in small letters, for types that know no others: uuid, citext. */
  folded: string
}

/** @param value as PostgreSQL prints it */
export function hashKey(key: Buffer, value: string): HashedKey {
  const hmac = (text: string) => createHmac('sha256', key).update(text, 'utf8').digest('hex')
  return { hash: hmac(value), folded: hmac(value.toLowerCase()) }
}
