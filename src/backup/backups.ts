import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'
import { verifyDetached } from '../seal/signature.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { NONE_PRUNED, readPruned, type PrunedBackups } from '../retention/pruned.ts'
import type { Store } from '../store/store.ts'
import {
  currentGeneration,
  envelopeName,
  envelopeOf,
  listName,
  listSignatureName,
  readEnvelopes,
  type Envelopes,
} from './envelopes.ts'
import {
  LABEL,
  manifestDigest,
  readManifest,
  type Manifest,
  type ManifestObject,
} from './manifest.ts'
import { readWhole } from './read-whole.ts'

export { readWhole } from './read-whole.ts'

/** Names and sizes of what lies under a label. */
export type Files = ReadonlyMap<string, number>

/** Bytes of all of them. */
export function storedBytes(files: Files): number {
  return [...files.values()].reduce((sum, size) => sum + size, 0)
}

/** A backup whose manifest is there, signed by somebody who is believed. */
export interface Backup {
  label: string
  manifest: Manifest
  /** SHA-256 of the manifest. */
  digest: string
  /** Fingerprint of the key that signed it. */
  signedBy: string
  envelopes: Envelopes
  files: Files
}

/** No manifest is longer. */
const MOST_MANIFEST = 256 * 1024 * 1024

/** What the store holds, by label; names are relative to the label. */
export async function scanStore(store: Store, label?: string): Promise<Map<string, Files>> {
  const found = new Map<string, Map<string, number>>()
  for await (const { name, size } of store.list(label === undefined ? '' : `${label}/`)) {
    const slash = name.indexOf('/')
    const under = name.slice(0, slash)
    if (slash < 0 || !LABEL.safeParse(under).success) continue
    const files = found.get(under) ?? new Map<string, number>()
    found.set(under, files.set(name.slice(slash + 1), size))
  }
  return found
}

/**
 * Opens a backup as far as that goes without any key: signature, format, the list of its envelopes, presence and size
 * of every object.
 *
 * @throws Failure `integrity` that names the object which is wrong; `store`
 */
export async function openBackup(
  store: Store,
  label: string,
  files: Files,
  signers: readonly PublicKeyFile[],
): Promise<Backup> {
  const read = (name: string, most?: number) => readWhole(store, `${label}/${name}`, most)
  const believed = signers.map(({ key }) => key)
  const readSignature = async (name: string) => onlyOne(await read(name), `${label}/${name}`)
  const bytes = await read('manifest.json', MOST_MANIFEST)
  const signature = await readSignature('manifest.json.asc')
  const { fingerprint } = await named(`${label}/manifest.json`, () =>
    verifyDetached(bytes, signature, believed),
  )
  const manifest = readManifest(bytes, label)
  const digest = manifestDigest(bytes)
  const generation = currentGeneration(files.keys())
  const list = await read(listName(generation))
  const listSignature = await readSignature(listSignatureName(generation, list))
  await named(`${label}/${listName(generation)}`, () =>
    verifyDetached(list, listSignature, believed),
  )
  const backup: Backup = {
    label,
    manifest,
    digest,
    signedBy: fingerprint,
    envelopes: readEnvelopes(list, label, digest, generation),
    files,
  }
  checkSides(backup)
  checkFiles(backup)
  await checkPlain(store, backup)
  await checkEnvelopes(store, backup)
  return backup
}

/** A signature stands alone in its object: beside it nothing could be trusted that a person reads there. */
function onlyOne(armored: Buffer, name: string): Buffer {
  const begin = '-----BEGIN PGP SIGNATURE-----'
  const end = '-----END PGP SIGNATURE-----'
  const text = armored.toString('latin1').trim()
  if (text.startsWith(begin) && text.indexOf(end) === text.length - end.length) return armored
  throw new Failure('integrity', `${name} is not a signature, or something was added to it`)
}

/**
 * {@link openBackup}, where others may be at work: what looks damaged by a list of names that was made a while ago is looked
 * at once more.
 *
 * @returns undefined where retention has removed it meanwhile
 */
async function openCurrent(
  store: Store,
  label: string,
  files: Files,
  signers: readonly PublicKeyFile[],
): Promise<Backup | undefined> {
  try {
    return await openBackup(store, label, files, signers)
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
    if (!files.has('manifest.json')) throw error
    const now = (await scanStore(store, label)).get(label)
    return now?.has('manifest.json') ? openBackup(store, label, now, signers) : undefined
  }
}

/**
 * Opens every label that has a manifest. What is damaged comes with what is wrong; and what retention has removed from
 * these chains.
 */
export async function openBackups(
  store: Store,
  labels: ReadonlyMap<string, Files>,
  signers: readonly PublicKeyFile[],
): Promise<{ backups: Backup[]; damaged: Map<string, Failure>; pruned: PrunedBackups }> {
  const backups: Backup[] = []
  const damaged = new Map<string, Failure>()
  for (const [label, files] of labels) {
    if (!files.has('manifest.json')) continue
    try {
      const backup = await openCurrent(store, label, files, signers)
      if (backup) backups.push(backup)
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
      damaged.set(label, error)
    }
  }
  const names = new Set(backups.map(({ manifest }) => manifest.name))
  return { backups, damaged, pruned: await readPruned(store, signers, names) }
}

/** Says which object a failure of `work` is about. */
async function named<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.kind, `${name}: ${error.message}`, {
      ...(error.hint && { hint: error.hint }),
      cause: error,
    })
  }
}

function checkSides({ manifest, envelopes }: Backup): void {
  for (const { name } of manifest.seal.sides) envelopeOf(envelopes, name)
}

function checkFiles({ label, manifest, files }: Backup): void {
  const [wrong] = wrongFiles(label, manifest.objects, files)
  if (wrong !== undefined) throw new Failure('integrity', wrong)
}

/** A sentence for each object that is missing, or has another size. */
export function wrongFiles(
  label: string,
  objects: readonly ManifestObject[],
  files: Files,
): string[] {
  return objects.flatMap(({ name, size }) => {
    const found = files.get(name)
    if (found === size) return []
    const how = found === undefined ? 'is missing' : `has ${found} bytes instead of ${size}`
    return [`${label}/${name} ${how}`]
  })
}

/** What is not sealed is for people who have nothing else: somebody may run restore.sh. */
async function checkPlain(store: Store, { label, manifest }: Backup): Promise<void> {
  for (const { name, content, sha256 } of manifest.objects) {
    if (content !== undefined) continue
    const bytes = await readWhole(store, `${label}/${name}`)
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new Failure('integrity', `${label}/${name} was changed: its SHA-256 is another`)
  }
}

/** The verifier's may be gone: it is destroyed once it has done its work. */
async function checkEnvelopes(store: Store, { label, envelopes, files }: Backup): Promise<void> {
  for (const { side, number, sha256 } of envelopes.envelopes) {
    const name = envelopeName(side, number)
    if (side === 'verifier' && !files.has(name)) continue
    const bytes = await readWhole(store, `${label}/${name}`)
    if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new Failure('integrity', `${label}/${name} is not the envelope that was signed`)
    }
  }
}

/**
 * What is wrong with a chain of backups: one line each, which names the backup.
 *
 * @param pruned what retention has removed: a gap of nothing else is none
 */
export function chainProblems(
  backups: readonly Backup[],
  pruned: PrunedBackups = NONE_PRUNED,
): { label: string; message: string }[] {
  const byLabel = new Map(backups.map((backup) => [backup.label, backup]))
  const problems: { label: string; message: string }[] = []
  const sequences = new Map<string, string>()
  for (const { label, manifest } of backups.toSorted(
    (a, b) => a.manifest.sequence - b.manifest.sequence,
  )) {
    const { name, sequence } = manifest
    const twin = sequences.get(`${name} ${sequence}`)
    if (twin !== undefined)
      problems.push({ label, message: `has the number of ${twin}: ${sequence}` })
    sequences.set(`${name} ${sequence}`, label)
    const message = problemBefore(manifest, byLabel, pruned)
    if (message !== undefined) problems.push({ label, message })
  }
  return problems
}

/** Follows a chain back, through what was pruned, to the next backup that is there, or to its beginning. */
function problemBefore(
  { sequence, previous }: Manifest,
  byLabel: ReadonlyMap<string, Backup>,
  pruned: PrunedBackups,
): string | undefined {
  let number = sequence
  let at = previous
  while (at !== null) {
    const before = byLabel.get(at.label)
    const gone = before ? undefined : pruned.entries.get(at.label)
    const found = before
      ? { digest: before.digest, number: before.manifest.sequence }
      : gone && { digest: gone.sha256, number: gone.sequence }
    if (!found) return `follows ${at.label}, which is missing`
    if (found.digest !== at.sha256) return `follows another ${at.label} than is here`
    if (found.number !== number - 1) return `is number ${number} after ${found.number}`
    if (before) return undefined
    number = found.number
    at = gone?.previous ?? null
  }
  return number === 1 ? undefined : `is number ${number} and follows none`
}

/** The last backup of a chain, by number. */
export function lastOf(backups: readonly Backup[], name: string): Backup | undefined {
  return backups
    .filter(({ manifest }) => manifest.name === name)
    .toSorted((a, b) => a.manifest.sequence - b.manifest.sequence)
    .at(-1)
}

/**
 * The backup to work with: the one of that label, or the latest.
 *
 * @throws Failure `usage` where it is not there or not clear which is meant; `integrity` where it or its chain is damaged
 */
export async function findBackup(
  store: Store,
  signers: readonly PublicKeyFile[],
  { label, name }: { label: string | undefined; name: string | undefined },
): Promise<Backup> {
  const labels = await scanStore(store)
  if (label !== undefined) {
    const files = labels.get(label)
    if (!files) {
      throw new Failure('usage', `${store.label} holds no backup ${label}`, {
        hint: 'pgveil list shows what is there',
      })
    }
    const backup = await openCurrent(store, label, files, signers)
    if (!backup) throw new Failure('usage', `${store.label} does not hold ${label} any more`)
    await checkNeighbours(store, labels, backup, signers)
    return backup
  }
  const { backups, damaged, pruned } = await openBackups(store, labels, signers)
  const names = [...new Set(backups.map(({ manifest }) => manifest.name))]
  if (name === undefined && names.length > 1) {
    throw new Failure('usage', `${store.label} holds backups of ${names.join(', ')}`, {
      hint: 'say which with --name, or give a --label',
    })
  }
  const chosen = name ?? names[0]
  const latest = chosen === undefined ? undefined : lastOf(backups, chosen)
  const [worst] = [...damaged].filter(([at]) => latest === undefined || at > latest.label)
  if (worst) throw worst[1]
  if (!latest) {
    throw new Failure('usage', `${store.label} holds no backup${name ? ` of ${name}` : ''}`)
  }
  const [problem] = chainProblems(backups, pruned).filter((one) => one.label === latest.label)
  if (problem) throw new Failure('integrity', `${problem.label} ${problem.message}`)
  return latest
}

/** The backup before, where it is there, is the one this follows. */
async function checkNeighbours(
  store: Store,
  labels: ReadonlyMap<string, Files>,
  backup: Backup,
  signers: readonly PublicKeyFile[],
): Promise<void> {
  const { previous } = backup.manifest
  const files = previous && labels.get(previous.label)
  if (!previous || !files?.has('manifest.json')) return
  const before = await openBackup(store, previous.label, files, signers).catch((error: unknown) => {
    if (error instanceof Failure && error.kind === 'integrity') return undefined
    throw error
  })
  const [problem] = before
    ? chainProblems([before, backup]).filter((one) => one.label === backup.label)
    : []
  if (problem) throw new Failure('integrity', `${problem.label} ${problem.message}`)
}
