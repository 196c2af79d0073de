import { Failure } from '../errors.ts'
import { readWhole, type Files } from '../backup/backups.ts'
import { manifestDigest } from '../backup/manifest.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { verifyDetached } from '../seal/signature.ts'
import type { Store } from '../store/store.ts'
import { readVerdict, type Verdict } from './verdict.ts'

const NAME = /^verdicts\/[0-9TZ]+\.json$/
const MOST_MANIFEST = 256 * 1024 * 1024
const MOST_VERDICT = 16 * 1024 * 1024

/** The verdicts on one backup, the oldest first, and what speaks against others that lie there. */
export interface Verdicts {
  verdicts: Verdict[]
  problems: string[]
}

/**
 * Reads the verdicts that lie beside a backup. One that is not signed by a key that is believed, or that is of another
 * backup, counts as absent, and is named.
 *
 * @param digest SHA-256 of the backup's manifest
 * @throws Failure `store`
 */
export async function readVerdicts(
  store: Store,
  { label, digest, files }: { label: string; digest: string; files: Files },
  signers: readonly PublicKeyFile[],
): Promise<Verdicts> {
  const found: Verdicts = { verdicts: [], problems: [] }
  const believed = signers.map(({ key }) => key)
  for (const name of [...files.keys()].filter((each) => NAME.test(each))) {
    try {
      const bytes = await readWhole(store, `${label}/${name}`, MOST_VERDICT)
      const signature = await readWhole(store, `${label}/${name}.asc`)
      await verifyDetached(bytes, signature, believed)
      found.verdicts.push(readVerdict(bytes, label, digest))
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
      found.problems.push(`${label}/${name} does not count: ${error.message}`)
    }
  }
  found.verdicts.sort((a, b) => (a.finished < b.finished ? -1 : 1))
  return found
}

/**
 * The verdict in force: the last that says something; undefined: none. A test that could not find out takes nothing back
 * of what another one did.
 */
export function lastVerdict({ verdicts }: Verdicts): Verdict | undefined {
  return verdicts.findLast(({ outcome }) => outcome !== 'incomplete') ?? verdicts.at(-1)
}

/**
 * The last verdict that was a pass, on a backup of that chain older than `before`.
 *
 * @throws Failure `store`
 */
export async function lastProven(
  store: Store,
  labels: ReadonlyMap<string, Files>,
  { chain, before }: { chain: string; before: string },
  signers: readonly PublicKeyFile[],
): Promise<Verdict | undefined> {
  const older = [...labels]
    .filter(([label, files]) => label.endsWith(`Z-${chain}`) && label < before && hasVerdict(files))
    .toSorted(([a], [b]) => (a < b ? 1 : -1))
  for (const [label, files] of older) {
    const digest = await digestOf(store, label, files)
    if (digest === undefined) continue
    const last = lastVerdict(await readVerdicts(store, { label, digest, files }, signers))
    if (last?.outcome === 'pass') return last
  }
  return undefined
}

function hasVerdict(files: Files): boolean {
  return [...files.keys()].some((name) => NAME.test(name))
}

/** A verdict says itself which manifest it is of: this one need not be believed. */
export async function digestOf(
  store: Store,
  label: string,
  files: Files,
): Promise<string | undefined> {
  if (!files.has('manifest.json')) return undefined
  return manifestDigest(await readWhole(store, `${label}/manifest.json`, MOST_MANIFEST))
}
