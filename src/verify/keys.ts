import { readKeyFile, readReferences, type SigningKey } from '../backup/keys.ts'
import type { Opening } from '../backup/unlock.ts'
import type { VerifySettings } from '../config/operations.ts'
import { readSecretText, type SecretSource } from '../config/secret.ts'
import { Failure } from '../errors.ts'
import { KeyRing, readPrivateKeys, unlockKey } from '../seal/key-ring.ts'
import type { PublicKeyFile } from '../seal/keys.ts'

/** The keys whose verdicts are believed. */
export function loadVerdictSigners({ signer }: VerifySettings): Promise<PublicKeyFile[]> {
  return readReferences(signer, 'sign')
}

/**
 * The key that signs verdicts, checked before anything is done: it is believed, and can sign.
 *
 * @throws Failure `config`, `key`
 */
export async function loadVerdictKey(
  { signingKey, signingPassphrase }: VerifySettings,
  signers: readonly PublicKeyFile[],
  env: NodeJS.ProcessEnv,
): Promise<SigningKey> {
  if (signingKey === undefined) {
    throw new Failure('config', 'verify.signingKey is not set: verdicts are signed', {
      hint: 'name a private key of this host, and its public key as verify.signer',
    })
  }
  const file = await onlyKey(signingKey)
  const signer = signers.find(({ fingerprint }) => fingerprint === file.fingerprint)
  if (!signer) {
    throw new Failure('key', `nobody would believe key ${file.fingerprint} in ${signingKey}`, {
      hint: 'put its public key among verify.signer',
    })
  }
  const [problem] = signer.problems
  if (problem !== undefined) {
    throw new Failure('key', `key ${signer.fingerprint} in ${signer.path} ${problem}`)
  }
  return unlock(file, signingPassphrase, env)
}

/**
 * What the verifier opens backups with: its own key, which no custodian has.
 *
 * @throws Failure `config`, `key`
 */
export async function loadVerifierKey(
  { key, keyPassphrase }: VerifySettings,
  env: NodeJS.ProcessEnv,
): Promise<Opening> {
  if (key === undefined) {
    throw new Failure('config', 'verify.key is not set: the verifier opens backups with it', {
      hint: 'name the private key that belongs to backup.verifier; it lies on this host only',
    })
  }
  const file = await onlyKey(key)
  return { halves: new Map(), openers: [new KeyRing([await unlock(file, keyPassphrase, env)])] }
}

type PrivateKeyFile = Awaited<ReturnType<typeof readPrivateKeys>>[number]

async function onlyKey(path: string): Promise<PrivateKeyFile> {
  const [file, ...more] = await readPrivateKeys(path, await readKeyFile(path))
  if (file && more.length === 0) return file
  throw new Failure('key', `${path} holds ${more.length + 1} keys; one is wanted`)
}

async function unlock(
  file: PrivateKeyFile,
  source: SecretSource | undefined,
  env: NodeJS.ProcessEnv,
): Promise<SigningKey> {
  const passphrase = source && (await readSecretText(source, env))
  try {
    return await unlockKey(file, passphrase)
  } finally {
    passphrase?.fill(0)
  }
}
