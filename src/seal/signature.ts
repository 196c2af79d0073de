import {
  createMessage,
  enums,
  type Key,
  type LiteralDataPacket,
  type PrivateKey,
  readSignature,
  sign,
  type SignaturePacket,
  type Subkey,
} from 'openpgp'
import { Failure } from '../errors.ts'
import { fingerprintOf } from './key-blocks.ts'
import { PROFILE } from './profile.ts'

/**
 * A detached signature of a binary document, armored: what `gpg --verify` takes.
 *
 * @param signingKey unlocked
 * @throws Failure `key` where the key cannot sign (any more)
 */
export async function signDetached(bytes: Uint8Array, signingKey: PrivateKey): Promise<Buffer> {
  try {
    const message = await createMessage({ binary: bytes })
    const armored = await sign({
      message,
      signingKeys: signingKey,
      detached: true,
      config: PROFILE,
    })
    return Buffer.from(armored)
  } catch (cause) {
    throw new Failure('key', `key ${fingerprintOf(signingKey)} cannot sign`, {
      hint: 'it is expired, revoked, locked or not for signing; pgveil keys check tells which',
      cause,
    })
  }
}

/** Who signed, and when by the signer's clock. */
export interface VerifiedSignature {
  /** Of the signer's primary key. */
  fingerprint: string
  at: Date
}

/**
 * Verifies a detached signature. It counts when its key was valid at the time it was made, even where that key has
 * expired, or was retired, since. It does not where the key was revoked as compromised, or without a reason: then
 * nobody knows who made it.
 *
 * Of several signatures one has to hold.
 *
 * @param signature armored
 * @param signers whose signatures count
 * @param at the time of verifying; a signature from after it does not count
 * @throws Failure `integrity`
 */
export async function verifyDetached(
  bytes: Uint8Array,
  signature: Uint8Array,
  signers: readonly Key[],
  at: Date = new Date(),
): Promise<VerifiedSignature> {
  const packets = await readSignatures(signature)
  const message = await createMessage({ binary: bytes })
  const literal = message.packets.findPacket(enums.packet.literalData) as LiteralDataPacket
  let reason: { message: string; cause?: unknown } | undefined
  for (const packet of packets) {
    for (const [signer, part] of issuers(packet, signers)) {
      try {
        await packet.verify(part.keyPacket, enums.signature.binary, literal, at, true)
        await checkValidThen(signer, part, packet.created!)
        return { fingerprint: fingerprintOf(signer), at: packet.created! }
      } catch (cause) {
        reason = { message: `by key ${fingerprintOf(signer)} is not valid`, cause }
      }
    }
  }
  const unknown = packets.map((packet) => packet.issuerKeyID.toHex().toUpperCase()).join(', ')
  throw new Failure(
    'integrity',
    `the signature ${reason?.message ?? `is by an unknown key: ${unknown}`}`,
    { cause: reason?.cause },
  )
}

async function readSignatures(armored: Uint8Array): Promise<SignaturePacket[]> {
  try {
    const text = Buffer.from(armored).toString('latin1')
    const { packets } = await readSignature({ armoredSignature: text })
    const found = Array.from(packets.filterByTag(enums.packet.signature)).filter(
      (packet) => packet.signatureType === enums.signature.binary && packet.created !== null,
    )
    if (found.length > 0) return found
  } catch (cause) {
    throw new Failure('integrity', 'the signature is damaged, or not a signature', { cause })
  }
  throw new Failure('integrity', 'the signature is not one of a binary document')
}

function issuers(packet: SignaturePacket, signers: readonly Key[]): [Key, Key | Subkey][] {
  return signers.flatMap((signer) =>
    signer.getKeys(packet.issuerKeyID).map((part): [Key, Key | Subkey] => [signer, part]),
  )
}

/**
 * Throws unless the key was there and in force at that time. Where its owner has prolonged it since and gave it out
 * without the older signatures on itself (`gpg --export-options export-minimal`), those of today say when it ends.
 */
async function checkValidThen(signer: Key, part: Key | Subkey, time: Date): Promise<void> {
  if (part.getCreationTime() > time) throw new Error('the key is newer than the signature')
  try {
    await signer.getSigningKey(part.getKeyID(), time)
  } catch (error) {
    await signer.getSigningKey(part.getKeyID(), null)
    const ends = [await signer.getExpirationTime()]
    const subkey = signer.subkeys.find((each) => fingerprintOf(each) === fingerprintOf(part))
    if (subkey) ends.push(await subkey.getExpirationTime())
    if (ends.some((end) => end === null || end <= time)) throw error
  }
}
