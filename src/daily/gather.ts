import {
  chainProblems,
  lastOf,
  openBackups,
  scanStore,
  type Backup,
  type Files,
} from '../backup/backups.ts'
import { readDrills } from '../backup/drills.ts'
import { labelName, stampTime } from '../backup/label.ts'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import { readTested, type Tested } from './verdicts.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** Verdicts of older backups are not shown, save the newest that proves one. */
const VERDICT_DAYS = 31

export interface GatherRequest {
  store: Store
  /** Whose backups, and whose verdicts, are believed. */
  signers: readonly PublicKeyFile[]
  verdictSigners: readonly PublicKeyFile[]
  /** The chain; undefined: the only one that is there. */
  name: string | undefined
  /** Hours after which something unfinished counts as left behind. */
  graceHours: number
  /** Whether objects are put under a lock. */
  locks: boolean
  /** Now, in milliseconds. */
  at: number
}

/** What the store says of one chain. */
export interface Gathered {
  name: string | undefined
  /** By number. */
  backups: { backup: Backup; tested: Tested }[]
  /** What is wrong with the chain or one of its backups: sentences that begin with a label or an object. */
  broken: string[]
  /** Labels of backups that are not whole. */
  damaged: string[]
  /** Lists of removed backups that are not believed, and why. */
  doubts: string[]
  unfinished: { label: string; objects: number; age: number }[]
  stranded: string[]
  lockedUntil: Date | undefined
  /** The last drill of each side, in milliseconds. */
  drills: ReadonlyMap<string, number>
}

/**
 * Reads what the store holds of one chain.
 *
 * @throws Failure `store`; `usage` where there are several chains and none was chosen
 */
export async function gather(request: GatherRequest): Promise<Gathered> {
  const { store, at, graceHours } = request
  const all = await scanStore(store)
  const name = request.name ?? onlyName(all)
  const labels = new Map([...all].filter(([label]) => labelName(label) === name))
  const opened = await openBackups(store, labels, request.signers)
  const { damaged, pruned } = opened
  const backups = opened.backups.toSorted((a, b) => a.manifest.sequence - b.manifest.sequence)
  const latest = name === undefined ? undefined : lastOf(backups, name)
  const stranded = await store.stranded(new Date(at - graceHours * HOUR_MS), { remove: false })
  return {
    name,
    backups: await withVerdicts(backups, request),
    broken: [
      ...[...damaged.values()].map(({ message }) => message),
      ...chainProblems(backups, pruned).map(({ label, message }) => `${label} ${message}`),
    ],
    damaged: [...damaged.keys()].toSorted(),
    doubts: pruned.doubts,
    unfinished: [...labels]
      .filter(([, files]) => !files.has('manifest.json'))
      .map(([label, { size }]) => ({
        label,
        objects: size,
        age: Math.max(0, (at - stampTime(label)) / 1000),
      })),
    stranded,
    lockedUntil:
      request.locks && latest
        ? await store.lockedUntil(`${latest.label}/manifest.json`)
        : undefined,
    drills: name === undefined ? new Map() : await readDrills(store, name),
  }
}

function onlyName(labels: ReadonlyMap<string, Files>): string | undefined {
  const names = [...new Set([...labels.keys()].map(labelName))].toSorted()
  if (names.length <= 1) return names[0]
  throw new Failure('usage', `the store holds backups of ${names.join(', ')}`, {
    hint: 'say which with --name, or name: under backup: in pgveil.yaml',
  })
}

async function withVerdicts(
  backups: readonly Backup[],
  { store, verdictSigners, at }: GatherRequest,
): Promise<Gathered['backups']> {
  const found: Gathered['backups'] = []
  let proven = false
  for (const backup of backups.toReversed()) {
    const recent = Date.parse(backup.manifest.source.time) > at - VERDICT_DAYS * DAY_MS
    const tested: Tested =
      recent || !proven ? await readTested(store, backup, verdictSigners) : { doubts: [] }
    proven ||= tested.verdict?.outcome === 'pass'
    found.push({ backup, tested })
  }
  return found.toReversed()
}
