import { createHash } from 'node:crypto'
import type { StoreSettings } from '../config/store.ts'
import { Failure } from '../errors.ts'
import type { BackupsEvent, Emit, ListedBackup } from '../report/events.ts'
import { size } from '../report/numbers.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import type { Outcome } from '../verify/verdict.ts'
import { lastVerdict, readVerdicts } from '../verify/verdicts.ts'
import { chainProblems, openBackups, scanStore, storedBytes, type Backup } from './backups.ts'
import { envelopeName } from './envelopes.ts'
import { labelName } from './label.ts'

export interface ListOptions {
  store: StoreSettings
  /** Whose signatures are believed. */
  signers: PublicKeyFile[]
  /** Whose verdicts on restore tests are believed. */
  verdictSigners: PublicKeyFile[]
  /** Reads every byte of every object, too. */
  deep: boolean
  /** Now, in milliseconds. */
  at: number
}

/**
 * Lists what the store holds and says what is wrong with it: signatures, chain, envelopes, presence and size of every object.
 *
 * @returns the event `backups`, which was emitted
 * @throws Failure `integrity` after the event was emitted, where something is wrong; `store`; the reason of `signal`
 */
export async function listBackups(
  options: ListOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<BackupsEvent> {
  const store = await openStore(options.store)
  try {
    const labels = await scanStore(store)
    const { backups, damaged, pruned } = await openBackups(store, labels, options.signers)
    for (const message of pruned.doubts) emit({ event: 'warning', code: 'pruned-list', message })
    for (const [label, files] of labels) {
      if (files.has('manifest.json') || !files.has('manifest.json.asc')) continue
      const message = `${label} has the signature of a manifest and no manifest: a run ended at its very last step, or the manifest was taken away`
      emit({ event: 'warning', code: 'manifest-missing', message })
    }
    const problems = new Map<string, string[]>()
    const add = (label: string, message: string) =>
      problems.set(label, [...(problems.get(label) ?? []), message])
    for (const [label, failure] of damaged) add(label, failure.message)
    for (const { label, message } of chainProblems(backups, pruned))
      add(label, `${label} ${message}`)
    if (options.deep) {
      for (const [i, backup] of backups.entries()) {
        const what = `${backup.label}, ${size(storedBytes(backup.files))}`
        emit({ event: 'note', message: `reading ${what} (${i + 1} of ${backups.length})` })
        for (const message of await readObjects(store, backup, signal)) add(backup.label, message)
      }
    }
    const proven = await readProven(store, backups, options.verdictSigners, emit)
    const event: BackupsEvent = {
      event: 'backups',
      store: store.label,
      backups: [
        ...backups.map((backup) => ({
          ...listed(backup, problems.get(backup.label) ?? [], options.at),
          proven: proven.get(backup.label) ?? ('open' as const),
        })),
        ...[...damaged.keys()].map((label) => unreadable(label, problems.get(label) ?? [])),
      ].toSorted((a, b) => (a.label < b.label ? -1 : 1)),
      unfinished: [...labels]
        .filter(([, files]) => !files.has('manifest.json'))
        .map(([label, files]) => ({ label, objects: files.size })),
    }
    emit(event)
    const [first] = [...problems.values()].flat()
    if (first !== undefined) {
      const hint = 'restore one that is whole, and find out who or what changed the store'
      throw new Failure('integrity', first, { hint })
    }
    return event
  } finally {
    await store.close()
  }
}

/** What the verdict in force says of each backup. One that nobody who is believed has signed is told of, and does not count. */
async function readProven(
  store: Store,
  backups: readonly Backup[],
  signers: readonly PublicKeyFile[],
  emit: Emit,
): Promise<Map<string, Outcome>> {
  const proven = new Map<string, Outcome>()
  for (const backup of backups) {
    const found = await readVerdicts(store, backup, signers)
    for (const message of found.problems) emit({ event: 'warning', code: 'verdict', message })
    const last = lastVerdict(found)
    if (last) proven.set(backup.label, last.outcome)
  }
  return proven
}

function listed(
  { label, manifest, files }: Backup,
  problems: string[],
  at: number,
): Omit<ListedBackup, 'proven'> {
  return {
    label,
    name: manifest.name,
    sequence: manifest.sequence,
    time: manifest.source.time,
    age: Math.max(0, (at - Date.parse(manifest.source.time)) / 1000),
    serverVersion: manifest.source.version,
    tables: manifest.tables.length,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    objects: files.size,
    stored: storedBytes(files),
    verifierEnvelope: files.has(envelopeName('verifier')),
    problems,
  }
}

/** What cannot be believed is not repeated: its label is all that is known. */
function unreadable(label: string, problems: string[]): ListedBackup {
  return {
    label,
    name: labelName(label),
    sequence: 0,
    time: '',
    age: 0,
    serverVersion: '',
    tables: 0,
    rows: 0,
    objects: 0,
    stored: 0,
    proven: 'open',
    verifierEnvelope: false,
    problems,
  }
}

/** Reads all objects of a backup; what is not as it was signed. */
async function readObjects(
  store: Store,
  { label, manifest }: Backup,
  signal: AbortSignal,
): Promise<string[]> {
  const wrong: string[] = []
  for (const { name, sha256 } of manifest.objects) {
    const hash = createHash('sha256')
    for await (const chunk of store.read(`${label}/${name}`, { signal })) hash.update(chunk)
    if (hash.digest('hex') !== sha256)
      wrong.push(`${label}/${name} was changed: its SHA-256 is another`)
  }
  return wrong
}
