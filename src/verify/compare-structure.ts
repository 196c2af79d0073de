import type pg from 'pg'
import type { Manifest } from '../backup/manifest.ts'
import { readAgainSql, type LargeObjectContents } from '../backup/large-object-rows.ts'
import type { Loaded } from '../backup/loading.ts'
import { LARGE_OBJECTS } from '../backup/restore-plan.ts'
import { structureKeyOf } from '../backup/secrets.ts'
import type { Catalog } from '../postgres/catalog.ts'
import { serverFailure } from '../postgres/connect.ts'
import { showName } from '../postgres/identifiers.ts'
import { changedDefinitions, readStructure, type Structure } from '../postgres/structure-facts.ts'
import type { Secret } from '../seal/secret.ts'
import { listLargeObjects } from '../source/large-objects.ts'
import { readSequences } from '../source/settings.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'
import type { Checker } from './checker.ts'
import { missingObjects } from './missing-objects.ts'
import type { StepRecord } from './step.ts'

export interface StructureRequest {
  manifest: Manifest
  secret: Secret
  /** What the backup creates. */
  plan: StructurePlan
  /** What the source's structure was; undefined: the backup does not say more than its digest. */
  definitions: string | undefined
  /** What was put in. */
  largeObjects: Loaded['largeObjects']
  checker: Checker
  /** Of the restored database. */
  catalog: Catalog
  /** Of the server it was restored on. */
  major: number
  /** What the restore left out, by its codes. */
  warnings: readonly { code: string; message: string }[]
}

/** Warnings of a restore after which the structure is known to differ. */
const LEFT_OUT = /-left-out$|^role-missing$|^foreign-key-not-valid$|^view-not-filled$/
/** Of these, the ones after which all objects are there nevertheless. */
const ALL_THERE = /^(owner|grant|roles)-left-out$|^foreign-key-not-valid$|^view-not-filled$/

/** Compares everything but rows with the manifest. */
export async function compareRest(
  record: StepRecord,
  client: pg.Client,
  request: StructureRequest,
): Promise<void> {
  try {
    await compareSequences(record, client, request)
    compareExtensions(record, request)
    await compareLargeObjects(record, client, request)
    await compareDefinitions(record, client, request)
  } catch (error) {
    throw serverFailure('sink', 'compare the restored database', error)
  }
}

async function compareSequences(
  record: StepRecord,
  client: pg.Client,
  { manifest, catalog }: StructureRequest,
): Promise<void> {
  const there = new Set(catalog.sequences.map(showName))
  const expected = manifest.sequences.filter((sequence) => {
    record.checks++
    if (there.has(showName(sequence))) return true
    record.fail(`sequence ${showName(sequence)} is missing`)
    return false
  })
  const sequences = expected.map(({ schema, name }) => ({ schema, name, skip: false }))
  const found = await readSequences(client, { sequences })
  found.forEach(({ value, called }, i) => {
    const wanted = expected[i]
    if (!wanted || (value === wanted.value && called === wanted.called)) return
    record.fail(
      `sequence ${showName(wanted)} stands at ${value}, the manifest says ${wanted.value}${called === wanted.called ? '' : ', and it differs in whether that was handed out'}`,
    )
  })
  record.note(`${found.length} sequences compared`)
}

/** Their versions are the server's own: a restore creates the one that is installed. */
function compareExtensions(record: StepRecord, { manifest, catalog }: StructureRequest): void {
  for (const [name, version] of Object.entries(manifest.source.extensions)) {
    record.checks++
    const found = catalog.extensions.get(name)
    if (found === undefined) record.fail(`extension ${name} is missing`)
    else if (found !== version) {
      record.note(`extension ${name} is of version ${found} here, ${version} on the source`)
    }
  }
}

async function compareLargeObjects(
  record: StepRecord,
  client: pg.Client,
  { manifest: { largeObjects }, largeObjects: loaded, checker }: StructureRequest,
): Promise<void> {
  let count = 0
  let bytes = 0
  // Their sizes can only be asked for in a transaction.
  await client.query('BEGIN READ ONLY')
  for await (const page of listLargeObjects(client)) {
    count += page.length
    bytes += page.reduce((total, object) => total + object.bytes, 0)
  }
  await client.query('COMMIT')
  record.checks++
  if (count !== largeObjects.count) {
    record.fail(`there are ${count} large objects, the manifest says ${largeObjects.count}`)
  } else if (bytes !== largeObjects.bytes) {
    record.fail(`large objects hold ${bytes} bytes, the manifest says ${largeObjects.bytes}`)
  } else {
    await Promise.all(loaded.map((contents) => compareContents(record, contents, checker)))
    record.note(`${count} large objects read again: ${bytes} bytes`)
  }
}

/** Reads a stretch of large objects again, and compares it with what was put in. */
async function compareContents(
  record: StepRecord,
  contents: LargeObjectContents,
  checker: Checker,
): Promise<void> {
  const { fromOid, toOid, digest } = contents
  const copyOut = readAgainSql(contents)
  const table = 'large objects'
  const read = await checker.run({ kind: 'read', table, of: LARGE_OBJECTS, copyOut })
  record.checks++
  const which =
    fromOid === toOid ? `large object ${fromOid}` : `large objects ${fromOid} to ${toOid}`
  if (read.refused) record.fail(`${which}: cannot be read: ${read.refused.message}`)
  else if (read.digest !== digest) {
    record.fail(`${which}: as many bytes as expected, but not the same: their digest differs`)
  }
}

/** Definitions print the same on one major version only; on another their numbers are compared. */
async function compareDefinitions(
  record: StepRecord,
  client: pg.Client,
  request: StructureRequest,
): Promise<void> {
  const { manifest, secret, plan, major, warnings } = request
  const { structure, source } = manifest
  // Defaults of the type money print in it. Where the server does not have it, so be it.
  await client
    .query(`SELECT pg_catalog.set_config('lc_monetary', $1, false)`, [source.lcMonetary ?? 'C'])
    .catch(() => {})
  const restored = await readStructure(client, major, structureKeyOf(secret))
  const found = restored.facts
  const leftOut = warnings.filter(({ code }) => LEFT_OUT.test(code))
  const differing = Object.entries(structure.counts).filter(([kind, count]) => {
    record.checks++
    return found.counts[kind] !== count
  })
  if (differing.length > 0) {
    const named = leftOut.map(({ message }) => message).join('\n')
    const missing = (await missingObjects(client, plan)).filter((what) => !named.includes(what))
    for (const what of missing) record.fail(`${what} is missing`)
    // Others are fewer because of what was left out.
    const isTold = leftOut.every(({ code }) => ALL_THERE.test(code))
    for (const [kind, count] of isTold ? differing : []) {
      record.fail(`there are ${found.counts[kind] ?? 0} ${kind}, the manifest says ${count}`)
    }
  }
  const [first] = leftOut
  if (first) record.warn(`definitions were not compared one by one: ${first.message}`)
  if (first || differing.length > 0) return
  if (major !== structure.major) {
    record.warn(
      `definitions print differently on PostgreSQL ${major} and ${structure.major}: only their numbers were compared`,
    )
  } else if (found.digest !== structure.digest) {
    const which = namesOfChanged(restored, request).join(', ') || UNNAMED
    record.fail(
      `some definition (${which}) is not what it was: the digest of the structure differs`,
    )
  }
}

const UNNAMED = 'a function, constraint, index, view, default, comment or the like'
const SHOWN = 10

/** What the source had otherwise or not at all: the first few. */
function namesOfChanged(
  { definitions }: Structure,
  { manifest, definitions: text }: StructureRequest,
): string[] {
  if (text === undefined) return []
  const changed = changedDefinitions(definitions, text, manifest.structure.counts)
  const names = [...new Set(changed.map(({ what }) => what))]
  const more = names.length - SHOWN
  return [...names.slice(0, SHOWN), ...(more > 0 ? [`${more} more`] : [])]
}
