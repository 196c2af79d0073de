import { generateKey, type KeyOptions, type PrivateKey } from 'openpgp'
import { type KeyUse } from '../../../src/seal/key-check.ts'
import { type PublicKeyFile, readPublicKeys } from '../../../src/seal/keys.ts'

type Made = { key: PrivateKey; publicText: Buffer; privateText: Buffer }

/** A key as another program might have made it. */
export async function makeKey(options: Partial<KeyOptions> = {}): Promise<Made> {
  const { privateKey, publicKey } = await generateKey({
    userIDs: [{ name: 'Ada', email: 'ada@example.org' }],
    ...options,
    config: { minRSABits: 512, ...options.config },
    format: 'object',
  })
  return {
    key: privateKey,
    publicText: Buffer.from(publicKey.armor()),
    privateText: Buffer.from(privateKey.armor()),
  }
}

/** The first key of a file's text. */
export async function readOne(
  text: Uint8Array,
  use: KeyUse = 'encrypt',
  at?: Date,
): Promise<PublicKeyFile> {
  const [file] = await readPublicKeys('ops.asc', text, { use, ...(at && { at }) })
  return file!
}

export const DAY = 24 * 60 * 60 * 1000

export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY)
}
