import type { Key, Subkey } from 'openpgp'
import { fingerprintOf } from './key-blocks.ts'

export type KeyUse = 'encrypt' | 'sign'

/** What a key is, and what speaks against using it. */
export interface KeyFacts {
  /** Like `RSA 3072` or, where the subkey is of another kind, `ed25519/cv25519`. */
  algorithm: string
  created: Date
  /** Of the primary key or of the subkey that is used, whichever ends first. */
  expires: Date | undefined
  canEncrypt: boolean
  canSign: boolean
  /** Why it cannot be used, each to be put after the key's name: `expired on 2026-01-31`. */
  problems: string[]
  /** What will or should keep it from being used one day, likewise. */
  warnings: string[]
}

const DAY = 24 * 60 * 60 * 1000
/** One below the number: some programs make moduli a bit short. */
const MIN_RSA_BITS = 2047
const ADVISED_RSA_BITS = 3071
const GPG_NAMES: Record<string, string> = { ed25519Legacy: 'ed25519', curve25519Legacy: 'cv25519' }
/** Public-key algorithms of version 4 keys that gpg 2.2 knows and that are still good. */
const USABLE = ['rsaEncryptSign', 'rsaEncrypt', 'rsaSign', 'ecdh', 'ecdsa', 'eddsaLegacy']
/** openpgp.js refuses secp256k1, and for brainpool it needs a package of its own. */
const CURVES = ['ed25519Legacy', 'curve25519Legacy', 'nistP256', 'nistP384', 'nistP521']
const OUTDATED = ['dsa', 'elgamal']
/** Bits of the first octet of a binding signature's key flags. */
const FLAGS = { encrypt: 0x04 | 0x08, sign: 0x02 }

/**
 * @param use what it is meant for
 * @param at the time that counts
 * @param warnDays days before the end from which on there is a warning
 */
export async function checkKey(
  key: Key,
  use: KeyUse,
  at: Date,
  warnDays: number,
): Promise<KeyFacts> {
  const ofUse = await find(key, use, at)
  const part = ofUse ?? (await find(key, use, null))
  const ends = [await endOfPrimary(key), part && (await endOfSubkey(key, part, at))]
  const times = ends.filter((end) => end !== undefined).map((end) => end.getTime())
  const expires = times.length > 0 ? new Date(Math.min(...times)) : undefined
  const problems = await findProblems(key, part, use, at)
  if (!ofUse && problems.length === 0) problems.push(lacking(key, use))
  return {
    algorithm: [...new Set([nameOf(key), nameOf(part ?? key)])].join('/'),
    created: key.getCreationTime(),
    expires,
    canEncrypt: (await find(key, 'encrypt', at)) !== undefined,
    canSign: (await find(key, 'sign', at)) !== undefined,
    problems,
    warnings: findWarnings([key, part ?? key], expires, at, warnDays),
  }
}

/** The primary key or the subkey that would be used. Without a time, expiry does not count. */
async function find(key: Key, use: KeyUse, at: Date | null): Promise<Key | Subkey | undefined> {
  try {
    return use === 'encrypt'
      ? await key.getEncryptionKey(undefined, at)
      : await key.getSigningKey(undefined, at)
  } catch {
    return undefined
  }
}

async function findProblems(
  key: Key,
  part: Key | Subkey | undefined,
  use: KeyUse,
  at: Date,
): Promise<string[]> {
  const problems = new Set<string>()
  const add = (problem: string | undefined) => problem && problems.add(problem)
  const end = await endOfPrimary(key)
  if (key.keyPacket.version !== 4)
    add(`is of version ${key.keyPacket.version}: gpg 2.2 can use version 4 only`)
  const weakness = weaknessOf(key)
  add(weakness)
  if (await key.isRevoked(undefined, undefined, at)) add('is revoked')
  // An algorithm that the library does not do makes every signature look wrong.
  else if (weakness === undefined && (await key.getExpirationTime()) === null)
    add('has no valid signature of its own')
  if (end && end <= at) add(`expired on ${day(end)}`)
  if (key.getCreationTime() > at)
    add(`was made in the future (${day(key.getCreationTime())}): check the clock`)
  if (part && part !== key) {
    const partEnd = await endOfSubkey(key, part, at)
    if (partEnd && partEnd <= at) add(`its subkey to ${use} with expired on ${day(partEnd)}`)
    add(weaknessOf(part))
  }
  return [...problems]
}

/** Why there is nothing to use, where the primary key is in order. */
function lacking(key: Key, use: KeyUse): string {
  const meant = key.subkeys.filter(
    (subkey) => (subkey.bindingSignatures.at(-1)?.keyFlags?.[0] ?? 0) & FLAGS[use],
  )
  const weak = meant.map(weaknessOf).find((weakness) => weakness !== undefined)
  if (weak !== undefined) return weak
  if (meant.some((subkey) => subkey.revocationSignatures.length > 0))
    return `its subkey to ${use} with is revoked`
  return use === 'encrypt' ? 'is not meant for encryption' : 'is not meant for signing'
}

function weaknessOf(key: Key | Subkey): string | undefined {
  const { algorithm, bits, curve } = key.getAlgorithmInfo()
  if (OUTDATED.includes(algorithm)) return `${nameOf(key)} is outdated`
  if (bits !== undefined && bits < MIN_RSA_BITS) return `${nameOf(key)} is too weak`
  if (!USABLE.includes(algorithm)) return `gpg 2.2 cannot use keys of type ${algorithm}`
  if (curve !== undefined && !CURVES.includes(curve)) return `its curve ${curve} is not supported`
  return undefined
}

function findWarnings(
  keys: (Key | Subkey)[],
  expires: Date | undefined,
  at: Date,
  warnDays: number,
): string[] {
  const warnings = new Set<string>()
  if (expires && expires > at && expires.getTime() - at.getTime() <= warnDays * DAY) {
    const days = Math.floor((expires.getTime() - at.getTime()) / DAY)
    warnings.add(`expires on ${day(expires)}, in ${days} ${days === 1 ? 'day' : 'days'}`)
  }
  for (const key of keys) {
    const { bits } = key.getAlgorithmInfo()
    if (bits !== undefined && bits >= MIN_RSA_BITS && bits < ADVISED_RSA_BITS)
      warnings.add(`${nameOf(key)} is shorter than the 3072 bits that are advised today`)
  }
  return [...warnings]
}

function nameOf(key: Key | Subkey): string {
  const { algorithm, bits, curve } = key.getAlgorithmInfo()
  if (curve !== undefined) return GPG_NAMES[curve] ?? curve
  if (algorithm.startsWith('rsa')) return `RSA ${bits}`
  if (OUTDATED.includes(algorithm)) return `${algorithm === 'dsa' ? 'DSA' : 'ElGamal'} ${bits}`
  return algorithm
}

async function endOfPrimary(key: Key): Promise<Date | undefined> {
  const end = await key.getExpirationTime()
  return end instanceof Date ? end : undefined
}

async function endOfSubkey(key: Key, part: Key | Subkey, at: Date): Promise<Date | undefined> {
  const subkey = key.subkeys.find((each) => fingerprintOf(each) === fingerprintOf(part))
  const end = await subkey?.getExpirationTime(at)
  return end instanceof Date ? end : undefined
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}
