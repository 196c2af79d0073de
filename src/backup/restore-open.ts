import type { StoreSettings } from '../config/store.ts'
import type { Run } from '../jobs/run.ts'
import { cutStatements } from '../postgres/statements.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { passphraseOf, type Secret } from '../seal/secret.ts'
import { planStructure, type StructurePlan } from '../sink/structure-plan.ts'
import { openStore } from '../store/open.ts'
import type { Store } from '../store/store.ts'
import { findBackup, type Backup } from './backups.ts'
import { DEFINITIONS, objectOf } from './manifest.ts'
import { readSealedWhole } from './object-reader.ts'
import { openSecret, type Opening } from './unlock.ts'

export interface OpenOptions {
  store: StoreSettings
  /** Of the backup; undefined: the latest. */
  label?: string
  /** Of the chain that the latest is wanted of, where the store holds several. */
  name?: string
  /** Whose signatures are believed. */
  signers: PublicKeyFile[]
  opening: Opening
}

/** A backup that is open, and its SQL, checked. */
export interface OpenedBackup {
  store: Store
  backup: Backup
  secret: Secret
  globals: string
  settings: string
  /** What the source's structure was, the text of a {@link Structure}; undefined: the backup is older than that. */
  definitions: string | undefined
  plan: StructurePlan
}

/**
 * Finds a backup, checks signature, chain, envelopes, presence and sizes, opens it, and reads its structure.
 *
 * @throws Failure `usage`, `integrity`, `key`, `store`
 */
export async function openForRestore(options: OpenOptions, run: Run): Promise<OpenedBackup> {
  const { label, name, signers, opening } = options
  const store = await openStore(options.store)
  run.onEnd(() => store.close())
  const backup = await findBackup(store, signers, { label, name })
  run.note(`${backup.label}: signed by ${backup.signedBy}, number ${backup.manifest.sequence}`)
  return openFound(store, backup, opening, run.signal)
}

/**
 * Opens a backup that was found and is believed.
 *
 * @throws Failure `integrity`, `key`, `store`
 */
export async function openFound(
  store: Store,
  backup: Backup,
  opening: Opening,
  signal: AbortSignal,
): Promise<OpenedBackup> {
  const { manifest, label } = backup
  const secret = await openSecret(store, backup, opening)
  const passphrase = passphraseOf(secret)
  const read = async (name: string): Promise<string> => {
    const object = objectOf(manifest, name)
    const reading = { store, label, object, passphrase, signal }
    return (await readSealedWhole(reading)).toString('utf8')
  }
  try {
    const plan = await planStructure(
      cutStatements(await read('pre-data.sql.pgp')),
      cutStatements(await read('post-data.sql.pgp')),
      undefined,
      'everything',
    )
    const globals = await read('globals.sql.pgp')
    const settings = await read('settings.sql.pgp')
    const isTold = manifest.objects.some(({ name }) => name === DEFINITIONS)
    const definitions = isTold ? await read(DEFINITIONS) : undefined
    return { store, backup, secret, globals, settings, definitions, plan }
  } finally {
    passphrase.fill(0)
  }
}
