import { createHash } from 'node:crypto'
import { sealEnvelope } from '../seal/envelope.ts'
import { halfDigest, passphraseOf, type Secret } from '../seal/secret.ts'
import { signDetached } from '../seal/signature.ts'
import type { Store } from '../store/store.ts'
import { envelopeName, newEnvelopes, writeEnvelopes, type Envelope } from './envelopes.ts'
import type { SealingKeys, SideKeys } from './keys.ts'
import { manifestDigest, writeManifest, type Manifest, type ManifestObject } from './manifest.ts'

/** What opens one side's part: its half, or all of it where there is only one side. */
export function sideSecret(secret: Secret, side: number, sides: number): Buffer {
  if (sides === 1) return passphraseOf(secret)
  return side === 0 ? secret.a : secret.b
}

/** The sides as the manifest names them. */
export function manifestSides(keys: SealingKeys, secret: Secret): Manifest['seal']['sides'] {
  return keys.sides.map((side, i) => ({
    name: side.name,
    half: halfDigest(sideSecret(secret, i, keys.sides.length)),
    recipients: side.keys.map(({ fingerprint }) => fingerprint),
  }))
}

/** Stores what is not sealed, and lists it like the rest. */
export async function writePlain(
  store: Store,
  label: string,
  name: string,
  text: string,
): Promise<ManifestObject> {
  const bytes = Buffer.from(text)
  await store.create(`${label}/${name}`, bytes)
  return { name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/**
 * Stores envelopes and signatures, and last of all the manifest: from then on there is a backup.
 *
 * @throws Failure `store`; `refused` where there is a manifest of that label already
 */
export async function commit(
  store: Store,
  manifest: Manifest,
  keys: SealingKeys,
  secret: Secret,
): Promise<void> {
  const { label } = manifest
  const bytes = writeManifest(manifest)
  const parts: { side: SideKeys; content: Buffer }[] = keys.sides.map((side, i) => ({
    side,
    content: sideSecret(secret, i, keys.sides.length),
  }))
  if (keys.verifier.length > 0) {
    parts.push({
      side: { name: 'verifier', keys: keys.verifier },
      content: passphraseOf(secret),
    })
  }
  const envelopes: Envelope[] = []
  for (const { side, content } of parts) {
    envelopes.push(await writeEnvelope(store, label, side, content))
  }
  const list = writeEnvelopes(newEnvelopes(label, manifestDigest(bytes), envelopes))
  const sign = (content: Buffer) => signDetached(content, keys.signing)
  await store.create(`${label}/envelopes.json`, list, { lock: false })
  await store.create(`${label}/envelopes.json.asc`, await sign(list), { lock: false })
  await store.create(`${label}/manifest.json.asc`, await sign(bytes))
  await store.create(`${label}/manifest.json`, bytes)
}

/**
 * Stores an envelope of a side. Envelopes are not locked: the verifier's goes, the others are written anew for new
 * custodians.
 *
 * @param number that no envelope of that side has yet
 * @throws Failure `store`; `refused` where there is an envelope of that number
 */
export async function writeEnvelope(
  store: Store,
  label: string,
  { name, keys }: SideKeys,
  content: Buffer,
  number = 1,
): Promise<Envelope> {
  const armored = await sealEnvelope(
    content,
    keys.map(({ key }) => key),
  )
  await store.create(`${label}/${envelopeName(name, number)}`, armored, { lock: false })
  return {
    side: name,
    number,
    recipients: keys.map(({ fingerprint }) => fingerprint),
    size: armored.length,
    sha256: createHash('sha256').update(armored).digest('hex'),
  }
}
