import { randomFillSync } from 'node:crypto'
import { armor, encryptSessionKey, enums, type Key, unarmor } from 'openpgp'
import { Failure } from '../errors.ts'
import { encryptedPacket } from './encrypted-packet.ts'
import { fingerprintOf } from './key-blocks.ts'
import { listPackets } from './packet-list.ts'
import { PROFILE } from './profile.ts'
import { secretBytes } from './secret.ts'

/** An envelope whose form was checked. */
export interface Envelope {
  /** OpenPGP packets, not armored. */
  bytes: Buffer
  /** Of the keys, or subkeys, that open it: 16 upper case hex digits each. */
  keyIds: readonly string[]
}

/** Whatever holds private keys: a `KeyRing`, or gpg with its agent and cards. */
export interface EnvelopeOpener {
  /**
   * @throws Failure `key` where no key fits or it cannot be used, `integrity` where the envelope was changed
   */
  decrypt(envelope: Envelope): Promise<Buffer>
}

/** An envelope for 30 keys of RSA 8192 is smaller; anything larger is none. */
export const MAX_ENVELOPE_BYTES = 64 * 1024

const SESSION_KEY_BYTES = 32

/** Public-key encrypted session key packet; version 3 is followed by the key's id. */
const SESSION_KEY_TAG = 1
const SESSION_KEY_VERSION = 3
/** Encrypted and integrity-protected packet. */
const ENCRYPTED_TAG = 18
const ENCRYPTED_VERSION = 1

/**
 * Encrypts a half to the keys of a side, any one of which opens it. The ids of the keys can be read, so that
 * custodians know which card to fetch.
 *
 * @returns armored text
 * @throws Failure `key` for a recipient that cannot be encrypted to
 */
export async function sealEnvelope(content: Buffer, recipients: Key[]): Promise<Buffer> {
  if (recipients.length === 0) throw new Failure('key', 'an envelope needs a recipient')
  await Promise.all(recipients.map(checkRecipient))
  // Given, not left to the library: it would take AES-128 where one of the keys does not ask for AES-256.
  const sessionKey = randomFillSync(secretBytes(SESSION_KEY_BYTES))
  try {
    const keyPackets = await encryptSessionKey({
      data: sessionKey,
      algorithm: 'aes256',
      encryptionKeys: recipients,
      format: 'binary',
      config: PROFILE,
    })
    const bytes = Buffer.concat([keyPackets, encryptedPacket(sessionKey, content)])
    // gpg 2.2 misreads a message without a checksum where its base64 needs no padding.
    const checksum = true
    return Buffer.from(armor(enums.armor.message, bytes, undefined, undefined, undefined, checksum))
  } finally {
    sessionKey.fill(0)
  }
}

async function checkRecipient(key: Key): Promise<void> {
  try {
    await key.getEncryptionKey()
  } catch (cause) {
    throw new Failure('key', `key ${fingerprintOf(key)} cannot be encrypted to`, {
      hint: 'it is expired, revoked, too weak or not for encryption; pgveil keys check tells which',
      cause,
    })
  }
}

/**
 * What is in an envelope.
 *
 * @throws Failure `key` where no key fits, it cannot be used, or its holder declined; `integrity` where the envelope
 *   was changed or is none
 */
export async function openEnvelope(armored: Buffer, opener: EnvelopeOpener): Promise<Buffer> {
  return opener.decrypt(await readEnvelope(armored))
}

/**
 * Checks the form before anybody opens it: public-key packets and one encrypted packet. gpg would as well hand out a
 * message that is not encrypted at all, or one for a password.
 *
 * @throws Failure `integrity`
 */
export async function readEnvelope(armored: Buffer): Promise<Envelope> {
  const bytes = await unarmored(armored)
  const packets = listPackets(bytes) ?? []
  const encrypted = packets.pop()
  if (
    packets.length === 0 ||
    !packets.every(({ tag, body }) => tag === SESSION_KEY_TAG && body[0] === SESSION_KEY_VERSION) ||
    encrypted?.tag !== ENCRYPTED_TAG ||
    encrypted.body[0] !== ENCRYPTED_VERSION
  )
    throw noEnvelope()
  const keyIds = packets.map(({ body }) => body.toString('hex', 1, 9).toUpperCase())
  return { bytes, keyIds }
}

async function unarmored(armored: Buffer): Promise<Buffer> {
  if (armored.length > MAX_ENVELOPE_BYTES) throw noEnvelope()
  try {
    const { data, type } = await unarmor(armored.toString('latin1'))
    if (type === enums.armor.message && data instanceof Uint8Array) return Buffer.from(data)
  } catch (cause) {
    throw noEnvelope(cause)
  }
  throw noEnvelope()
}

function noEnvelope(cause?: unknown): Failure {
  return new Failure('integrity', 'the envelope is damaged, or not an envelope', { cause })
}

/** That none of the envelope's keys is there. */
export function noKeyFor(keyIds: readonly string[]): Failure {
  return new Failure(
    'key',
    `the envelope is for other keys: it opens with ${keyIds.join(' or ')}`,
    {
      hint: 'find the holder with: gpg --list-keys --with-subkey-fingerprint <key id>',
    },
  )
}
