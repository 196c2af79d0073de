import { Failure } from '../errors.ts'
import type { Store } from '../store/store.ts'
import {
  chainProblems,
  lastOf,
  openBackups,
  scanStore,
  type Backup,
  type Files,
} from './backups.ts'
import type { SealingKeys } from './keys.ts'

/** A database's name as the end of a label. */
export function chainName(database: string): string {
  const name = database
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
  if (name) return name.slice(0, 63)
  throw new Failure('config', `no name for backups can be made of ${database}`, {
    hint: 'write backup: { name: … }',
  })
}

/**
 * Newest backups of a chain that a new one looks at; each takes the store some requests. A run that took longer than
 * those after it is older than what it follows. Where a clock was ahead, so that some are newer than the new one, all are
 * looked at.
 */
const LOOKED_AT = 3

/** Backups of that name. */
export function chainOf(found: ReadonlyMap<string, Files>, name: string): Map<string, Files> {
  return new Map(
    [...found].filter(
      ([label, files]) => label.endsWith(`Z-${name}`) && files.has('manifest.json'),
    ),
  )
}

/**
 * The backup that the one of `label` follows: the last of the newest, which is looked at together with the one before. A chain
 * that is damaged there is not added to; `list` looks at all of it.
 */
export async function findPrevious(
  store: Store,
  chain: ReadonlyMap<string, Files>,
  { keys: { signers }, name, label }: Pick<Known, 'keys' | 'name' | 'label'>,
): Promise<Backup | undefined> {
  const sorted = [...chain].toSorted(([a], [b]) => (a < b ? 1 : -1))
  const isAhead = sorted.some(([each]) => each > label)
  const newest = new Map(isAhead ? sorted : sorted.slice(0, LOOKED_AT))
  const { backups, damaged, pruned } = await openBackups(store, newest, signers)
  const last = lastOf(backups, name)
  const before = last?.manifest.previous?.label ?? ''
  const files = newest.has(before) ? undefined : chain.get(before)
  if (files) {
    const older = await openBackups(store, new Map([[before, files]]), signers)
    backups.push(...older.backups)
    for (const [label, failure] of older.damaged) damaged.set(label, failure)
  }
  const [first] = [...damaged.values()]
  if (first) throw first
  const [problem] = chainProblems(backups, pruned).filter(({ label }) => label === last?.label)
  if (!problem) return last
  throw new Failure('integrity', `${problem.label} ${problem.message}`, {
    hint: 'pgveil list shows the whole chain; under another name: in backup: a new one begins',
  })
}

/** What a run knows of its chain. */
export interface Known {
  store: Store
  keys: SealingKeys
  name: string
  /** Of the backup that it makes. */
  label: string
  /** Labels of the chain as the run found it. */
  chain: ReadonlySet<string>
  previous: Backup | undefined
}

/**
 * The end of the chain now: the lock keeps no run away that reads a standby of the same server, and two backups that
 * follow the same one would break the chain.
 */
export async function lookAgain(known: Known): Promise<Backup | undefined> {
  const { store, name, chain, previous } = known
  const now = chainOf(await scanStore(store), name)
  return [...now.keys()].every((label) => chain.has(label))
    ? previous
    : findPrevious(store, now, known)
}
