import { Failure } from '../errors.ts'
import { openEnvelope, type EnvelopeOpener } from '../seal/envelope.ts'
import {
  halfDigest,
  parseHalf,
  parseSecret,
  passphraseOf,
  wipe,
  type Secret,
} from '../seal/secret.ts'
import type { Store } from '../store/store.ts'
import { readWhole, type Backup } from './backups.ts'
import { envelopeName, envelopeOf } from './envelopes.ts'

/** What may open a backup. */
export interface Opening {
  /** Halves that custodians elsewhere have sent, by side. */
  halves: ReadonlyMap<string, Buffer>
  /** Private keys at hand, or gpg with its agent and cards; tried in order. */
  openers: readonly EnvelopeOpener[]
}

/**
 * Puts the secret of a backup together: each side's half from whoever has it.
 *
 * @throws Failure `key` that says which sides are missing; `integrity` for a half that is not this backup's
 */
export async function openSecret(store: Store, backup: Backup, opening: Opening): Promise<Secret> {
  const verifier = await openVerifier(store, backup, opening)
  if (verifier) return verifier
  const { sides } = backup.manifest.seal
  const halves: Buffer[] = []
  const missing: string[] = []
  let reason: Failure | undefined
  for (const { name } of sides) {
    try {
      halves.push(await openSide(store, backup, name, opening))
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'key') throw error
      missing.push(name)
      reason = error
    }
  }
  if (missing.length > 0) throw notOpened(backup, missing, reason)
  const [a, b] = halves as [Buffer, Buffer | undefined]
  return b ? { a, b } : parseSecret(a, `envelope of ${sides[0]?.name}`)
}

/**
 * One side's half; all of the secret where there is only one side.
 *
 * @throws Failure `key` where nobody at hand has it; `integrity` where it is not this backup's
 */
export async function openSide(
  store: Store,
  backup: Backup,
  side: string,
  { halves, openers }: Opening,
): Promise<Buffer> {
  const given = halves.get(side)
  const half = given ?? (await openFirst(store, backup, side, openers))
  const expected = backup.manifest.seal.sides.find(({ name }) => name === side)?.half
  if (halfDigest(half) === expected) return half
  throw given
    ? new Failure('key', `the half of ${side} is not that of ${backup.label}`, {
        hint: 'every backup has its own: open the envelope of this one',
      })
    : new Failure(
        'integrity',
        `${backup.label}/${currentName(backup, side)} holds another half than it should`,
      )
}

/** @returns what the first opener that fits makes of a side's envelope, checked for its form only */
async function openFirst(
  store: Store,
  backup: Backup,
  side: string,
  openers: readonly EnvelopeOpener[],
): Promise<Buffer> {
  const { label, manifest } = backup
  const name = `${label}/${currentName(backup, side)}`
  const armored = await readWhole(store, name)
  let reason: Failure | undefined
  for (const opener of openers) {
    try {
      const content = await openEnvelope(armored, opener)
      return manifest.seal.sides.length === 1 ? content : parseHalf(content, side)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.kind !== 'key')
        throw new Failure(error.kind, `${name}: ${error.message}`, { cause: error })
      reason = error
    }
  }
  throw reason ?? new Failure('key', `no key of ${side} is at hand`)
}

/** Name of the side's envelope in force, below the label. */
export function currentName({ envelopes }: Backup, side: string): string {
  return envelopeName(side, envelopeOf(envelopes, side).number)
}

/** The verifier's envelope holds everything; custodians' keys are never its. */
async function openVerifier(
  store: Store,
  { label, manifest, files }: Backup,
  { openers }: Opening,
): Promise<Secret | undefined> {
  if (manifest.seal.verifier.length === 0 || !files.has(envelopeName('verifier'))) return undefined
  const name = `${label}/${envelopeName('verifier')}`
  const armored = await readWhole(store, name)
  for (const opener of openers) {
    let content: Buffer
    try {
      content = await openEnvelope(armored, opener)
    } catch (error) {
      if (error instanceof Failure && error.kind === 'key') continue
      throw error
    }
    const secret = parseSecret(content, name)
    checkSecret(manifest.seal.sides, secret, name)
    return secret
  }
  return undefined
}

function checkSecret(
  sides: Backup['manifest']['seal']['sides'],
  secret: Secret,
  name: string,
): void {
  const parts = sides.length === 1 ? [passphraseOf(secret)] : [secret.a, secret.b]
  if (parts.every((part, i) => halfDigest(part) === sides[i]?.half)) return
  wipe(secret)
  throw new Failure('integrity', `${name} holds another secret than that of its backup`)
}

function notOpened({ label, manifest }: Backup, missing: string[], reason?: Failure): Failure {
  const all = manifest.seal.sides.length
  const which = missing.join(' and ')
  return new Failure(
    'key',
    missing.length === all && all > 1
      ? `${label} stays closed: neither ${missing.join(' nor ')} can be opened here${because(reason)}`
      : `${label} stays closed: the half of ${which} is missing${because(reason)}`,
    {
      hint: `pgveil unlock request --label ${label} writes the envelope for a custodian elsewhere`,
    },
  )
}

function because(reason: Failure | undefined): string {
  return reason ? `; ${reason.message}` : ''
}
