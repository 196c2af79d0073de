import type pg from 'pg'
import { Failure } from '../errors.ts'
import { serverFailure } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { dollarQuote, lineLiteral, SQL_HEADER } from '../postgres/sql-text.ts'

export interface LargeObject {
  oid: number
  bytes: number
}

/** What a stretch of large objects holds. */
export interface LargeObjectCount {
  objects: number
  /** Of their content. */
  bytes: number
}

/** Large objects by their numbers, both ends included. */
export interface LargeObjectRange {
  fromOid: number
  toOid: number
}

/** pg_read_all_data does not reach large objects: their owners' members read them, and who was granted to. */
const UNREADABLE = `
SELECT count(*)::int AS count FROM pg_catalog.pg_largeobject_metadata o
WHERE pg_catalog.current_setting('lo_compat_privileges') = 'off' AND NOT pg_catalog.pg_has_role(o.lomowner, 'USAGE')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.aclexplode(o.lomacl) a WHERE a.privilege_type = 'SELECT'
      AND CASE a.grantee WHEN 0 THEN true ELSE pg_catalog.pg_has_role(a.grantee, 'USAGE') END)`

/**
 * Checks that this user may read all large objects.
 *
 * @param otherwise what can be done instead of granting the right
 * @throws Failure `source`
 */
export async function checkLargeObjects(
  client: pg.Client,
  database: string,
  otherwise = '',
): Promise<void> {
  const { rows } = await client.query<{ count: number }>(UNREADABLE)
  const count = rows[0]?.count ?? 0
  if (count === 0) return
  throw new Failure('source', `this user may not read ${count} large objects in ${database}`, {
    hint: `grant this user the roles that own them${otherwise && `, or ${otherwise}`}`,
  })
}

/** Large objects listed in one query. */
const PAGE = 1000

/** The numbers of lo_open's INV_READ and lseek's SEEK_END are PostgreSQL's. Each is closed: a transaction may see many. */
const SIZES = `
SELECT o.oid::int8 AS oid, CASE WHEN pg_catalog.lo_close(f.fd) = 0 THEN s.bytes END AS bytes
FROM (SELECT oid FROM pg_catalog.pg_largeobject_metadata WHERE oid::int8 > $1 ORDER BY oid LIMIT ${PAGE}) o
CROSS JOIN LATERAL (SELECT pg_catalog.lo_open(o.oid, x'40000'::int) AS fd OFFSET 0) f
CROSS JOIN LATERAL (SELECT pg_catalog.lo_lseek64(f.fd, 0, 2) AS bytes OFFSET 0) s
ORDER BY o.oid`

/**
 * All large objects by number, a page at a time.
 *
 * @throws Failure `source`; also where this user may not read one
 */
export async function* listLargeObjects(client: pg.Client): AsyncGenerator<LargeObject[]> {
  for (let last = 0; ;) {
    const { rows } = await client
      .query<{ oid: string; bytes: string }>(SIZES, [last])
      .catch((error: unknown) => {
        throw serverFailure('source', 'list the large objects', error)
      })
    const page = rows.map(({ oid, bytes }) => ({ oid: Number(oid), bytes: Number(bytes) }))
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    last = page.at(-1)?.oid ?? last
  }
}

/**
 * Cuts the large objects into ranges of about `wanted` bytes; one that is larger has a range of its own.
 *
 * @throws Failure `source`
 */
export async function largeObjectRanges(
  client: pg.Client,
  wanted: number,
): Promise<(LargeObjectRange & LargeObjectCount)[]> {
  const ranges: (LargeObjectRange & LargeObjectCount)[] = []
  for await (const page of listLargeObjects(client)) {
    for (const { oid, bytes } of page) {
      const range = ranges.at(-1)
      // an empty one takes about as much SQL as this
      const size = bytes + 256
      if (!range || range.bytes + range.objects * 256 + size > wanted) {
        ranges.push({ fromOid: oid, toOid: oid, objects: 1, bytes })
      } else {
        range.toOid = oid
        range.objects++
        range.bytes += bytes
      }
    }
  }
  return ranges
}

/** Objects in one transaction of the target: each is a lock, and locks are limited. */
const TRANSACTION = 500
/** Objects whose first pieces are in memory at once. */
const BATCH = 16
/** Bytes of content in one statement; part of format version 1. */
export const PIECE = 256 * 1024

interface ObjectRow {
  oid: string
  piece: Buffer
  owner: string
  comment: string | null
  grants: Grant[]
  /** What the owner has no right to. */
  lacking: string[]
}

interface Grant {
  /** Null: everybody. */
  grantee: string | null
  privilege: string
  grantable: boolean
}

/** The owner's own rights are there by themselves. */
const OBJECTS = `
SELECT o.oid::int8 AS oid, pg_catalog.lo_get(o.oid, 0, ${PIECE}) AS piece,
       pg_catalog.pg_get_userbyid(o.lomowner) AS owner,
       pg_catalog.obj_description(o.oid, 'pg_largeobject') AS comment,
       coalesce((
         SELECT pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
           'grantee', r.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable))
         FROM pg_catalog.aclexplode(o.lomacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
         WHERE (r.oid IS NOT NULL OR a.grantee = 0) AND a.grantee <> o.lomowner), '[]') AS grants,
       coalesce((
         SELECT pg_catalog.jsonb_agg(p) FROM pg_catalog.unnest('{SELECT,UPDATE}'::text[]) p
         WHERE o.lomacl IS NOT NULL AND NOT EXISTS (
           SELECT FROM pg_catalog.aclexplode(o.lomacl) a
           WHERE a.grantee = o.lomowner AND a.privilege_type = p)), '[]') AS lacking
FROM pg_catalog.pg_largeobject_metadata o
WHERE o.oid::int8 > $1 AND o.oid::int8 <= $2 ORDER BY o.oid LIMIT ${BATCH}`

/**
 * Large objects as SQL that makes them anew under their numbers, with content, comments, owners and privileges: for
 * psql, and for pg, a line at a time. Each statement stands on one line that ends in `;`, no longer than
 * 600 KiB; each chunk is whole lines. Where the target lacks a role, a WARNING says so.
 *
 * @param count is added to as objects are read
 * @throws Failure `source`
 */
export async function* largeObjectSql(
  client: pg.Client,
  { fromOid, toOid }: LargeObjectRange,
  count: LargeObjectCount = { objects: 0, bytes: 0 },
): AsyncGenerator<Buffer> {
  yield Buffer.from(SQL_HEADER)
  const rights = new Rights()
  let open = 0
  for (let last = fromOid - 1; ;) {
    const { rows } = await client
      .query<ObjectRow>(OBJECTS, [last, toOid])
      .catch((error: unknown) => {
        throw serverFailure('source', 'read the large objects', error)
      })
    for (const row of rows) {
      if (open === 0) yield Buffer.from('BEGIN;\n')
      for await (const { sql, bytes } of contentSql(client, row)) {
        yield Buffer.from(sql)
        count.bytes += bytes
      }
      count.objects++
      rights.add(row)
      open++
      if (open === TRANSACTION) {
        yield Buffer.from(`${rights.take()}COMMIT;\n`)
        open = 0
      }
    }
    if (rows.length < BATCH) break
    last = Number(rows.at(-1)?.oid)
  }
  if (open > 0) yield Buffer.from(`${rights.take()}COMMIT;\n`)
}

async function* contentSql(
  client: pg.Client,
  { oid, piece: first, comment }: ObjectRow,
): AsyncGenerator<{ sql: string; bytes: number }> {
  let sql = `SELECT pg_catalog.lo_create(${oid});\n`
  if (comment !== null) sql += `COMMENT ON LARGE OBJECT ${oid} IS ${lineLiteral(comment)};\n`
  yield { sql, bytes: 0 }
  let piece = first
  for (let offset = 0; piece.length > 0; offset += PIECE) {
    sql = `SELECT pg_catalog.lo_put(${oid}, ${offset}, '\\x${piece.toString('hex')}');\n`
    yield { sql, bytes: piece.length }
    if (piece.length < PIECE) return
    piece = await readPiece(client, oid, offset + PIECE)
  }
}

async function readPiece(client: pg.Client, oid: string, offset: number): Promise<Buffer> {
  try {
    const { rows } = await client.query<{ piece: Buffer }>(
      'SELECT pg_catalog.lo_get($1::oid, $2, $3) AS piece',
      [oid, offset, PIECE],
    )
    return rows[0]?.piece ?? Buffer.alloc(0)
  } catch (error) {
    throw serverFailure('source', `read large object ${oid}`, error)
  }
}

/** Owners and privileges of the objects of one transaction, one statement for all that have the same. */
class Rights {
  readonly #owners = new Map<string, string[]>()
  readonly #grants = new Map<string, { grant: Grant; oids: string[] }>()
  readonly #lacking = new Map<string, { owner: string; privilege: string; oids: string[] }>()

  add({ oid, owner, grants, lacking }: ObjectRow): void {
    this.#owners.set(owner, [...(this.#owners.get(owner) ?? []), oid])
    for (const grant of grants) {
      const key = JSON.stringify([grant.grantee, grant.privilege, grant.grantable])
      const group = this.#grants.get(key)
      if (group) group.oids.push(oid)
      else this.#grants.set(key, { grant, oids: [oid] })
    }
    for (const privilege of lacking) {
      const key = JSON.stringify([owner, privilege])
      const group = this.#lacking.get(key)
      if (group) group.oids.push(oid)
      else this.#lacking.set(key, { owner, privilege, oids: [oid] })
    }
  }

  /** The statements; the next transaction then starts with none. */
  take(): string {
    const lines = [
      ...[...this.#owners].map(([owner, oids]) =>
        forEach(oids, 'ALTER LARGE OBJECT %1$s OWNER TO %2$I', owner, 'do not come to role'),
      ),
      ...[...this.#lacking.values()].map(({ owner, privilege, oids }) =>
        forEach(
          oids,
          `REVOKE ${privilege} ON LARGE OBJECT %1$s FROM %2$I`,
          owner,
          'stay open to role',
        ),
      ),
      ...[...this.#grants.values()].map(({ grant: { grantee, privilege, grantable }, oids }) => {
        const to = grantee === null ? 'PUBLIC' : '%2$I'
        const form = `GRANT ${privilege} ON LARGE OBJECT %1$s TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`
        return forEach(oids, form, grantee ?? '', 'stay closed to role')
      }),
    ]
    for (const map of [this.#owners, this.#grants, this.#lacking]) map.clear()
    return lines.join('')
  }
}

/** Does something to many objects at once, for a role that may not be there. */
function forEach(oids: readonly string[], form: string, role: string, otherwise: string): string {
  const name = lineLiteral(role)
  const body = [
    'DECLARE o oid;',
    `BEGIN FOREACH o IN ARRAY '{${oids.join(',')}}'::oid[] LOOP`,
    `EXECUTE pg_catalog.format(${quoteLiteral(form)}, o, ${name});`,
    'END LOOP;',
    'EXCEPTION WHEN undefined_object OR insufficient_privilege THEN',
    `RAISE WARNING '${oids.length} large objects ${otherwise} %: %', ${name}, SQLERRM;`,
    'END',
  ].join(' ')
  return `DO ${dollarQuote(body)};\n`
}
