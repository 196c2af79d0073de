import type pg from 'pg'
import { Failure } from '../errors.ts'
import { errorCode, openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { beginLocked, checkNotRewritten, WAIT_FOR_LOCKS } from './locks.ts'

/** What a server and its database are. */
export interface ServerFacts {
  /** `server_version_num`: 180004 for 18.4. */
  versionNumber: number
  /** As the server prints it. */
  version: string
  major: number
  database: string
  /** Of the cluster; a standby shares its primary's. Undefined where this user may not read it. */
  systemIdentifier: string | undefined
  encoding: string
  collate: string
  ctype: string
  /** `c` libc, `i` ICU, `b` builtin. */
  localeProvider: string
  /** ICU or builtin locale, where there is one. */
  locale: string | undefined
  icuRules: string | undefined
  inRecovery: boolean
}

/** One exported snapshot of the source; it lives while its session does. */
export interface Snapshot {
  id: string
  facts: ServerFacts
  client: pg.Client
  /** SQL that sessions which join lock all tables with; undefined: the server has no room for that. */
  locks: string | undefined
  /** Waits for `work`, but not beyond the end of the session: nobody can join its snapshot any more. */
  during<T>(work: Promise<T>): Promise<T>
  /**
   * To be asked when all rows are read, and sessions that have read them are still there.
   *
   * @throws Failure `source` where some may have been out of sight: a table was truncated or written anew
   */
  checkSeen(): Promise<void>
  close(): Promise<void>
}

/** Reads what the server and database behind `client` are. */
export async function readServerFacts(client: pg.Client): Promise<ServerFacts> {
  const version = Number(
    (await client.query<{ n: string }>("SELECT current_setting('server_version_num') AS n")).rows[0]
      ?.n,
  )
  const major = Math.floor(version / 10_000)
  const locale = major >= 17 ? 'd.datlocale' : major >= 15 ? 'd.daticulocale' : 'NULL'
  const provider = major >= 15 ? 'd.datlocprovider' : "'c'"
  const rules = major >= 16 ? 'd.daticurules' : 'NULL'
  const { rows } = await client.query<Record<string, string | boolean | null>>(`
    SELECT current_setting('server_version') AS version, d.datname AS database,
           pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS collate, d.datctype AS ctype,
           ${provider}::text AS provider, ${locale}::text AS locale, ${rules}::text AS rules,
           pg_catalog.pg_is_in_recovery() AS recovery
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`)
  const row = rows[0] ?? {}
  return {
    versionNumber: version,
    version: String(row['version']),
    major,
    database: String(row['database']),
    systemIdentifier: await readSystemIdentifier(client),
    encoding: String(row['encoding']),
    collate: String(row['collate']),
    ctype: String(row['ctype']),
    localeProvider: String(row['provider']),
    locale: (row['locale'] as string | null) ?? undefined,
    icuRules: (row['rules'] as string | null) ?? undefined,
    inRecovery: row['recovery'] === true,
  }
}

async function readSystemIdentifier(client: pg.Client): Promise<string | undefined> {
  await client.query('SAVEPOINT identifier').catch(() => {})
  try {
    const { rows } = await client.query<{ id: string }>(
      'SELECT system_identifier::text AS id FROM pg_catalog.pg_control_system()',
    )
    return rows[0]?.id
  } catch {
    await client.query('ROLLBACK TO SAVEPOINT identifier').catch(() => {})
    return undefined
  } finally {
    await client.query('RELEASE SAVEPOINT identifier').catch(() => {})
  }
}

/** SQL_ASCII has no conversions: bytes travel as they are. */
export function clientEncoding(databaseEncoding: string): string {
  return databaseEncoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
}

/** Statements that make a session read, and only read, what it is told to. */
function readOnlySession(encoding: string): string {
  return [
    `SET client_encoding = ${quoteLiteral(encoding)}`,
    // Row-level security that would hide rows becomes an error instead.
    'SET row_security = off',
    'SET default_transaction_read_only = on',
    // Definitions print the same way everywhere.
    'SET quote_all_identifiers = off',
    'SET standard_conforming_strings = on',
  ].join(';')
}

/**
 * Opens the run's one snapshot: a read-only, repeatable-read transaction whose snapshot other sessions
 * import, and which locks all tables against being truncated or altered. Works on a hot standby.
 *
 * @param workers sessions that are to join it
 * @throws Failure `source`
 */
export async function openSnapshot(source: Endpoint, workers = 0): Promise<Snapshot> {
  const client = await openClient(source, 'snapshot')
  try {
    const locks = await beginLocked(client, source, workers)
    const facts = await readServerFacts(client)
    if (facts.major < 14) {
      throw new Failure('source', `the source runs PostgreSQL ${facts.version}, which is too old`, {
        hint: 'pgveil reads PostgreSQL 14 to 18',
      })
    }
    await client.query(readOnlySession(clientEncoding(facts.encoding)))
    const { rows } = await client.query<{ id: string }>('SELECT pg_export_snapshot() AS id')
    const lost = new Promise<never>((_, reject) => {
      client.once('end', () => reject(endedSession(source)))
    })
    lost.catch(() => {})
    return {
      id: rows[0]?.id ?? '',
      facts,
      client,
      locks,
      during: (work) => Promise.race([work, lost]),
      checkSeen: async () => {
        if (locks === undefined) await checkNotRewritten(client, source)
      },
      close: () => client.end().catch(() => {}),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw serverFailure('source', `open a snapshot of ${source.label}`, error)
  }
}

function endedSession({ label }: Endpoint): Failure {
  return new Failure('source', `cannot read ${label}: the session with the snapshot ended`, {
    hint: 'did the server restart, or somebody or something end it? its log tells',
  })
}

/** What a session needs to join a snapshot. Plain data. */
export interface Joining {
  snapshotId: string
  /** Of the database. */
  encoding: string
  /** See Snapshot. */
  locks: string | undefined
}

export function joiningOf({ id, facts, locks }: Snapshot): Joining {
  return { snapshotId: id, encoding: facts.encoding, locks }
}

/**
 * A session of its own that sees the snapshot's rows and can do nothing but read.
 *
 * @throws Failure `source`
 */
export async function joinSnapshot(
  source: Endpoint,
  { snapshotId, encoding, locks }: Joining,
): Promise<pg.Client> {
  const client = await openClient(source, 'read')
  try {
    await client.query(readOnlySession(clientEncoding(encoding)))
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshotId)}`)
    await client.query(locks ?? WAIT_FOR_LOCKS)
    return client
  } catch (error) {
    await client.end().catch(() => {})
    const hint =
      errorCode(error) === '22023'
        ? 'did the server restart? otherwise connect to it directly: a load balancer sends sessions to different ones'
        : undefined
    if (hint) {
      throw new Failure('source', `the snapshot is not, or no longer, known to ${source.label}`, {
        hint,
        cause: error,
      })
    }
    throw serverFailure('source', `join the snapshot of ${source.label}`, error)
  }
}
