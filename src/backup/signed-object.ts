import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { signDetached, verifyDetached } from '../seal/signature.ts'
import type { Store, WriteOptions } from '../store/store.ts'
import type { SigningKey } from './keys.ts'
import { readWhole } from './read-whole.ts'

/** An object whose signature holds. */
export interface SignedObject {
  bytes: Buffer
  /** Hexadecimal SHA-256 of the bytes. */
  digest: string
  /** Fingerprint of the key that signed it. */
  signedBy: string
}

const MOST = 64 * 1024 * 1024

/**
 * Name of an object's signature. It carries the beginning of the object's SHA-256: it is stored before the object, and
 * of two that are written at the same time under one name each has its own.
 */
export function signatureName(name: string, digest: string): string {
  return `${name}.${digest.slice(0, 16)}.asc`
}

/** @throws Failure `integrity` where the object or its signature is missing, or was made by nobody who is believed */
export async function readSigned(
  store: Store,
  name: string,
  signers: readonly PublicKeyFile[],
): Promise<SignedObject> {
  const bytes = await readWhole(store, name, MOST)
  const digest = createHash('sha256').update(bytes).digest('hex')
  const signature = await readWhole(store, signatureName(name, digest))
  try {
    const believed = signers.map(({ key }) => key)
    const { fingerprint } = await verifyDetached(bytes, signature, believed)
    return { bytes, digest, signedBy: fingerprint }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.kind, `${name}: ${error.message}`, { cause: error })
  }
}

/**
 * Stores an object that is not there yet, after its signature.
 *
 * @throws Failure `refused` where somebody else was faster: then nothing of this one is left that counts
 */
export async function createSigned(
  store: Store,
  name: string,
  bytes: Buffer,
  signing: SigningKey,
  options: WriteOptions = {},
): Promise<void> {
  const digest = createHash('sha256').update(bytes).digest('hex')
  const signature = signatureName(name, digest)
  await store.create(signature, await signDetached(bytes, signing), options)
  try {
    await store.create(name, bytes, options)
  } catch (error) {
    // Only a refusal says for certain that the object is not there.
    if (error instanceof Failure && error.kind === 'refused')
      await store.delete([signature]).catch(() => undefined)
    throw error
  }
}
