import pLimit from 'p-limit'
import { z } from '../config/zod.ts'
import type { SigningKey } from '../backup/keys.ts'
import { createSigned, readSigned } from '../backup/signed-object.ts'
import { readJson } from '../config/json.ts'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'

/**
 * The ledger of erased persons: objects `erasures/1.json`, `erasures/2.json`, … in the store. Each is signed and holds
 * the SHA-256 of the one before; of two that are written at the same time the store takes one. Each is one line of
 * ASCII that begins with format, number and previous: restore.sh reads it with grep and psql.
 */
const FORMAT = 'pgveil erasures 1'
const FOLDER = 'erasures'
/** Persons in one record. */
export const MOST_PERSONS = 100_000

const HEX_256 = z.string().regex(/^[0-9a-f]{64}$/)

const RECORD = z.strictObject({
  format: z.literal(FORMAT),
  /** 1, and one more with each record: part of its object's name. */
  number: z.int().min(1),
  /** SHA-256 of the record before. */
  previous: HEX_256.nullable(),
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  /** User and machine. */
  by: z.string(),
  /** Chain of the backups of the database that the persons were in. */
  name: z.string(),
  /** Tells whether a secret is the one of this ledger. */
  check: HEX_256,
  schema: z.string(),
  table: z.string(),
  column: z.string(),
  /** What becomes of rows that refer to an erased one, by the referring table, `*` for the others. */
  references: z.record(z.string(), z.enum(['delete', 'null'])),
  keys: z
    .array(z.strictObject({ hash: HEX_256, folded: HEX_256 }))
    .min(1)
    .max(MOST_PERSONS),
})

export type ErasureRecord = z.infer<typeof RECORD>

/** A place in the ledger, as manifests hold it: whoever knows one sees when the ledger was cut off before it. */
export interface LedgerHead {
  number: number
  sha256: string
}

export interface Ledger {
  records: ErasureRecord[]
  /** SHA-256 of each record. */
  digests: string[]
  /** The records as they lie in the store, a line each. */
  lines: Buffer
}

export function recordName(number: number): string {
  return `${FOLDER}/${number}.json`
}

/** The last record; null: there is none. */
export function headOf({ digests }: Ledger): LedgerHead | null {
  const sha256 = digests.at(-1)
  return sha256 === undefined ? null : { number: digests.length, sha256 }
}

/** Records that are read at a time. */
const READERS = 8

/**
 * Reads the ledger and checks it: every signature, every link.
 *
 * @throws Failure `integrity` that names the first record which is missing or not what was signed; `store`
 */
export async function readLedger(store: Store, signers: readonly PublicKeyFile[]): Promise<Ledger> {
  const numbers = await listNumbers(store)
  numbers.forEach((number, i) => {
    if (number !== i + 1) throw missing(i + 1)
  })
  const limit = pLimit(READERS)
  const read = await Promise.all(
    numbers.map((number) => limit(() => readSigned(store, recordName(number), signers))),
  )
  const records = read.map(({ bytes }, i) => parse(bytes, i + 1))
  records.forEach(({ previous }, i) => {
    if (previous === (read[i - 1]?.digest ?? null)) return
    throw damaged(`${recordName(i + 1)} does not follow the record before it`)
  })
  return {
    records,
    digests: read.map(({ digest }) => digest),
    lines: Buffer.concat(read.map(({ bytes }) => bytes)),
  }
}

/** In order. */
async function listNumbers(store: Store): Promise<number[]> {
  const numbers: number[] = []
  for await (const { name } of store.list(`${FOLDER}/`)) {
    const [, number] = /^erasures\/([1-9]\d*)\.json$/.exec(name) ?? []
    if (number !== undefined) numbers.push(Number(number))
  }
  return numbers.sort((a, b) => a - b)
}

/**
 * Checks that the ledger goes at least as far as somebody has seen it go.
 *
 * @param seenBy who has, for the message
 * @throws Failure `integrity`
 */
export function checkReaches(ledger: Ledger, head: LedgerHead, seenBy: string): void {
  const found = ledger.digests[head.number - 1]
  if (found === head.sha256) return
  if (found === undefined) throw missing(head.number, seenBy)
  throw damaged(`${recordName(head.number)} is not the record that ${seenBy} knows`)
}

function missing(number: number, seenBy?: string): Failure {
  const known = seenBy === undefined ? '' : `, which ${seenBy} knows`
  return damaged(`${recordName(number)} is missing${known}`)
}

function damaged(message: string): Failure {
  return new Failure('integrity', `the ledger of erasures was changed: ${message}`, {
    hint: 'bring the objects below erasures/ back from another copy of the store',
  })
}

function parse(bytes: Buffer, number: number): ErasureRecord {
  const data = readJson(bytes, RECORD)
  if (!data) throw damaged(`${recordName(number)} cannot be read`)
  if (data.number !== number) throw damaged(`${recordName(number)} is record ${data.number}`)
  return data
}

/** One line of ASCII. */
export function writeRecord(record: ErasureRecord): Buffer {
  const text = JSON.stringify(RECORD.parse(record)).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return Buffer.from(`${text}\n`)
}

/** What a new record says; the rest follows from where it comes. */
export type NewRecord = Omit<ErasureRecord, 'format' | 'number' | 'previous'>

const ATTEMPTS = 20

/**
 * Adds a record behind the last one, whoever adds others at the same time.
 *
 * @param make the record, given the ledger that it follows; undefined: there is nothing to add
 * @throws Failure `integrity` where the ledger is damaged; `refused` where others were faster again and again; `store`
 */
export async function appendRecord(
  store: Store,
  signers: readonly PublicKeyFile[],
  signing: SigningKey,
  make: (ledger: Ledger) => NewRecord | undefined,
): Promise<{ ledger: Ledger; record: ErasureRecord | undefined }> {
  for (let attempt = 1; ; attempt++) {
    const ledger = await readLedger(store, signers)
    const wanted = make(ledger)
    if (!wanted) return { ledger, record: undefined }
    const number = ledger.records.length + 1
    const previous = ledger.digests.at(-1) ?? null
    const record: ErasureRecord = { format: FORMAT, number, previous, ...wanted }
    try {
      await createSigned(store, recordName(number), writeRecord(record), signing)
      return { ledger: await readLedger(store, signers), record }
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'refused') throw error
      if (attempt === ATTEMPTS) throw error
    }
  }
}
