import { Failure } from '../errors.ts'
import type { DrilledSide, DrillEvent } from '../report/events.ts'
import { openEnvelope, readEnvelope, type EnvelopeOpener } from '../seal/envelope.ts'
import { halfDigest, parseHalf, parseSecret, passphraseOf, wipe } from '../seal/secret.ts'
import type { Store } from '../store/store.ts'
import { readWhole, type Backup } from './backups.ts'
import { envelopeOf } from './envelopes.ts'
import { currentName, openSide, type Opening } from './unlock.ts'

/**
 * The sides of a backup that are meant.
 *
 * @param side undefined: all
 * @throws Failure `usage` where it has no such side
 */
export function sidesOf({ label, manifest }: Backup, side: string | undefined): string[] {
  const sides = manifest.seal.sides.map(({ name }) => name)
  if (side === undefined) return sides
  if (sides.includes(side)) return [side]
  throw new Failure('usage', `${label} has no side ${JSON.stringify(side)}`, {
    hint: `sides are ${sides.join(' and ')}`,
  })
}

/**
 * Custodians open their envelopes, and what comes out is compared with the manifest: it shows that the backup could be
 * opened, without opening it. Two halves are never there at the same time.
 *
 * @returns what was found, and the first reason why a side did not pass
 */
export async function drill(
  store: Store,
  backup: Backup,
  sides: readonly string[],
  opening: Opening,
): Promise<{ event: DrillEvent; failure: Failure | undefined }> {
  const drilled: DrilledSide[] = []
  let failure: Failure | undefined
  for (const side of sides) {
    const half = backup.manifest.seal.sides.find(({ name }) => name === side)?.half ?? ''
    try {
      const opened = await openSide(store, backup, side, opening)
      opened.fill(0)
      drilled.push({ side, passed: true, half })
    } catch (error) {
      if (!(error instanceof Failure) || (error.kind !== 'key' && error.kind !== 'integrity'))
        throw error
      drilled.push({ side, passed: false, half, reason: error.message })
      // Damage says more than a key that is not there.
      if (failure === undefined || error.kind === 'integrity') failure = error
    }
  }
  return { event: { event: 'drill', label: backup.label, sides: drilled }, failure }
}

/** An envelope for a custodian elsewhere. */
export interface UnlockRequest {
  /** What it is and what to do, then the envelope itself, armored. */
  text: string
  /** SHA-256 of the half. */
  half: string
  /** Fingerprints of the keys that open it. */
  recipients: string[]
}

const HALF_LINE = /^ *SHA-256 of its content: ([0-9a-f]{64})$/m

/**
 * @param file name that it will have, for the instructions
 * @throws Failure `integrity`
 */
export async function unlockRequest(
  store: Store,
  backup: Backup,
  side: string,
  file: string,
): Promise<UnlockRequest> {
  const { label, manifest, envelopes } = backup
  const armored = await readWhole(store, `${label}/${currentName(backup, side)}`)
  await readEnvelope(armored)
  const { recipients } = envelopeOf(envelopes, side)
  const { source, seal } = manifest
  const half = seal.sides.find(({ name }) => name === side)?.half ?? ''
  const text = `An envelope for the custodians of ${side}: please open it, if you agree.

  backup: ${label}
  of: database ${JSON.stringify(source.database)}, PostgreSQL ${source.version}, at ${source.time}
  opens with any of these keys: ${recipients.join(', ')}
  SHA-256 of its content: ${half}

1. Ask the person who wants it, by another way than this came, whether this is the backup that they want to open.
2. Open it on a machine that you trust, with
     pgveil unlock answer --envelope ${file}
   or with gpg alone:
     umask 077; gpg --decrypt --output answer.txt ${file}; sha256sum answer.txt
3. Compare the SHA-256 with the one above, and with what they read to you.
4. Send answer.txt back where nobody else reads along, then delete it: ${
    seal.sides.length > 1
      ? 'with the half of the other side it opens\n   this backup, and no other.'
      : 'it opens this backup, and no other.'
  }

`
  return { text: text + armored.toString('latin1'), half, recipients }
}

/** What was in an envelope, with its digest. The caller overwrites the content. */
export interface UnlockAnswer {
  content: Buffer
  half: string
  /** That the request says the same; absent: it says nothing. */
  asRequested?: true
}

/**
 * Opens an envelope on the custodian's side, where there is no store and no configuration.
 *
 * @param request as {@link unlockRequest} wrote it, or the envelope alone
 * @throws Failure `key` where no key at hand fits, `integrity` where it is damaged or holds something else
 */
export async function unlockAnswer(
  request: Buffer,
  openers: readonly EnvelopeOpener[],
): Promise<UnlockAnswer> {
  const [, requested] = HALF_LINE.exec(request.toString('latin1')) ?? []
  const opened = await openWithFirst(request, openers)
  try {
    const content = parseAnswer(opened)
    const half = halfDigest(content)
    if (requested === undefined) return { content, half }
    if (half === requested) return { content, half, asRequested: true }
    content.fill(0)
    throw new Failure('integrity', 'the envelope holds another half than the request says', {
      hint: 'ask who sent it, by another way; do not send back what is in it',
    })
  } finally {
    opened.fill(0)
  }
}

async function openWithFirst(request: Buffer, openers: readonly EnvelopeOpener[]): Promise<Buffer> {
  let reason: Failure | undefined
  for (const opener of openers) {
    try {
      return await openEnvelope(request, opener)
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'key') throw error
      reason = error
    }
  }
  throw reason ?? new Failure('key', 'there is no key to open the envelope with')
}

/**
 * What a custodian's envelope holds: one half, or both where there is one side only. A copy.
 *
 * @throws Failure `integrity` where it is neither
 */
export function parseAnswer(content: Buffer): Buffer {
  const parsers = [
    () => parseHalf(content, ''),
    () => {
      const secret = parseSecret(content, '')
      const both = passphraseOf(secret)
      wipe(secret)
      return both
    },
  ]
  for (const parse of parsers) {
    try {
      return parse()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
    }
  }
  throw new Failure('integrity', 'the envelope opens, but there is no half of a secret in it')
}
