import { decrypt, decryptKey, type PrivateKey, readMessage } from 'openpgp'
import { Failure } from '../errors.ts'
import { type Envelope, type EnvelopeOpener, noKeyFor } from './envelope.ts'
import { fingerprintOf, readKeyBlocks } from './key-blocks.ts'
import { PROFILE } from './profile.ts'

/** A private key as it stands in a file. */
export interface PrivateKeyFile {
  path: string
  /** 40 upper case hex digits. */
  fingerprint: string
  userIds: string[]
  /** Whether it needs a passphrase. */
  locked: boolean
  key: PrivateKey
}

/**
 * The private keys of a file; public ones beside them are left out.
 *
 * @param path of the file, for messages
 * @throws Failure `key` where there is none
 */
export async function readPrivateKeys(path: string, bytes: Uint8Array): Promise<PrivateKeyFile[]> {
  const files: PrivateKeyFile[] = []
  for (const key of await readKeyBlocks(path, bytes)) {
    if (!key.isPrivate()) continue
    const parts = key.getKeys().map((part) => part.keyPacket)
    files.push({
      path,
      fingerprint: fingerprintOf(key),
      userIds: key.getUserIDs(),
      locked: parts.some((part) => isPrivatePart(part) && isLocked(part)),
      key,
    })
  }
  if (files.length === 0)
    throw new Failure('key', `${path} holds public keys where a private key is wanted`)
  return files
}

type Part = ReturnType<PrivateKey['getKeys']>[number]['keyPacket']
type PrivatePart = Part & { isMissingSecretKeyMaterial(): boolean }

function isPrivatePart(part: Part): part is PrivatePart {
  return 'isMissingSecretKeyMaterial' in part
}

function isLocked(part: PrivatePart): boolean {
  return !part.isMissingSecretKeyMaterial() && part.isDecrypted() === false
}

/**
 * The key, ready for use. openpgp.js takes the passphrase as a string, so a copy of it stays in memory until it is
 * collected.
 *
 * @throws Failure `key` where the passphrase is missing or wrong
 */
export async function unlockKey(
  file: PrivateKeyFile,
  passphrase: Buffer | undefined,
): Promise<PrivateKey> {
  const name = `key ${file.fingerprint} in ${file.path}`
  if (!file.locked) return file.key
  if (!passphrase || passphrase.length === 0) throw new Failure('key', `${name} needs a passphrase`)
  try {
    return await decryptKey({ privateKey: file.key, passphrase: passphrase.toString('utf8') })
  } catch (cause) {
    const isWrong = cause instanceof Error && cause.message.includes('passphrase')
    throw new Failure(
      'key',
      isWrong ? `the passphrase of ${name} is wrong` : `${name} cannot be unlocked`,
      { cause },
    )
  }
}

/** Opens envelopes with private keys that are at hand, unlocked. */
export class KeyRing implements EnvelopeOpener {
  readonly #keys: PrivateKey[]

  constructor(keys: PrivateKey[]) {
    this.#keys = keys
  }

  async decrypt(envelope: Envelope): Promise<Buffer> {
    this.#checkFits(envelope.keyIds)
    try {
      const { data } = await decrypt({
        message: await readMessage({ binaryMessage: envelope.bytes }),
        decryptionKeys: this.#keys,
        format: 'binary',
        config: PROFILE,
      })
      return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    } catch (cause) {
      throw new Failure('integrity', 'the envelope is damaged: it does not open with its own key', {
        cause,
      })
    }
  }

  #checkFits(keyIds: readonly string[]): void {
    const parts = this.#keys.flatMap((key) => key.getKeys())
    const fitting = parts
      .filter((part) => keyIds.includes(part.getKeyID().toHex().toUpperCase()))
      .map((part) => part.keyPacket)
    if (fitting.length === 0) throw noKeyFor(keyIds)
    if (fitting.every((part) => !isPrivatePart(part) || part.isMissingSecretKeyMaterial()))
      throw new Failure('key', 'the key file lacks the part that decrypts', {
        hint: 'where that part is on a card, open the envelope through gpg',
      })
  }
}
