import { passphraseOf, secretBytes, type Secret } from '../seal/secret.ts'
import { digestKeyOf } from './secrets.ts'

const DIGEST_KEY_BYTES = 32

/** What a worker needs of a secret, and how it takes it apart. */
export interface WorkerSecret {
  digestKey: Buffer
  passphrase: Buffer
}

/** Both in one piece, for a pipe. The caller overwrites it. */
export function workerSecret(secret: Secret): Buffer {
  const digestKey = digestKeyOf(secret)
  const passphrase = passphraseOf(secret)
  const bytes = secretBytes(DIGEST_KEY_BYTES + passphrase.length)
  bytes.set(digestKey)
  bytes.set(passphrase, DIGEST_KEY_BYTES)
  digestKey.fill(0)
  passphrase.fill(0)
  return bytes
}

export function splitWorkerSecret(bytes: Buffer): WorkerSecret {
  return {
    digestKey: bytes.subarray(0, DIGEST_KEY_BYTES),
    passphrase: bytes.subarray(DIGEST_KEY_BYTES),
  }
}
