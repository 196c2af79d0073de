import { z } from '../config/zod.ts'
import { readJson } from '../config/json.ts'
import { Failure } from '../errors.ts'
import type { SigningKey } from '../backup/keys.ts'
import { createSigned, readSigned, signatureName } from '../backup/signed-object.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'

/**
 * Which backups retention has removed, by chain, signed like the backups themselves: a gap in a chain that stands here
 * is none, and nobody else can make one look like that.
 */
const FORMAT = 'pgveil pruned 1'
const FOLDER = 'pruned'

const HEX_256 = z.string().regex(/^[0-9a-f]{64}$/)
const ENTRY = z.strictObject({
  label: z.string(),
  sequence: z.int().min(1),
  /** SHA-256 of its manifest. */
  sha256: HEX_256,
  /** The one that it followed, as its manifest said. */
  previous: z.strictObject({ label: z.string(), sha256: HEX_256 }).nullable(),
  /** When it was decided: ISO 8601, UTC. */
  at: z.iso.datetime(),
  /** User and machine. */
  by: z.string(),
})

const PRUNED = z.strictObject({
  format: z.literal(FORMAT),
  /** The chain. */
  name: z.string(),
  /** 1, and one more with each change; the highest counts. */
  generation: z.int().min(1),
  entries: z.array(ENTRY),
})

export type PrunedEntry = z.infer<typeof ENTRY>
type PrunedList = z.infer<typeof PRUNED>

/** What is known of backups that retention removed. */
export interface PrunedBackups {
  /** By label. */
  entries: ReadonlyMap<string, PrunedEntry>
  /** Lists that are not believed, and why: they count as absent. */
  doubts: string[]
}

export const NONE_PRUNED: PrunedBackups = { entries: new Map(), doubts: [] }

const LISTED = /^pruned\/([a-z0-9][a-z0-9_-]{0,62})\.(\d+)\.json$/

function listName(name: string, generation: number): string {
  return `${FOLDER}/${name}.${generation}.json`
}

/**
 * Reads what was pruned.
 *
 * @param names of the chains that matter
 * @throws Failure `store`
 */
export async function readPruned(
  store: Store,
  signers: readonly PublicKeyFile[],
  names: ReadonlySet<string>,
): Promise<PrunedBackups> {
  const doubts: string[] = []
  const entries = new Map<string, PrunedEntry>()
  for (const [name, generations] of await listGenerations(store)) {
    if (!names.has(name)) continue
    const believed = await readNewest(store, signers, name, generations, doubts)
    for (const entry of believed?.list.entries ?? []) entries.set(entry.label, entry)
  }
  return { entries, doubts }
}

/** Generations of each chain's list, highest first. */
async function listGenerations(store: Store): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  for await (const { name } of store.list(`${FOLDER}/`)) {
    const [, chain, generation] = LISTED.exec(name) ?? []
    if (chain === undefined) continue
    found.set(chain, [...(found.get(chain) ?? []), Number(generation)])
  }
  for (const generations of found.values()) generations.sort((a, b) => b - a)
  return found
}

interface Believed {
  list: PrunedList
  digest: string
}

/** The highest generation that somebody believed has signed. */
async function readNewest(
  store: Store,
  signers: readonly PublicKeyFile[],
  name: string,
  generations: readonly number[],
  doubts: string[],
): Promise<Believed | undefined> {
  for (const generation of generations) {
    const object = listName(name, generation)
    try {
      const { bytes, digest } = await readSigned(store, object, signers)
      return { list: parse(bytes, object, name, generation), digest }
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
      doubts.push(`${object} is not believed: ${error.message}`)
    }
  }
  return undefined
}

function parse(bytes: Buffer, object: string, name: string, generation: number): PrunedList {
  const data = readJson(bytes, PRUNED)
  if (!data) throw new Failure('integrity', 'it is no list of pruned backups')
  if (data.name !== name || data.generation !== generation)
    throw new Failure('integrity', `it is not what belongs under the name ${object}`)
  return data
}

export interface PruneNote {
  signers: readonly PublicKeyFile[]
  signing: SigningKey
  /** The chain. */
  name: string
  /** What is about to be removed. */
  entries: readonly PrunedEntry[]
  /** Labels that stay: where an earlier run noted one and did not come to it, the note goes. */
  staying: ReadonlySet<string>
}

/**
 * Notes what is about to be removed, before it is: from then on the chain may have these gaps.
 *
 * @throws Failure `refused` where another run notes something at the same time; `store`
 */
export async function notePruned(store: Store, note: PruneNote): Promise<void> {
  const { signers, signing, name, staying } = note
  const generations = (await listGenerations(store)).get(name) ?? []
  const before = await readNewest(store, signers, name, generations, [])
  const byLabel = new Map(
    [...(before?.list.entries ?? []), ...note.entries].map((entry) => [entry.label, entry]),
  )
  const generation = (generations[0] ?? 0) + 1
  const list: PrunedList = {
    format: FORMAT,
    name,
    generation,
    entries: [...byLabel.values()]
      .filter(({ label }) => !staying.has(label))
      .toSorted((a, b) => a.sequence - b.sequence),
  }
  const bytes = Buffer.from(`${JSON.stringify(PRUNED.parse(list), null, 1)}\n`)
  await createSigned(store, listName(name, generation), bytes, signing, { lock: false })
  if (!before) return
  // All of it stands in the new one. What is left of it, where the store refuses, nobody reads.
  const former = listName(name, before.list.generation)
  await store.delete([former, signatureName(former, before.digest)]).catch(() => undefined)
}
