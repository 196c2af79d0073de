import { createHash } from 'node:crypto'
import { z } from '../config/zod.ts'
import { Failure } from '../errors.ts'

/**
 * The list of a backup's envelopes, signed like the manifest, but apart from it: custodians change, and the
 * verifier's envelope goes, while the manifest stays what it is for ever.
 */
const FORMAT = 'pgveil envelopes 1'

const ENVELOPE = z.strictObject({
  /** Custodian side, or `verifier`. */
  side: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/),
  /** 1, and a higher one each time it is written anew; part of its object's name. */
  number: z.int().min(1),
  recipients: z.array(z.string().regex(/^[0-9A-F]{40}$/)).min(1),
  size: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

const ENVELOPES = z.strictObject({
  format: z.literal(FORMAT),
  label: z.string(),
  /** SHA-256 of the manifest's bytes. */
  manifest: z.string(),
  /** 1, and one more with each change. */
  generation: z.int().min(1),
  envelopes: z.array(ENVELOPE).min(1),
})

export type Envelope = z.infer<typeof ENVELOPE>
export type Envelopes = z.infer<typeof ENVELOPES>

export function newEnvelopes(label: string, manifest: string, envelopes: Envelope[]): Envelopes {
  return { format: FORMAT, label, manifest, generation: 1, envelopes }
}

export function writeEnvelopes(envelopes: Envelopes): Buffer {
  return Buffer.from(`${JSON.stringify(ENVELOPES.parse(envelopes), null, 2)}\n`)
}

/** The list that follows `list` once a side has another envelope. */
export function replaceEnvelope(list: Envelopes, envelope: Envelope): Envelopes {
  return {
    ...list,
    generation: list.generation + 1,
    envelopes: list.envelopes.map((each) => (each.side === envelope.side ? envelope : each)),
  }
}

/**
 * Reads a list whose signature was checked.
 *
 * @param generation that its name says
 * @throws Failure `integrity` where it is none, or that of another backup, or lies under another name
 */
export function readEnvelopes(
  bytes: Buffer,
  label: string,
  manifest: string,
  generation: number,
): Envelopes {
  const name = `${label}/${listName(generation)}`
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    json = undefined
  }
  const { success, data } = ENVELOPES.safeParse(json)
  if (!success) throw new Failure('integrity', `${name} is no list of envelopes`)
  if (data.label !== label || data.manifest !== manifest) {
    throw new Failure('integrity', `${name} belongs to another backup`)
  }
  // An older list under the name of a newer one would bring custodians back that were replaced.
  if (data.generation !== generation) {
    throw new Failure('integrity', `${name} is the list of generation ${data.generation}`)
  }
  return data
}

/** @throws Failure `integrity` where there is none for that side */
export function envelopeOf({ label, generation, envelopes }: Envelopes, side: string): Envelope {
  const found = envelopes.find((envelope) => envelope.side === side)
  if (found) return found
  throw new Failure('integrity', `${label}/${listName(generation)} has no envelope for ${side}`)
}

/** Name of a side's envelope in the store, below the label. */
export function envelopeName(side: string, number = 1): string {
  return number === 1 ? `envelopes/${side}.asc` : `envelopes/${side}.${number}.asc`
}

/** Name of the list, below the label. The highest generation that is there counts. */
export function listName(generation: number): string {
  return generation === 1 ? 'envelopes.json' : `envelopes.${generation}.json`
}

/**
 * Name of the list's signature. A later one carries the beginning of the list's SHA-256: it is stored before the list,
 * and of two lists that two people write at the same time each finds its own.
 */
export function listSignatureName(generation: number, list: Buffer): string {
  const name = listName(generation)
  if (generation === 1) return `${name}.asc`
  return `${name}.${createHash('sha256').update(list).digest('hex').slice(0, 16)}.asc`
}

const LIST = /^envelopes(?:\.(\d+))?\.json(?:(?:\.[0-9a-f]{16})?(\.asc))?$/

/** The generation in force, among the names below a label. */
export function currentGeneration(names: Iterable<string>): number {
  let current = 1
  for (const name of names) {
    const [, generation, signature] = LIST.exec(name) ?? []
    if (generation !== undefined && signature === undefined)
      current = Math.max(current, Number(generation))
  }
  return current
}

/** The number of a side's next envelope: no object has it yet. */
export function nextNumber(names: Iterable<string>, side: string): number {
  let highest = 1
  for (const name of names) highest = Math.max(highest, numberOf(name, side) ?? 1)
  return highest + 1
}

function numberOf(name: string, side: string): number | undefined {
  const [, of, number = '1'] = /^envelopes\/([^./]+)(?:\.(\d+))?\.asc$/.exec(name) ?? []
  return of === side ? Number(number) : undefined
}

/**
 * What the list in force has made superfluous: older lists, signatures of lists that never came, other envelopes of
 * that side.
 *
 * @param signature name of the signature in force
 */
export function supersededNames(
  names: Iterable<string>,
  list: Envelopes,
  side: string,
  signature: string,
): string[] {
  const kept = new Set([
    listName(list.generation),
    signature,
    envelopeName(side, envelopeOf(list, side).number),
  ])
  return Array.from(names).filter((name) => {
    if (kept.has(name)) return false
    const listed = LIST.exec(name)
    if (listed) return Number(listed[1] ?? 1) <= list.generation
    return numberOf(name, side) !== undefined
  })
}
