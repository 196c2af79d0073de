import { generateKey as generate, type UserID } from 'openpgp'
import { Failure } from '../errors.ts'
import { fingerprintOf } from './key-blocks.ts'
import type { KeyUse } from './key-check.ts'
import { PROFILE } from './profile.ts'

export interface NewKey {
  name: string
  email?: string
  use: KeyUse
  /** UTF-8. openpgp.js takes it as a string, so a copy stays in memory until it is collected. */
  passphrase?: Buffer
  /** Without it the key never ends. */
  expires?: Date
}

export interface KeyPair {
  /** Armored. */
  publicKey: string
  /** Armored; without a passphrase in plain. */
  privateKey: string
  fingerprint: string
}

/**
 * Makes a version 4 key that gpg 2.2 can use: ed25519 and, for encryption, a cv25519 subkey. openpgp.js calls these
 * Legacy; what it calls curve25519 are the newer types, which gpg 2.2 cannot encrypt to.
 *
 * @throws Failure `usage` for a name, address or end that cannot be
 */
export async function generateKey(options: NewKey): Promise<KeyPair> {
  const { passphrase, use } = options
  const date = new Date()
  const { publicKey, privateKey } = await generate({
    userIDs: [userId(options)],
    type: 'ecc',
    curve: 'curve25519Legacy',
    subkeys: use === 'encrypt' ? [{}] : [],
    keyExpirationTime: secondsUntil(options.expires, date),
    date,
    config: PROFILE,
    ...(passphrase && passphrase.length > 0 && { passphrase: passphrase.toString('utf8') }),
    format: 'object',
  })
  return {
    publicKey: publicKey.armor(),
    privateKey: privateKey.armor(),
    fingerprint: fingerprintOf(publicKey),
  }
}

function userId({ name, email }: NewKey): UserID {
  // What would end a line or look like an address makes a key that other programs misread.
  if (!/^[^\p{C}<>()]+$/u.test(name) || name.trim() === '')
    throw new Failure('usage', 'a name of a key is not empty and has no brackets or line breaks')
  if (email === undefined) return { name }
  if (!/^[^\s\p{C}<>()@]+@[^\s\p{C}<>()@]+$/u.test(email))
    throw new Failure('usage', `${JSON.stringify(email)} is not an address`)
  return { name, email }
}

/** 0: never. */
function secondsUntil(expires: Date | undefined, now: Date): number {
  if (expires === undefined) return 0
  const seconds = Math.floor(expires.getTime() / 1000) - Math.floor(now.getTime() / 1000)
  if (!(seconds > 0) || seconds >= 2 ** 32)
    throw new Failure('usage', 'a key must end in the future, within 136 years')
  return seconds
}
