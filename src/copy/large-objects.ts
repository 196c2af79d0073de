import type pg from 'pg'
import type { RuleFile } from '../mask/rules.ts'
import type { Catalog } from '../postgres/catalog.ts'
import { serverFailure } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import type { TargetSessions } from '../sink/finish.ts'
import type { Warn } from '../sink/structure.ts'

interface LargeObject {
  oid: string
  comment: string | null
}

/** Bytes of a large object that are in memory at a time. */
const PIECE = 1024 * 1024

/**
 * Copies large objects under their numbers, where the rules say `large_objects: keep`. Their content may be
 * anything, so they stay behind otherwise, with a warning.
 *
 * @throws Failure `source` or `sink`
 */
export async function copyLargeObjects(
  source: pg.Client,
  sessions: TargetSessions,
  catalog: Catalog,
  rules: RuleFile,
  warn: Warn,
): Promise<void> {
  if (!tellOfLargeObjects(catalog.largeObjects, rules, warn)) return
  const failed = (error: unknown) => {
    throw serverFailure('source', 'read the large objects', error)
  }
  const declare = `
     DECLARE pgveil_large_objects NO SCROLL CURSOR FOR
     SELECT oid::int8 AS oid, pg_catalog.obj_description(oid, 'pg_largeobject') AS comment
     FROM pg_catalog.pg_largeobject_metadata ORDER BY oid`
  await source.query(declare).catch(failed)
  await sessions.use(async (target) => {
    for (;;) {
      const fetch = 'FETCH 1000 FROM pgveil_large_objects'
      const { rows } = await source.query<LargeObject>(fetch).catch(failed)
      if (rows.length === 0) return
      // One transaction a thousand: each object is a lock, and locks are limited.
      await target.query('BEGIN')
      for (const object of rows) await copyLargeObject(source, target, object)
      await target.query('COMMIT')
    }
  })
}

/** Whether there are large objects to copy; warns where there are some, and nobody decided. */
export function tellOfLargeObjects(count: number, rules: RuleFile, warn: Warn): boolean {
  if (count > 0 && rules.largeObjects === undefined) {
    warn(
      'large-objects-left-out',
      `${count} large objects are left out: the rules do not say large_objects: keep`,
    )
  }
  return count > 0 && rules.largeObjects === 'keep'
}

async function copyLargeObject(
  source: pg.Client,
  target: pg.Client,
  { oid, comment }: LargeObject,
): Promise<void> {
  const read = (offset: number) =>
    source
      .query<{ piece: Buffer }>('SELECT pg_catalog.lo_get($1::oid, $2, $3) AS piece', [
        oid,
        offset,
        PIECE,
      ])
      .catch((error: unknown) => {
        throw serverFailure('source', `read large object ${oid}`, error)
      })
  try {
    await target.query('SELECT pg_catalog.lo_create($1::oid)', [oid])
    if (comment !== null) {
      await target.query(`COMMENT ON LARGE OBJECT ${oid} IS ${quoteLiteral(comment)}`)
    }
    for (let offset = 0; ; offset += PIECE) {
      const piece = (await read(offset)).rows[0]?.piece
      if (!piece || piece.length === 0) return
      await target.query('SELECT pg_catalog.lo_put($1::oid, $2, $3)', [oid, offset, piece])
      if (piece.length < PIECE) return
    }
  } catch (error) {
    throw serverFailure('sink', `write large object ${oid}`, error)
  }
}
