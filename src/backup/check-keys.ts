import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BackupSettings, KeyReference } from '../config/backup.ts'
import type { VerifySettings } from '../config/operations.ts'
import { readSecretText, type SecretSource } from '../config/secret.ts'
import { Failure } from '../errors.ts'
import type { CheckedKey, KeysEvent } from '../report/events.ts'
import { readPrivateKeys, unlockKey } from '../seal/key-ring.ts'
import { checkSidesDiffer, readPublicKeys, type PublicKeyFile } from '../seal/keys.ts'
import { readKeyFile } from './keys.ts'

export interface KeysRequest {
  backup: BackupSettings
  verify: VerifySettings
  /** Path of pgveil.yaml, whose directory is looked at, too. */
  config: string | undefined
  env: NodeJS.ProcessEnv
}

/**
 * Looks at every key that backups and restore tests need, and at what lies beside them. Whatever is wrong is part of the
 * answer. Private keys that only other hosts have are not missed.
 */
export async function checkKeys(request: KeysRequest): Promise<KeysEvent> {
  const { backup: settings, verify, config } = request
  const sides = new Map<string, Reading>()
  for (const { name, keys } of settings.sides) {
    sides.set(name, await readRole(`side ${name}`, keys, 'encrypt'))
  }
  const verifier = await readRole('verifier', settings.verifier, 'encrypt')
  const signer = await readRole('signer', settings.signer, 'sign')
  const custodians = new Map([...sides, ['verifier', verifier]])
  const verdicts = await readRole('verdict signer', verify.signer, 'sign')
  const keys = [
    ...[...custodians.values(), signer, verdicts].flatMap(({ checked }) => checked),
    ...(await checkPrivateKeys(request, { signer, verifier, verdicts })),
  ]
  const shared = messageOf(() =>
    checkSidesDiffer(
      Object.fromEntries([...custodians].map(([name, { keys: own }]) => [name, own])),
    ),
  )
  const warnings = await lyingAbout(keys, custodians, config)
  if (settings.verifier.length === 0)
    warnings.push('there is no verifier key: backups cannot be tested without the custodians')
  const sentences = (of: 'problems' | 'warnings') =>
    keys.flatMap((key) => key[of].map((found) => `${nameOf(key)} ${found}`))
  return {
    event: 'keys',
    keys,
    problems: [...sentences('problems'), ...(shared === undefined ? [] : [shared])],
    warnings: [...sentences('warnings'), ...warnings],
  }
}

interface Reading {
  keys: PublicKeyFile[]
  checked: CheckedKey[]
}

function nameOf({ role, path, fingerprint }: CheckedKey): string {
  return fingerprint === '' ? `${role}, ${path}:` : `key ${fingerprint} of ${role} in ${path}`
}

async function readRole(
  role: string,
  references: readonly KeyReference[],
  use: 'encrypt' | 'sign',
): Promise<Reading> {
  const keys: PublicKeyFile[] = []
  const checked: CheckedKey[] = []
  for (const reference of references) {
    try {
      const found = await readPublicKeys(reference.file, await readKeyFile(reference.file), { use })
      keys.push(...found)
      checked.push(...found.map((key) => checkPublic(role, key, reference)))
    } catch (error) {
      checked.push(unreadable(role, reference.file, error))
    }
  }
  return { keys, checked }
}

function checkPublic(role: string, key: PublicKeyFile, { fingerprint }: KeyReference): CheckedKey {
  const problems = [...key.problems]
  const warnings = [...key.warnings]
  if (fingerprint === undefined) {
    warnings.push(
      'is not pinned: whoever changes its file has changed the key; add its fingerprint',
    )
  } else if (fingerprint !== key.fingerprint) {
    problems.push(`is not the pinned one, ${fingerprint}`)
  }
  return {
    role,
    path: key.path,
    fingerprint: key.fingerprint,
    owners: key.userIds,
    algorithm: key.algorithm,
    ...(key.expires && { expires: key.expires.toISOString() }),
    problems,
    warnings,
  }
}

function unreadable(role: string, path: string, error: unknown): CheckedKey {
  if (!(error instanceof Failure)) throw error
  const problems = [error.message]
  return { role, path, fingerprint: '', owners: [], algorithm: '', problems, warnings: [] }
}

/** Roles of private keys, which a host has or has not. */
export const PRIVATE_ROLES = {
  signing: 'signing key',
  opening: 'verifier’s private key',
  judging: 'verdict signing key',
} as const

type Publics = Record<'signer' | 'verifier' | 'verdicts', Reading>

/** Of those that this host has, and of the one that every backup needs. */
async function checkPrivateKeys(
  { backup, verify, env }: KeysRequest,
  publics: Publics,
): Promise<CheckedKey[]> {
  const signing: PrivateRole = {
    role: PRIVATE_ROLES.signing,
    passphrase: backup.signingPassphrase,
    publics: publics.signer,
    unfit: 'is not among backup.signer: nobody would believe it',
  }
  const opening: PrivateRole = {
    role: PRIVATE_ROLES.opening,
    passphrase: verify.keyPassphrase,
    publics: publics.verifier,
    unfit: 'is not among backup.verifier: it would open no backup',
  }
  const judging: PrivateRole = {
    role: PRIVATE_ROLES.judging,
    passphrase: verify.signingPassphrase,
    publics: publics.verdicts,
    unfit: 'is not among verify.signer: nobody would believe its verdicts',
  }
  const { signingKey } = backup
  const unset = new Failure('config', 'backup.signingKey is not set')
  return [
    signingKey === undefined
      ? unreadable(signing.role, 'pgveil.yaml', unset)
      : await checkPrivate(signingKey, signing, env),
    ...(isHere(verify.key) ? [await checkPrivate(verify.key, opening, env)] : []),
    ...(isHere(verify.signingKey) ? [await checkPrivate(verify.signingKey, judging, env)] : []),
  ]
}

/** Hosts share a configuration, and only that which verifies has its keys. */
function isHere(path: string | undefined): path is string {
  return path !== undefined && existsSync(path)
}

interface PrivateRole {
  role: string
  passphrase: SecretSource | undefined
  /** It has to belong to one of these, where one could be read. */
  publics: Reading
  /** What is wrong where it does not. */
  unfit: string
}

async function checkPrivate(
  path: string,
  { role, passphrase, publics, unfit }: PrivateRole,
  env: NodeJS.ProcessEnv,
): Promise<CheckedKey> {
  try {
    const [file, ...more] = await readPrivateKeys(path, await readKeyFile(path))
    if (!file || more.length > 0)
      throw new Failure('key', `${path} holds ${more.length + 1} keys; one is used`)
    const known = publics.keys.find(({ fingerprint }) => fingerprint === file.fingerprint)
    const isUnread = publics.keys.length === 0 && publics.checked.length > 0
    const problems = known || isUnread ? [] : [unfit]
    try {
      await unlockKey(file, passphrase && (await readSecretText(passphrase, env)))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      problems.push(`cannot be used: ${error.message}`)
    }
    return {
      role,
      path,
      fingerprint: file.fingerprint,
      owners: file.userIds,
      algorithm: known?.algorithm ?? '',
      ...(known?.expires && { expires: known.expires.toISOString() }),
      problems,
      warnings: await openToOthers(path),
    }
  } catch (error) {
    return unreadable(role, path, error)
  }
}

const OTHERS = 0o077

async function openToOthers(path: string): Promise<string[]> {
  if (process.platform === 'win32') return [] // modes say nothing there
  const { mode } = await stat(path)
  return (mode & OTHERS) === 0 ? [] : [`can be read by other users of this machine: chmod 600`]
}

const MOST_BYTES = 1024 * 1024

/** Private keys of custodians and verifiers beside the configuration and the public keys: they belong elsewhere. */
async function lyingAbout(
  keys: readonly CheckedKey[],
  custodians: ReadonlyMap<string, Reading>,
  config: string | undefined,
): Promise<string[]> {
  const holders = new Map<string, string>()
  for (const [name, { keys: own }] of custodians) {
    for (const { fingerprint } of own) holders.set(fingerprint, name)
  }
  const paths = [...keys.map(({ path }) => path), ...(config === undefined ? [] : [config])]
  const warnings: string[] = []
  for (const directory of new Set(paths.map((path) => dirname(path)))) {
    for (const path of await smallFiles(directory)) {
      for (const fingerprint of await privateKeysIn(path)) {
        const holder = holders.get(fingerprint)
        if (holder === undefined) continue
        warnings.push(
          `${path} holds the PRIVATE key ${fingerprint} of ${holder}: take it off this machine`,
        )
      }
    }
  }
  return warnings
}

/** A directory that cannot be read holds nothing that this user could lose. */
async function smallFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  const paths: string[] = []
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const path = join(directory, entry.name)
    const found = await stat(path).catch(() => undefined)
    if (found && found.size <= MOST_BYTES) paths.push(path)
  }
  return paths
}

/** Fingerprints; none for what is not a file of private keys. */
async function privateKeysIn(path: string): Promise<string[]> {
  try {
    const bytes = await readFile(path)
    return looksPrivate(bytes)
      ? (await readPrivateKeys(path, bytes)).map((key) => key.fingerprint)
      : []
  } catch {
    return []
  }
}

/** An armored secret key, or the header of a secret-key packet, in the old or the new form (RFC 9580, 4.2). */
function looksPrivate(bytes: Buffer): boolean {
  const [first = 0] = bytes
  const isPacket = first === 0xc5 || (first & 0xfc) === 0x94
  return isPacket || bytes.includes('-----BEGIN PGP PRIVATE KEY BLOCK-----')
}

/** The message of the failure that `check` throws. */
function messageOf(check: () => void): string | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    if (error instanceof Failure) return error.message
    throw error
  }
}
