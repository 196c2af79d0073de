import type pg from 'pg'
import { Failure } from '../errors.ts'
import { errorCode, type Endpoint } from '../postgres/connect.ts'

/**
 * What reads with a snapshot does not see rows that TRUNCATE, or an ALTER TABLE that writes a table anew, has taken out
 * of the way since: the table looks empty. So all sessions of a run hold the lock that a reader holds, on all tables and
 * from the beginning, as those of pg_dump do. Who comes later waits for it, which is why no session may ask for the lock
 * again that it does not hold yet: it would wait behind them.
 */

/** How long to wait for whoever has a table for himself. pg_dump waits as long. */
const LOCK_WAIT = '60s'
/**
 * Where the session with the snapshot has its locks, nobody else has a table for himself: whoever waits then waits behind
 * somebody who waits for the run, and everybody else behind both.
 */
const JOIN_WAIT = '10s'
/** For sessions that take locks as they come. */
export const WAIT_FOR_LOCKS = `SET lock_timeout = '${LOCK_WAIT}'`
/** Sessions that lock tables, beside the workers: the one that holds the snapshot, and pg_dump, two at a time. */
const OWN_SESSIONS = 3

/** A table with rows of its own, or one of partitions. */
interface LockableTable {
  oid: number
  /** As LOCK wants it. */
  name: string
  /** Written anew since the snapshot. */
  rewritten: boolean
}

/** In a transaction, the first of these takes its snapshot. */
async function readTables(client: pg.Client): Promise<LockableTable[]> {
  const { rows } = await client.query<{ oid: string; name: string; rewritten: boolean }>(`
    SELECT c.oid::int8 AS oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name,
           c.relkind = 'r' AND c.relfilenode <> pg_catalog.pg_relation_filenode(c.oid) IS TRUE AS rewritten
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
      -- null for what is dropped since
      AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') IS NOT FALSE
      AND pg_catalog.has_table_privilege(c.oid, 'SELECT') IS NOT FALSE`)
  return rows.map((row) => ({ ...row, oid: Number(row.oid) }))
}

/** Whether the server has room for the locks of all sessions, and for those of others beside them. */
async function hasRoom(client: pg.Client, tables: number, workers: number): Promise<boolean> {
  // Twice as many holders of locks fit.
  const { rows } = await client.query<{ locks: number }>(`
    SELECT pg_catalog.current_setting('max_locks_per_transaction')::int4
           * (pg_catalog.current_setting('max_connections')::int4
              + pg_catalog.current_setting('max_prepared_transactions')::int4) AS locks`)
  return tables * (workers + OWN_SESSIONS) <= (rows[0]?.locks ?? 0)
}

/** SQL that locks tables, for a session in a transaction. */
function lockSql(tables: readonly LockableTable[], wait: string): string {
  const names = tables.map(({ name }) => `ONLY ${name}`).join(', ')
  return `SET lock_timeout = '${wait}'; LOCK TABLE ${names} IN ACCESS SHARE MODE`
}

/** A table that was there is no longer, or has another name. */
const GONE = ['42P01', '3F000']
const TAKEN = '55P03'
const NO_ROOM = '53200'
/** Others create and drop tables all the time, perhaps; but not in the same few milliseconds again and again. */
const ATTEMPTS = 10

/**
 * Begins the transaction whose snapshot the run sees, with all tables locked that this user may read. Locks come first:
 * then nothing of them can have changed since.
 *
 * @param workers sessions that are to hold the same locks
 * @param wait for whoever has a table for himself, as `lock_timeout` takes it
 * @returns SQL with which they take them; undefined: the server has no room for so many locks, and what became of the
 *   tables is to be asked for with {@link checkNotRewritten}
 * @throws Failure `source` where somebody has a table for himself
 */
export async function beginLocked(
  client: pg.Client,
  { label }: Endpoint,
  workers: number,
  wait = LOCK_WAIT,
): Promise<string | undefined> {
  const begin = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'
  const before = await readTables(client)
  const locks = (await hasRoom(client, before.length, workers)) && before.length > 0
  if (!locks) {
    await client.query(begin)
    return undefined
  }
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const tables = attempt === 1 ? before : await readTables(client)
    try {
      await client.query(`${begin}; ${lockSql(tables, wait)}`)
      const known = new Set(tables.map(({ oid }) => oid))
      const seen = await readTables(client)
      const born = seen.filter(({ oid }) => !known.has(oid))
      if (born.length > 0) await client.query(lockSql(born, wait))
      if (born.length === 0 || !(await readTables(client)).some(({ rewritten }) => rewritten))
        return lockSql(seen, JOIN_WAIT)
      await client.query('ROLLBACK')
    } catch (error) {
      await client.query('ROLLBACK')
      const code = errorCode(error)
      if (code === TAKEN) throw await taken(client, label, error)
      if (code === NO_ROOM) {
        await client.query(begin)
        return undefined
      }
      if (!GONE.includes(code)) throw error
    }
  }
  throw new Failure('source', `tables of ${label} come and go too fast to be read together`, {
    hint: 'run again when whoever creates, drops or renames them has ended',
  })
}

/** Names who has what. */
async function taken(client: pg.Client, label: string, cause: unknown): Promise<Failure> {
  const { rows } = await client.query<{ pid: number; name: string }>(`
    SELECT l.pid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_locks l
      JOIN pg_catalog.pg_class c ON c.oid = l.relation
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND c.relkind IN ('r', 'p')
      AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
    ORDER BY 1, 2 LIMIT 1`)
  const [held] = rows
  const who = held ? `session ${held.pid} has ${held.name}` : 'another session has a table'
  return new Failure('source', `cannot read ${label}: ${who} for itself`, {
    hint: 'ALTER TABLE, TRUNCATE, VACUUM FULL and the like do that until they are committed; run again then',
    cause,
  })
}

/**
 * For tables that are not locked: looks, in the transaction with the snapshot and while those who have read them are still
 * in theirs, whether all were still as the snapshot knew them.
 *
 * @throws Failure `source` where one was not
 */
export async function checkNotRewritten(client: pg.Client, { label }: Endpoint): Promise<void> {
  const tables = await readTables(client)
  const names = tables.filter(({ rewritten }) => rewritten).map(({ name }) => name)
  if (names.length === 0) return
  throw new Failure(
    'source',
    `cannot read ${label}: ${names.join(', ')} was truncated or written anew meanwhile`,
    {
      hint: `run again; with room for locks on all ${tables.length} tables, others would wait for the run: raise max_locks_per_transaction`,
    },
  )
}
