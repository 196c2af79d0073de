import { type Key, readKeys } from 'openpgp'
import { Failure } from '../errors.ts'

const ARMORED = /-----BEGIN PGP ([A-Z ]+)-----[^]*?-----END PGP \1-----/g
const PRIVATE = 'PRIVATE KEY BLOCK'
const PUBLIC = 'PUBLIC KEY BLOCK'

/**
 * All keys of a file: one or several armored blocks one after the other, with any text around them, or binary
 * packets as `gpg --export` writes them.
 *
 * @param path for messages
 * @throws Failure `key`; `onPrivate`'s for a private key, even one that cannot be read otherwise
 */
export async function readKeyBlocks(
  path: string,
  bytes: Uint8Array,
  onPrivate?: () => Failure,
): Promise<Key[]> {
  const blocks = [...Buffer.from(bytes).toString('latin1').matchAll(ARMORED)]
  if (onPrivate && blocks.some((block) => block[1] === PRIVATE)) throw onPrivate()
  const other = blocks.find((block) => block[1] !== PRIVATE && block[1] !== PUBLIC)
  if (other) throw new Failure('key', `${path} holds a PGP ${other[1]} where keys are wanted`)
  const keys = await parse(path, blocks, bytes)
  if (onPrivate && keys.some((key) => key.isPrivate())) throw onPrivate()
  return keys
}

async function parse(path: string, blocks: RegExpMatchArray[], bytes: Uint8Array): Promise<Key[]> {
  try {
    if (blocks.length === 0) return await readKeys({ binaryKeys: bytes })
    const lists = await Promise.all(blocks.map(([armoredKeys]) => readKeys({ armoredKeys })))
    return lists.flat()
  } catch (cause) {
    throw new Failure('key', `${path} holds no OpenPGP key that can be read`, {
      hint: 'export a key with: gpg --armor --export <fingerprint>',
      cause,
    })
  }
}

/** A fingerprint as gpg prints it, without spaces. */
export function fingerprintOf(key: Pick<Key, 'getFingerprint'>): string {
  return key.getFingerprint().toUpperCase()
}
