import type { BackupSettings } from '../config/backup.ts'
import type { StoreSettings } from '../config/store.ts'
import { Failure } from '../errors.ts'
import type { Emit, RewrapEvent } from '../report/events.ts'
import { readEnvelope } from '../seal/envelope.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { signDetached } from '../seal/signature.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { findBackup, openBackups, readWhole, scanStore, type Backup } from './backups.ts'
import { writeEnvelope } from './commit.ts'
import {
  envelopeName,
  envelopeOf,
  listName,
  listSignatureName,
  nextNumber,
  replaceEnvelope,
  supersededNames,
  writeEnvelopes,
} from './envelopes.ts'
import { loadSealingKeys, type SealingKeys, type SideKeys } from './keys.ts'
import { currentName, openSide, type Opening } from './unlock.ts'

export interface RewrapOptions {
  store: StoreSettings
  backup: BackupSettings
  /** Where passphrases that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** Whose envelopes. */
  side: string
  /** Undefined: all backups. */
  label: string | undefined
  /** What opens the envelopes as they are. */
  opening: Opening
  dryRun: boolean
}

/**
 * Writes the envelopes of a side anew, to the keys that are configured for it now; nothing else of a backup changes.
 *
 * The steps for one backup, each of which leaves it openable: the new envelope under a name of its own; the signature
 * of the new list; the new list, from when on it counts, and of two that are written at the same time the store takes
 * one; then the old envelope and the old list go. A run that dies before the list leaves objects that nobody looks
 * at, after it some that are superfluous: the next one removes them.
 *
 * @throws Failure `key` where the old envelope does not open, `integrity` for a backup that is damaged; with several
 *   backups the first such one, after the others were done
 */
export async function rewrap(
  options: RewrapOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const keys = await loadSealingKeys(options.backup, options.env)
  for (const warning of keys.warnings) {
    if (warning.code === 'key') emit({ event: 'warning', ...warning })
  }
  const side = keys.sides.find(({ name }) => name === options.side)
  if (!side) throw noSide(options.side, keys)
  const store = await openStore(options.store)
  try {
    await store.check()
    const { backups, damaged } = await select(store, options.label, keys.signers)
    const failures = [...damaged]
    for (const backup of backups) {
      signal.throwIfAborted()
      try {
        emit(await rewrapOne(new Rewrapping(store, backup, side, keys), options, emit))
      } catch (error) {
        if (!(error instanceof Failure) || error.kind === 'store') throw error
        failures.push(error)
      }
    }
    const [first] = failures
    if (!first) return
    if (backups.length + damaged.length === 1) throw first
    throw new Failure(first.kind, first.message, {
      ...(first.hint !== undefined && { hint: first.hint }),
      left: `${failures.length} of ${backups.length + damaged.length} backups as they were`,
      cause: first,
    })
  } finally {
    await store.close()
  }
}

function noSide(name: string, { sides }: SealingKeys): Failure {
  const known = sides.map((side) => side.name).join(' and ')
  return name === 'verifier'
    ? new Failure('refused', 'the envelope of the verifier is not written anew', {
        hint: 'it is there for one restore test; the next backup has one for the new key',
      })
    : new Failure('usage', `there is no side ${JSON.stringify(name)} in the configuration`, {
        hint: `sides are ${known}`,
      })
}

async function select(
  store: Store,
  label: string | undefined,
  signers: readonly PublicKeyFile[],
): Promise<{ backups: Backup[]; damaged: Failure[] }> {
  if (label !== undefined) {
    const backup = await findBackup(store, signers, { label, name: undefined })
    return { backups: [backup], damaged: [] }
  }
  const { backups, damaged } = await openBackups(store, await scanStore(store), signers)
  return { backups, damaged: [...damaged.values()] }
}

async function rewrapOne(
  rewrapping: Rewrapping,
  { opening, dryRun }: RewrapOptions,
  emit: Emit,
): Promise<RewrapEvent> {
  rewrapping.checkApart()
  if (await rewrapping.isCurrent())
    return rewrapping.result('current', dryRun ? [] : await rewrapping.tidy(emit))
  const half = await rewrapping.open(opening)
  try {
    if (dryRun) return rewrapping.result('would-rewrap', [])
    await rewrapping.replace(half)
  } finally {
    half.fill(0)
  }
  return rewrapping.result('rewrapped', await rewrapping.tidy(emit))
}

/** One side's envelope in one backup. */
class Rewrapping {
  readonly #store: Store
  readonly #side: SideKeys
  readonly #keys: SealingKeys
  #backup: Backup

  constructor(store: Store, backup: Backup, side: SideKeys, keys: SealingKeys) {
    this.#store = store
    this.#backup = backup
    this.#side = side
    this.#keys = keys
  }

  /** @throws Failure `key` where somebody would open both sides; `usage` where the backup has no such side */
  checkApart(): void {
    const { label, manifest, envelopes } = this.#backup
    const { name, keys } = this.#side
    const sides = manifest.seal.sides.map((side) => side.name)
    if (!sides.includes(name))
      throw new Failure('usage', `${label} has no side ${name}; it has ${sides.join(' and ')}`)
    for (const other of sides) {
      if (other === name) continue
      const { recipients } = envelopeOf(envelopes, other)
      const both = keys.find(({ fingerprint }) => recipients.includes(fingerprint))
      if (!both) continue
      throw new Failure('key', `key ${both.fingerprint} opens the side ${other} of ${label}`, {
        hint: `its holder could open the backup alone: rewrap ${other} to other keys first`,
      })
    }
  }

  /** Whether the envelope is for the keys that are configured, and for those subkeys of them that are in use. */
  async isCurrent(): Promise<boolean> {
    const { label, envelopes } = this.#backup
    const { recipients } = envelopeOf(envelopes, this.#side.name)
    const { keys } = this.#side
    const wanted = keys.map(({ fingerprint }) => fingerprint)
    if (!sameSet(recipients, wanted)) return false
    const name = `${label}/${currentName(this.#backup, this.#side.name)}`
    const { keyIds } = await readEnvelope(await readWhole(this.#store, name))
    const used = await Promise.all(keys.map(({ key }) => key.getEncryptionKey()))
    return sameSet(
      keyIds,
      used.map((part) => part.getKeyID().toHex().toUpperCase()),
    )
  }

  /** The half, which is that of the manifest. A copy. */
  async open(opening: Opening): Promise<Buffer> {
    return Buffer.from(await openSide(this.#store, this.#backup, this.#side.name, opening))
  }

  /**
   * Stores envelope, signature and list, in this order.
   *
   * @throws Failure `refused` where somebody else was faster: then nothing has changed
   */
  async replace(half: Buffer): Promise<void> {
    const { label, files, envelopes } = this.#backup
    const { name } = this.#side
    const number = nextNumber(files.keys(), name)
    const stored: string[] = []
    const put = async (object: string, work: Promise<unknown>) => {
      await work
      stored.push(object)
    }
    try {
      const writing = writeEnvelope(this.#store, label, this.#side, half, number)
      await put(envelopeName(name, number), writing)
      const list = replaceEnvelope(envelopes, await writing)
      const bytes = writeEnvelopes(list)
      const signature = listSignatureName(list.generation, bytes)
      await put(signature, this.#create(signature, await signDetached(bytes, this.#keys.signing)))
      const listed = listName(list.generation)
      await put(listed, this.#create(listed, bytes))
      const now = new Map([...files, ...stored.map((each): [string, number] => [each, 0])])
      this.#backup = { ...this.#backup, envelopes: list, files: now }
    } catch (error) {
      throw await this.#undo(error, stored)
    }
  }

  #create(name: string, bytes: Buffer): Promise<void> {
    return this.#store.create(`${this.#backup.label}/${name}`, bytes, { lock: false })
  }

  /** Only a refusal says for certain that the list is not there: after anything else all stays as it is. */
  async #undo(error: unknown, stored: readonly string[]): Promise<unknown> {
    if (!(error instanceof Failure) || error.kind !== 'refused') return error
    const { label } = this.#backup
    await this.#store.delete(stored.map((name) => `${label}/${name}`)).catch(() => undefined)
    return new Failure('refused', `somebody else has changed the envelopes of ${label} meanwhile`, {
      hint: 'run it again, one after the other',
      cause: error,
    })
  }

  /**
   * Removes what is superfluous. A store that keeps it, for a lock of its own, does not undo the rest.
   *
   * @returns names of what was removed
   */
  async tidy(emit: Emit): Promise<string[]> {
    const { label, envelopes, files } = this.#backup
    const { name } = this.#side
    const { generation } = envelopes
    const list = await readWhole(this.#store, `${label}/${listName(generation)}`)
    const signature = listSignatureName(generation, list)
    const names = supersededNames(files.keys(), envelopes, name, signature)
    try {
      await this.#store.delete(names.map((each) => `${label}/${each}`))
      return names
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      const message = `${label}: the former envelope of ${name} is still in the store: ${error.message}`
      emit({ event: 'warning', code: 'former-envelope', message })
      return []
    }
  }

  result(state: RewrapEvent['state'], removed: string[]): RewrapEvent {
    const { label, envelopes } = this.#backup
    const { name, keys } = this.#side
    return {
      event: 'rewrap',
      label,
      side: name,
      state,
      generation: envelopes.generation,
      recipients: keys.map(({ fingerprint }) => fingerprint),
      removed,
    }
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each) => b.includes(each))
}
