import type pg from 'pg'
import { Failure } from '../errors.ts'
import { showName } from '../postgres/identifiers.ts'
import { readStructure } from '../postgres/structure-facts.ts'
import type { Secret } from '../seal/secret.ts'
import { readSequences } from '../source/settings.ts'
import type { Manifest } from './manifest.ts'
import { structureKeyOf } from './secrets.ts'

export interface CompareRequest {
  manifest: Manifest
  secret: Secret
  /** Of the server it was restored on. */
  major: number
  /** All tables were wanted. */
  whole: boolean
  /** Rows that were loaded. */
  rows: number
  warnings: readonly { code: string }[]
}

/** Warnings after which the structure is known to differ. */
const LEFT_OUT =
  /-left-out$|^role-missing$|^foreign-key-not-valid$|^view-not-filled$|^locale-replaced$/

/**
 * Compares a restored database with what the manifest says of its source. Rows were compared as they went in: each
 * object was committed only after its number of rows and their digest held.
 *
 * @returns what was compared, and how much of it
 * @throws Failure `integrity` for what is not equal
 */
export async function compareRestored(
  client: pg.Client,
  request: CompareRequest,
): Promise<Record<string, number>> {
  const { manifest, whole, rows, warnings } = request
  const compared: Record<string, number> = { rows }
  if (whole) {
    const expected = manifest.tables.reduce((sum, table) => sum + table.rows, 0)
    if (rows !== expected) {
      throw new Failure('integrity', `${rows} rows were restored, the manifest says ${expected}`)
    }
    compared['large objects'] = await compareLargeObjects(client, manifest)
  }
  compared['sequences'] = await compareSequences(client, manifest)
  const isWhole = whole && !warnings.some(({ code }) => LEFT_OUT.test(code))
  if (isWhole) compared['definitions'] = await compareStructure(client, request)
  return compared
}

async function compareLargeObjects(client: pg.Client, { largeObjects }: Manifest): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM pg_catalog.pg_largeobject_metadata',
  )
  const count = rows[0]?.count ?? 0
  if (count === largeObjects.count) return count
  throw new Failure(
    'integrity',
    `${count} large objects were restored, the manifest says ${largeObjects.count}`,
  )
}

async function compareSequences(client: pg.Client, { sequences }: Manifest): Promise<number> {
  const wanted = sequences.map(({ schema, name }) => ({ schema, name, skip: false }))
  const found = await readSequences(client, { sequences: wanted })
  found.forEach((sequence, i) => {
    const expected = sequences[i]
    if (sequence.value === expected?.value && sequence.called === expected.called) return
    throw new Failure(
      'integrity',
      `sequence ${showName(sequence)} does not stand where the manifest says`,
    )
  })
  return found.length
}

/** Definitions print the same on one major version only; on another their numbers are compared. */
async function compareStructure(
  client: pg.Client,
  { manifest, secret, major }: CompareRequest,
): Promise<number> {
  const { structure, source } = manifest
  // pg_dump may have set it as the source has it.
  await client.query('SET standard_conforming_strings = on')
  // Defaults of the type money print in it. Where the target does not have it, so be it.
  await client
    .query(`SELECT pg_catalog.set_config('lc_monetary', $1, false)`, [source.lcMonetary ?? 'C'])
    .catch(() => {})
  const { facts: found } = await readStructure(client, major, structureKeyOf(secret))
  for (const [kind, count] of Object.entries(structure.counts)) {
    if (found.counts[kind] === count) continue
    throw new Failure(
      'integrity',
      `the restored database has ${found.counts[kind] ?? 0} ${kind}, the manifest says ${count}`,
    )
  }
  if (major === structure.major && found.digest !== structure.digest) {
    throw new Failure('integrity', 'some definition of the restored database is not what it was')
  }
  return Object.values(structure.counts).reduce((sum, count) => sum + count, 0)
}
