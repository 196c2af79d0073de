import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'
import { sealEnvelope } from '../seal/envelope.ts'
import { together } from '../jobs/together.ts'
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

/** What is not sealed, as the manifest lists it. */
export function plainObject(name: string, bytes: Buffer): ManifestObject {
  return { name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

/**
 * Stores the envelopes, the first objects under a label: each run has a secret of its own, and so, of two runs that
 * have come upon the same label, only one can store its first envelope. The others follow side by side.
 *
 * @throws Failure `store`; `refused` where another run has that label
 */
export async function claimLabel(
  store: Store,
  label: string,
  keys: SealingKeys,
  secret: Secret,
): Promise<Envelope[]> {
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
  const write = ({ side, content }: (typeof parts)[number]) =>
    writeEnvelope(store, label, side, content)
  const [claiming, ...others] = parts
  try {
    const claimed = claiming ? [await write(claiming)] : []
    return [...claimed, ...(await together(others.map(write)))]
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'refused') throw error
    throw labelTaken(label, error)
  } finally {
    // Those that are not halves of the secret itself.
    for (const { content } of parts)
      if (content !== secret.a && content !== secret.b) content.fill(0)
  }
}

/** @param cause what the store said */
export function labelTaken(label: string, cause?: unknown): Failure {
  return new Failure('refused', `something lies under ${label} in the store already`, {
    hint: 'another run began in the same second: wait for it; do two databases of one name share the store? then give each a name: in backup:',
    cause,
  })
}

/** What is stored below a label beside sealed objects and the manifest. */
export interface Beside {
  envelopes: Envelope[]
  /** What is not sealed, by its name. */
  plain: ReadonlyMap<string, Buffer>
}

/**
 * Stores what is not sealed, and the signatures; last of all the manifest: from then on there is a backup.
 *
 * @param isStill throws where there must be none; asked at the last moment
 * @throws Failure `store`; what `isStill` throws
 */
export async function commit(
  store: Store,
  manifest: Manifest,
  { envelopes, plain }: Beside,
  keys: SealingKeys,
  isStill: () => Promise<void> = async () => {},
): Promise<void> {
  const { label } = manifest
  const bytes = writeManifest(manifest)
  const list = writeEnvelopes(newEnvelopes(label, manifestDigest(bytes), envelopes))
  const sign = (content: Buffer) => signDetached(content, keys.signing)
  const [listSignature, signature] = [await sign(list), await sign(bytes)]
  await together([
    ...[...plain].map(([name, content]) => store.create(`${label}/${name}`, content)),
    store.create(`${label}/envelopes.json`, list, { lock: false }),
    store.create(`${label}/envelopes.json.asc`, listSignature, { lock: false }),
    store.create(`${label}/manifest.json.asc`, signature),
  ])
  await isStill()
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
