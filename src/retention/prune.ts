import { chainProblems, openBackups, type Backup } from '../backup/backups.ts'
import { labelName, stampTime } from '../backup/label.ts'
import { loadSigners, loadSigningKey, readReferences } from '../backup/keys.ts'
import type { BackupSettings } from '../config/backup.ts'
import type { RetentionSettings, VerifySettings } from '../config/operations.ts'
import type { StoreSettings } from '../config/store.ts'
import { readTested } from '../daily/verdicts.ts'
import { Failure } from '../errors.ts'
import type { Emit, PruneEvent, PruneOutcome } from '../report/events.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { decide, type Candidate, type Decision } from './policy.ts'
import { notePruned, type PrunedEntry } from './pruned.ts'
import { removeBackup, removeNames } from './removal.ts'
import { survey, type Found } from './survey.ts'
import { userAtHost } from '../who.ts'

export interface PruneOptions {
  store: StoreSettings
  backup: BackupSettings
  retention: RetentionSettings
  /** Whose restore tests count as a proof. */
  verify: Pick<VerifySettings, 'signer'>
  /** Where passphrases that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** Decides, and removes nothing. */
  dryRun: boolean
  /** Now, in milliseconds. */
  at: number
}

const HOUR_MS = 60 * 60 * 1000

/**
 * Removes the backups that the policy does not want any more, what runs that died have left, and uploads that never
 * ended. A crash at any moment leaves nothing that counts as a backup and is not whole.
 *
 * @returns the event `prune`, which was emitted: the decision for each backup, and what became of it
 * @throws Failure `refused` after the event was emitted, where a lock kept everything that should have gone, and before,
 *   where it cannot be told what was proven; `key`, `config` where nothing can be signed; `store`; the reason of `signal`
 */
export async function pruneBackups(
  options: PruneOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<PruneEvent> {
  const signers = await loadSigners(options.backup)
  const signing = options.dryRun
    ? undefined
    : await loadSigningKey(options.backup, signers, options.env)
  const store = await openStore(options.store)
  try {
    await store.check()
    const found = await survey(store)
    const files = new Map([...found].map(([label, each]) => [label, each.files]))
    const opened = await openBackups(store, files, signers)
    for (const message of opened.pruned.doubts) emit(warning('pruned-list', message))
    const wrong = new Map([...opened.damaged].map(([label, { message }]) => [label, message]))
    for (const { label, message } of chainProblems(opened.backups, opened.pruned))
      wrong.set(label, `${label} ${message}`)
    for (const message of wrong.values())
      emit(warning('damaged-backup', `${message}; it is kept until a person has looked at it`))
    const candidates = await toCandidates(store, found, opened.backups, wrong, options, emit)
    const decisions = await decideAll(store, candidates, options)
    const run = new Pruning(store, options, emit, signal)
    const byLabel = new Map(opened.backups.map((backup) => [backup.label, backup]))
    if (signing) await run.note(byLabel, decisions, { signers, signing })
    const outcomes = await run.removeBackups(found, decisions)
    const leftovers = await run.removeLeftovers(found)
    const before = new Date(options.at - options.retention.graceHours * HOUR_MS)
    const stranded = await store.stranded(before, { remove: !options.dryRun })
    const event: PruneEvent = {
      event: 'prune',
      store: store.label,
      dryRun: options.dryRun,
      backups: candidates.map((candidate) => listed(candidate, found, decisions, outcomes)),
      leftovers,
      stranded,
    }
    emit(event)
    run.raise()
    return event
  } finally {
    await store.close()
  }
}

function warning(code: string, message: string) {
  return { event: 'warning', code, message } as const
}

/** Everything that has a manifest; of what is damaged, nothing but the label is believed. */
async function toCandidates(
  store: Store,
  found: ReadonlyMap<string, Found>,
  backups: readonly Backup[],
  wrong: ReadonlyMap<string, string>,
  { verify }: PruneOptions,
  emit: Emit,
): Promise<Candidate[]> {
  const byLabel = new Map(backups.map((backup) => [backup.label, backup]))
  const verifiers = await readReferences(verify.signer, 'sign')
  const candidates: Candidate[] = []
  const doubts: string[] = []
  for (const [label, { files }] of found) {
    if (!files.has('manifest.json')) continue
    const backup = byLabel.get(label)
    const damaged = wrong.get(label)
    candidates.push({
      label,
      name: labelName(label),
      time: backup ? new Date(backup.manifest.source.time) : new Date(stampTime(label)),
      proven: backup !== undefined && (await isProven(store, backup, verifiers, doubts)),
      ...(damaged !== undefined && { damaged }),
    })
  }
  for (const message of doubts) emit(warning('verdict-not-believed', message))
  if (doubts.length > 0 && !candidates.some(({ proven }) => proven)) throw noneBelieved(verifiers)
  return candidates
}

async function isProven(
  store: Store,
  backup: Backup,
  verifiers: readonly PublicKeyFile[],
  doubts: string[],
): Promise<boolean> {
  const tested = await readTested(store, backup, verifiers)
  doubts.push(...tested.doubts)
  return tested.verdict?.outcome === 'pass'
}

/** The last that was proven could be any of them. */
function noneBelieved(verifiers: readonly PublicKeyFile[]): Failure {
  return new Failure('refused', 'there are verdicts on restore tests, and none that is believed', {
    hint:
      verifiers.length === 0
        ? 'nothing was removed: name the key that signs verdicts as verify.signer'
        : 'nothing was removed: is the key that signed them among verify.signer?',
  })
}

/** The store is asked for locks of those alone that nothing else keeps: it is one question for each. */
async function decideAll(
  store: Store,
  candidates: readonly Candidate[],
  { retention, at }: PruneOptions,
): Promise<Map<string, Decision>> {
  const now = new Date(at)
  const first = new Map(decide(candidates, retention, now).map((each) => [each.label, each]))
  const locked = await Promise.all(
    candidates.map(async (candidate) => {
      if (first.get(candidate.label)?.keep !== false) return candidate
      const lockedUntil = await store.lockedUntil(`${candidate.label}/manifest.json`)
      return { ...candidate, ...(lockedUntil && { lockedUntil }) }
    }),
  )
  return new Map(decide(locked, retention, now).map((each) => [each.label, each]))
}

function listed(
  { label, name, time, proven }: Candidate,
  found: ReadonlyMap<string, Found>,
  decisions: ReadonlyMap<string, Decision>,
  outcomes: ReadonlyMap<string, PruneOutcome>,
): PruneEvent['backups'][number] {
  const { files, bytes = 0 } = found.get(label) ?? {}
  return {
    label,
    name,
    time: time.toISOString(),
    proven,
    outcome: outcomes.get(label) ?? 'kept',
    reasons: decisions.get(label)?.reasons ?? [],
    objects: files?.size ?? 0,
    bytes,
  }
}

/** The removals of one run, and what locks refused of them. */
class Pruning {
  readonly #store: Store
  readonly #options: PruneOptions
  readonly #emit: Emit
  readonly #signal: AbortSignal
  #refusal: string | undefined
  #removed = 0

  constructor(store: Store, options: PruneOptions, emit: Emit, signal: AbortSignal) {
    this.#store = store
    this.#options = options
    this.#emit = emit
    this.#signal = signal
  }

  /** Signs which backups are about to go, chain by chain. */
  async note(
    backups: ReadonlyMap<string, Backup>,
    decisions: ReadonlyMap<string, Decision>,
    keys: Pick<Parameters<typeof notePruned>[1], 'signers' | 'signing'>,
  ): Promise<void> {
    const at = new Date(this.#options.at).toISOString()
    const by = userAtHost()
    const byName = new Map<string, PrunedEntry[]>()
    for (const { label, manifest, digest } of backups.values()) {
      if (decisions.get(label)?.keep !== false) continue
      const { name, sequence, previous } = manifest
      const entry = { label, sequence, sha256: digest, previous, at, by }
      byName.set(name, [...(byName.get(name) ?? []), entry])
    }
    const staying = new Set(
      [...decisions.values()].filter(({ keep }) => keep).map(({ label }) => label),
    )
    for (const [name, entries] of byName) {
      this.#signal.throwIfAborted()
      await notePruned(this.#store, { ...keys, name, entries, staying })
    }
  }

  async removeBackups(
    found: ReadonlyMap<string, Found>,
    decisions: ReadonlyMap<string, Decision>,
  ): Promise<Map<string, PruneOutcome>> {
    const outcomes = new Map<string, PruneOutcome>()
    for (const { label, keep } of decisions.values()) {
      if (keep) continue
      if (this.#options.dryRun) {
        outcomes.set(label, 'would-remove')
        continue
      }
      const files = found.get(label)?.files.keys() ?? []
      const { refusal, begun } = await removeBackup(this.#store, label, files, this.#signal)
      outcomes.set(label, this.#outcome(label, refusal, begun))
    }
    return outcomes
  }

  /**
   * What lies under a label that has no manifest, once nothing was added to it for the hours of grace: a backup that
   * is being made is younger.
   */
  async removeLeftovers(found: ReadonlyMap<string, Found>): Promise<PruneEvent['leftovers']> {
    const { retention, at, dryRun } = this.#options
    const before = at - retention.graceHours * HOUR_MS
    const leftovers: PruneEvent['leftovers'] = []
    for (const [label, { files, bytes, newest }] of found) {
      if (files.has('manifest.json')) continue
      const entry = { label, objects: files.size, bytes, newest: newest.toISOString() }
      if (newest.getTime() >= before) {
        leftovers.push({ ...entry, outcome: 'kept' })
      } else if (dryRun) {
        leftovers.push({ ...entry, outcome: 'would-remove' })
      } else {
        leftovers.push({ ...entry, outcome: await this.#removeLeftover(label) })
      }
    }
    return leftovers
  }

  async #removeLeftover(label: string): Promise<PruneOutcome> {
    // Looked at once more: it may have become a backup in the meantime.
    const files = (await survey(this.#store, label)).get(label)?.files
    if (!files || files.has('manifest.json')) return 'kept'
    const names = Array.from(files.keys(), (name) => `${label}/${name}`)
    return this.#outcome(label, await removeNames(this.#store, names, this.#signal), false)
  }

  #outcome(label: string, refusal: string | undefined, begun: boolean): PruneOutcome {
    if (refusal === undefined || begun) this.#removed++
    if (refusal === undefined) return 'removed'
    this.#refusal ??= refusal
    const rest = begun ? 'its manifest is gone; a later prune removes the rest' : 'it stays'
    this.#emit(warning('kept-by-lock', `${label}: ${refusal}; ${rest}`))
    return 'refused'
  }

  /** @throws Failure `refused` where locks have kept everything that should have gone */
  raise(): void {
    if (this.#refusal === undefined || this.#removed > 0) return
    throw new Failure('refused', this.#refusal, {
      hint: 'nothing was removed; retention cannot be shorter than the lock of the store',
    })
  }
}
