import type { Key, PublicKey } from 'openpgp'
import { Failure } from '../errors.ts'
import { fingerprintOf, readKeyBlocks } from './key-blocks.ts'
import { checkKey, type KeyFacts, type KeyUse } from './key-check.ts'

/** A public key as it stands in a file. */
export interface PublicKeyFile extends KeyFacts {
  path: string
  /** 40 upper case hex digits. */
  fingerprint: string
  userIds: string[]
  key: PublicKey
}

export interface KeyReading {
  use: KeyUse
  /** The time that counts; now, unless said otherwise. */
  at?: Date
  /** Days before its end from which on a key is warned of; 30, unless said otherwise. */
  warnDays?: number
}

const WARN_DAYS = 30

/**
 * The public keys of a file, each with what speaks against using it. A key with problems is no error here: whoever
 * asks decides.
 *
 * @param path of the file, for messages
 * @throws Failure `key` where the file holds no keys, or a private one
 */
export async function readPublicKeys(
  path: string,
  bytes: Uint8Array,
  { use, at = new Date(), warnDays = WARN_DAYS }: KeyReading,
): Promise<PublicKeyFile[]> {
  const keys = await readKeyBlocks(path, bytes, () => privateKeyIn(path))
  return Promise.all(
    keys.map(async (key) => ({
      path,
      fingerprint: fingerprintOf(key),
      userIds: key.getUserIDs(),
      key: key.toPublic(),
      ...(await checkKey(key, use, at, warnDays)),
    })),
  )
}

function privateKeyIn(path: string): Failure {
  return new Failure('key', `${path} HOLDS A PRIVATE KEY where a public key is wanted`, {
    hint: 'take it off this machine: one that makes backups holds public keys only (gpg --armor --export <fingerprint>)',
  })
}

/**
 * Compares keys with the fingerprints that were agreed on, so that nobody plants or takes away a recipient by
 * changing a file.
 *
 * @param fingerprints whole ones; spaces and case do not count
 * @throws Failure `key` for a key that is not among them, or one of them without a key
 */
export function checkPinned(keys: PublicKeyFile[], fingerprints: readonly string[]): void {
  const pinned = fingerprints.map((text) => text.replaceAll(/\s/g, '').toUpperCase())
  const malformed = pinned.findIndex((text) => !/^[0-9A-F]{40}$/.test(text))
  if (malformed >= 0)
    throw new Failure('key', `${fingerprints[malformed]} is not a fingerprint: 40 hex digits`)
  const planted = keys.find((key) => !pinned.includes(key.fingerprint))
  if (planted)
    throw new Failure('key', `key ${planted.fingerprint} in ${planted.path} is not a pinned one`, {
      hint: 'ask its holder for the fingerprint by another way before you add it to the pinned ones',
    })
  const missing = pinned.find((text) => keys.every((key) => key.fingerprint !== text))
  if (missing !== undefined)
    throw new Failure('key', `there is no key with the pinned fingerprint ${missing}`)
}

/**
 * @param sides the keys of each custodian side, by its name
 * @throws Failure `key` where two sides share a key, or a part of one: its holder could open backups alone
 */
export function checkSidesDiffer(sides: Readonly<Record<string, readonly PublicKeyFile[]>>): void {
  const holders = new Map<string, string>()
  for (const [side, files] of Object.entries(sides)) {
    for (const { key, fingerprint } of files) {
      for (const part of partsOf(key)) {
        const other = holders.get(part) ?? side
        if (other !== side)
          throw new Failure('key', `key ${fingerprint} is on both sides, ${other} and ${side}`, {
            hint: 'give each side keys of its own: whoever holds a key of both opens every backup alone',
          })
        holders.set(part, side)
      }
    }
  }
}

function partsOf(key: Key): string[] {
  return key.getKeys().map(fingerprintOf)
}
