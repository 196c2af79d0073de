import { readFile } from 'node:fs/promises'
import type { BackupSettings, KeyReference } from '../config/backup.ts'
import { readSecretText } from '../config/secret.ts'
import { Failure, systemReason } from '../errors.ts'
import { checkPinned, checkSidesDiffer, readPublicKeys, type PublicKeyFile } from '../seal/keys.ts'
import { readPrivateKeys, unlockKey } from '../seal/key-ring.ts'

/** An unlocked private key. */
export type SigningKey = Awaited<ReturnType<typeof unlockKey>>

/** A custodian side, or the verifier, with the keys that open its envelope. */
export interface SideKeys {
  name: string
  keys: PublicKeyFile[]
}

/** All keys that a backup needs, read and found good. */
export interface SealingKeys {
  sides: SideKeys[]
  verifier: PublicKeyFile[]
  /** Whose signatures are believed. */
  signers: PublicKeyFile[]
  signing: SigningKey
  warnings: { code: string; message: string }[]
}

/**
 * Reads and checks every key of a backup, before anything else is done.
 *
 * @throws Failure `key` for the first that cannot be used, with file and reason
 */
export async function loadSealingKeys(
  settings: BackupSettings,
  env: NodeJS.ProcessEnv,
): Promise<SealingKeys> {
  const sides: SideKeys[] = []
  for (const { name, keys } of settings.sides) {
    sides.push({ name, keys: usable(await readReferences(keys, 'encrypt'), `side ${name}`) })
  }
  const verifier = usable(await readReferences(settings.verifier, 'encrypt'), 'the verifier')
  checkSidesDiffer({
    ...Object.fromEntries(sides.map(({ name, keys }) => [name, keys])),
    verifier,
  })
  const signers = await loadSigners(settings)
  const signing = await loadSigningKey(settings, signers, env)
  const all = [...sides.flatMap(({ keys }) => keys), ...verifier, ...signers]
  const warnings = all.flatMap(({ fingerprint, path, warnings: found }) =>
    found.map((warning) => ({ code: 'key', message: `key ${fingerprint} in ${path} ${warning}` })),
  )
  if (settings.verifier.length === 0) {
    warnings.push({
      code: 'no-verifier',
      message: 'there is no verifier key: this backup cannot be tested without the custodians',
    })
  }
  return { sides, verifier, signers, signing, warnings }
}

/** The public keys whose backups are believed. */
export function loadSigners({ signer }: Pick<BackupSettings, 'signer'>): Promise<PublicKeyFile[]> {
  return readReferences(signer, 'sign')
}

/** Keys of files, those that are pinned found to be what they should be. */
export async function readReferences(
  references: readonly KeyReference[],
  use: 'encrypt' | 'sign',
): Promise<PublicKeyFile[]> {
  const found: PublicKeyFile[] = []
  for (const { file, fingerprint } of references) {
    const keys = await readPublicKeys(file, await readKeyFile(file), { use })
    if (fingerprint !== undefined) checkPinned(keys, [fingerprint])
    found.push(...keys)
  }
  return found
}

/** @throws Failure `key` */
export async function readKeyFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new Failure('key', `cannot read key file ${path}: ${systemReason(cause)}`, {
      hint: 'paths in pgveil.yaml count from where it lies',
      cause,
    })
  }
}

function usable(keys: PublicKeyFile[], whose: string): PublicKeyFile[] {
  for (const { fingerprint, path, problems } of keys) {
    const [problem] = problems
    if (problem === undefined) continue
    throw new Failure('key', `key ${fingerprint} of ${whose} in ${path} ${problem}`, {
      hint: 'replace it or take it out of backup: in pgveil.yaml; pgveil keys check looks at all keys',
    })
  }
  return keys
}

/**
 * The private key of this host, unlocked.
 *
 * @throws Failure `config` where none is set; `key` where it cannot be used, or nobody would believe it
 */
export async function loadSigningKey(
  { signingKey, signingPassphrase }: BackupSettings,
  signers: readonly PublicKeyFile[],
  env: NodeJS.ProcessEnv,
): Promise<SigningKey> {
  if (signingKey === undefined) {
    throw new Failure('config', 'backup.signingKey is not set: backups are signed', {
      hint: 'name the private key of this host; pgveil keys init makes a set for a trial',
    })
  }
  const [file, ...more] = await readPrivateKeys(signingKey, await readKeyFile(signingKey))
  if (!file || more.length > 0) {
    throw new Failure('key', `${signingKey} holds ${more.length + 1} keys; one is signed with`)
  }
  const signer = signers.find(({ fingerprint }) => fingerprint === file.fingerprint)
  if (!signer) {
    throw new Failure('key', `nobody would believe key ${file.fingerprint} in ${signingKey}`, {
      hint: 'put its public key among backup.signer',
    })
  }
  usable([signer], 'the signer')
  const passphrase = signingPassphrase && (await readSecretText(signingPassphrase, env))
  return unlockKey(file, passphrase)
}
