import { Failure, type FailureKind } from '../errors.ts'
import { parse, pg, toClientConfig } from './pg.ts'
import { ReusingSocket } from './socket.ts'

/** A PostgreSQL database that can be connected to. Plain data: it travels to workers by IPC, never by argument. */
export interface Endpoint {
  config: pg.ClientConfig
  /** The connection string without its password, for people. */
  label: string
  /** Which side it is; decides the kind of failure. */
  side: 'source' | 'sink'
}

/** Seconds to wait for a server before giving up. */
const CONNECT_TIMEOUT = 15
/** Seconds of silence before the line is looked at: gateways forget connections that are silent for some minutes. */
const KEEP_ALIVE = 60

/**
 * Reads a connection string (`postgres://…`, libpq's environment variables fill the gaps).
 *
 * @throws Failure `usage` where it is not one
 */
export function parseEndpoint(url: string, side: Endpoint['side']): Endpoint {
  let config: pg.ClientConfig | undefined
  try {
    config = /^(postgres|postgresql|socket):/.test(url) ? toClientConfig(parse(url)) : undefined
  } catch {
    config = undefined
  }
  if (!config) {
    throw new Failure(
      'usage',
      `the ${side === 'source' ? 'source' : 'target'} is not a connection string`,
      {
        hint: 'write it like postgres://user@host:5432/database',
      },
    )
  }
  const user = config.user ?? process.env['PGUSER']
  return describe(
    {
      ...config,
      ...(user && { user }),
      port: config.port ?? Number(process.env['PGPORT'] ?? 5432),
      database: config.database ?? process.env['PGDATABASE'] ?? user ?? 'postgres',
    },
    side,
  )
}

function describe(config: pg.ClientConfig, side: Endpoint['side']): Endpoint {
  const user = config.user ? `${encodeURIComponent(config.user)}@` : ''
  const host = config.host ?? process.env['PGHOST'] ?? 'localhost'
  const where = host.startsWith('/') ? `localhost${host}` : host
  return { config, side, label: `postgres://${user}${where}:${config.port}/${config.database}` }
}

/** The same server and credentials, another database. */
export function withDatabase(endpoint: Endpoint, database: string): Endpoint {
  return describe({ ...endpoint.config, database }, endpoint.side)
}

/** Settings every session of ours begins with: values print and parse the same way everywhere. */
const SESSION = [
  "SET datestyle = 'ISO, YMD'",
  "SET intervalstyle = 'postgres'",
  "SET timezone = 'UTC'",
  'SET extra_float_digits = 3',
  "SET bytea_output = 'hex'",
  "SET xmloption = 'content'",
  "SET search_path = ''",
  'SET statement_timeout = 0',
  'SET lock_timeout = 0',
  'SET idle_in_transaction_session_timeout = 0',
  'SET idle_session_timeout = 0',
  'SET array_nulls = on',
  // Compiling queries over catalogs takes far longer than running them, and COPY has nothing to compile.
  'SET jit = off',
  // version 17 and later
  `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout'`,
]

/**
 * Connects and puts the session into a known state.
 *
 * A connection that breaks later shows in the query that is under way; the client has an error
 * listener so that an idle break ends nothing by itself.
 *
 * @param purpose shown in `application_name`
 * @throws Failure `source` or `sink` where the server cannot be reached or refuses
 */
export async function openClient(endpoint: Endpoint, purpose: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...endpoint.config,
    application_name: `pgveil ${purpose}`,
    connectionTimeoutMillis: CONNECT_TIMEOUT * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE * 1000,
    ...(!usesTls(endpoint.config) && { stream: () => new ReusingSocket() }),
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(SESSION.join(';'))
  } catch (error) {
    await client.end().catch(() => {})
    throw connectFailure(endpoint, error)
  }
  return client
}

/** As pg decides it. */
function usesTls({ ssl }: pg.ClientConfig): boolean {
  const mode = process.env['PGSSLMODE']
  return ssl === undefined ? mode !== undefined && mode !== 'disable' : ssl !== false
}

function connectFailure(endpoint: Endpoint, error: unknown): Failure {
  const code = errorCode(error) || (asksForPassword(error) ? NO_PASSWORD : '')
  const reason =
    CONNECT_REASONS[code] ?? (error instanceof Error ? firstLine(error.message) : 'unknown error')
  const hint = CONNECT_HINTS[code]
  return new Failure(endpoint.side, `cannot connect to ${endpoint.label}: ${reason}`, {
    cause: error,
    ...(hint && { hint }),
  })
}

/** Our code for what pg has none for. */
const NO_PASSWORD = 'NO_PASSWORD'

function asksForPassword(error: unknown): boolean {
  return error instanceof Error && error.message.includes('client password must be a')
}

const CONNECT_REASONS: Readonly<Record<string, string>> = {
  [NO_PASSWORD]: 'the server asks for a password, and none is given',
  ECONNREFUSED: 'no server answers there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name cannot be looked up',
  ETIMEDOUT: 'the server does not answer',
  ECONNRESET: 'the server closed the connection',
  '28P01': 'wrong password or unknown user',
  '28000': 'the server refuses this user',
  '3D000': 'no such database',
  '53300': 'the server has no connection left',
  '57P03': 'the server is starting up or shutting down',
}

const CONNECT_HINTS: Readonly<Record<string, string>> = {
  [NO_PASSWORD]: 'put it into the connection string; PGPASSWORD and ~/.pgpass are read too',
  ECONNREFUSED: 'check host and port, and that the server runs and listens there',
  ENOTFOUND: 'check the host name',
  '28P01': 'check user and password; PGPASSWORD and ~/.pgpass are read too',
  '28000': 'check user, database and pg_hba.conf',
  '3D000': 'check the database name',
}

/** SQLSTATE or system error code; empty where there is none. */
export function errorCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return String(error.code)
}

/**
 * Whether the server, which is well, refuses what it was asked. Classes 53, 57 and 58 are of the server itself, and XX of
 * its faults.
 */
export function isRefusal(error: unknown): boolean {
  const isError = (error as { severity?: unknown }).severity === 'ERROR'
  return isError && !/^(53|57|58|XX)/.test(errorCode(error))
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

/**
 * SQLSTATE classes whose primary message is about connections, rights, names, syntax, limits and the like. That of any
 * other (data exceptions, constraint violations, codes of the user's) may quote a value of a row.
 */
const TELLS_NO_ROWS = /^(08|0A|25|26|28|3D|3F|40|42|53|54|55|57|58)(?!P17)/

/** Of class XX, like a limit on the length of files. */
const FILE_TROUBLE =
  /^could not (extend|write|read|open|fsync|create) (temporary )?file "(base|global|pg_\w+)\//

/** Where a function of the user's raises an error, whose SQLSTATE, message and names it chooses freely. */
const RAISED_BY_USER = /^(exec_stmt_raise|PLy_elog\w*|throw_tcl_error)$/

/**
 * What PostgreSQL said, without anything that could be a row value.
 *
 * @param side of the server; values in SQL that a function on the source puts together are originals
 */
export function describeError(error: unknown, side: FailureKind): string {
  const code = errorCode(error)
  if (!(error instanceof Error)) return 'unknown error'
  if (!(error instanceof pg.DatabaseError)) {
    return CONNECT_REASONS[code] ?? firstLine(error.message)
  }
  const { constraint, column, table, schema, routine, internalQuery } = error
  if (RAISED_BY_USER.test(routine ?? '') || (internalQuery !== undefined && side === 'source')) {
    return `a function in the database failed (SQLSTATE ${code})`
  }
  const what =
    TELLS_NO_ROWS.test(code) || FILE_TROUBLE.test(error.message)
      ? firstLine(error.message)
      : (STATES[code] ?? 'the server refuses a value')
  const where = [
    constraint && `constraint ${constraint}`,
    column && `column ${column}`,
    table && `table ${schema ? `${schema}.` : ''}${table}`,
  ].filter(Boolean)
  return `${what} (SQLSTATE ${code}${where.length ? `, ${where.join(', ')}` : ''})`
}

const STATES: Readonly<Record<string, string>> = {
  '22001': 'a value is too long for its type',
  '22003': 'a number is out of range',
  '22007': 'a date or time is malformed',
  '22008': 'a date or time is out of range',
  '22021': 'bytes that are no text in this encoding',
  '22P02': 'a value is malformed for its type',
  '22P03': 'a value is malformed in binary form',
  '22P05': 'a character has no equivalent in the encoding of the target',
  '23502': 'a NULL where the column is NOT NULL',
  '23503': 'a foreign key points to a row that is not there',
  '23505': 'two rows with one key under a unique constraint',
  '23514': 'a row violates a check',
  '23P01': 'rows conflict under an exclusion constraint',
}

/**
 * Wraps whatever a server or its connection threw while `doing`, keeping a Failure as it is.
 *
 * @throws the error itself where it is a mistake in this program
 */
export function serverFailure(side: FailureKind, doing: string, error: unknown): Failure {
  if (error instanceof Failure) return error
  if (error instanceof TypeError || error instanceof ReferenceError) throw error
  const noRoom = error instanceof Error && error.message.startsWith('could not extend file "base/')
  const code = noRoom ? '53100' : errorCode(error)
  const hint = (side === 'source' ? SOURCE_HINTS[code] : TARGET_HINTS[code]) ?? SERVER_HINTS[code]
  return new Failure(side, `cannot ${doing}: ${describeError(error, side)}`, {
    cause: error,
    ...(hint && { hint }),
  })
}

const SOURCE_HINTS: Readonly<Record<string, string>> = {
  '42501': 'grant this user the missing right; reading production needs pg_read_all_data',
  '55P03':
    'another session wants a table for itself, or has it (ALTER TABLE, TRUNCATE, VACUUM FULL): run again when it has ended',
}

const TARGET_HINTS: Readonly<Record<string, string>> = {
  '42601': 'is the target older than the source? one that is as new takes all of its structure',
  '42501': 'grant this user the missing right there, or connect as another user',
}

const SERVER_HINTS: Readonly<Record<string, string>> = {
  '53100': 'free space on the server and run again',
  '53200': 'the server is out of memory',
  '57P01': 'the server ended the session; see its log',
  '55000': 'see the log of the server',
}
