import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BackupSettings, KeyReference } from '../config/backup.ts'
import { readSecretText } from '../config/secret.ts'
import { Failure } from '../errors.ts'
import type { CheckedKey, KeysEvent } from '../report/events.ts'
import { readPrivateKeys, unlockKey } from '../seal/key-ring.ts'
import { checkSidesDiffer, readPublicKeys, type PublicKeyFile } from '../seal/keys.ts'
import { readKeyFile } from './keys.ts'

/**
 * Looks at every key that backups need, and at what lies beside them. Whatever is wrong is part of the answer.
 *
 * @param config path of pgveil.yaml, whose directory is looked at, too
 */
export async function checkKeys(
  settings: BackupSettings,
  config: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<KeysEvent> {
  const sides = new Map<string, Reading>()
  for (const { name, keys } of settings.sides) {
    sides.set(name, await readRole(`side ${name}`, keys, 'encrypt'))
  }
  const verifier = await readRole('verifier', settings.verifier, 'encrypt')
  const signer = await readRole('signer', settings.signer, 'sign')
  const custodians = new Map([...sides, ['verifier', verifier]])
  const keys = [
    ...[...custodians.values(), signer].flatMap(({ checked }) => checked),
    await checkSigningKey(settings, signer.keys, env),
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

async function checkSigningKey(
  { signingKey, signingPassphrase }: BackupSettings,
  signers: readonly PublicKeyFile[],
  env: NodeJS.ProcessEnv,
): Promise<CheckedKey> {
  const role = 'signing key'
  if (signingKey === undefined) {
    return unreadable(role, 'pgveil.yaml', new Failure('config', 'backup.signingKey is not set'))
  }
  try {
    const [file, ...more] = await readPrivateKeys(signingKey, await readKeyFile(signingKey))
    if (!file || more.length > 0)
      throw new Failure('key', `${signingKey} holds ${more.length + 1} keys; one is signed with`)
    const signer = signers.find(({ fingerprint }) => fingerprint === file.fingerprint)
    const problems = signer ? [] : ['is not among backup.signer: nobody would believe it']
    try {
      await unlockKey(file, signingPassphrase && (await readSecretText(signingPassphrase, env)))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      problems.push(`cannot be used: ${error.message}`)
    }
    return {
      role,
      path: signingKey,
      fingerprint: file.fingerprint,
      owners: file.userIds,
      algorithm: signer?.algorithm ?? '',
      ...(signer?.expires && { expires: signer.expires.toISOString() }),
      problems,
      warnings: await openToOthers(signingKey),
    }
  } catch (error) {
    return unreadable(role, signingKey, error)
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
