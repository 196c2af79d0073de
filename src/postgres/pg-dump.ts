import { execFile } from 'node:child_process'
import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../errors.ts'
import type { Endpoint } from './connect.ts'
import { hiddenFromDump, type DumpWarning } from './pg-dump-hidden.ts'
import { runNative } from './pg-dump-native.ts'
import { runWasm, WASM_VERSION } from './pg-dump-wasm.ts'
import { withoutRestrict } from './restrict.ts'

/** Which pg_dump to use; `auto` takes the native one where one is new enough. */
export type DumperChoice = 'native' | 'wasm' | 'auto'

/** A pg_dump that can read the server. */
export type Dumper =
  { form: 'native'; path: string; version: string } | { form: 'wasm'; version: string }

export interface DumpRequest {
  endpoint: Endpoint
  dumper: Dumper
  /** Exported by a session that stays open. */
  snapshot: string
  section: 'pre-data' | 'post-data'
  /** The server's encoding is SQL_ASCII: bytes come as they are stored, and must be UTF-8. */
  sqlAscii?: boolean
  signal?: AbortSignal
  /** `masked`, unless told: nothing of owners, privileges, replication and security labels. */
  what?: 'masked'
}

/** Asks for everything but tablespaces, whose directories are the server's own. */
export type FullDumpRequest = Omit<DumpRequest, 'what'> & { what: 'everything' }

export interface FullDump {
  /**
   * For pg, and for any psql and server from version 14 on; but subscriptions are for servers no older than
   * pg_dump, whose options they have.
   */
  text: string
  /** What this user may not see, and is missing. */
  warnings: DumpWarning[]
}

/** Where packages put client tools besides PATH; `*` stands for one name. */
const DIRECTORIES = [
  '/usr/lib/postgresql/*/bin',
  '/usr/pgsql-*/bin',
  '/usr/libexec/postgresql*',
  '/opt/homebrew/opt/libpq/bin',
  '/opt/homebrew/opt/postgresql@*/bin',
  '/usr/local/opt/libpq/bin',
  '/usr/local/opt/postgresql@*/bin',
  '/Applications/Postgres.app/Contents/Versions/*/bin',
]

/**
 * Chooses the pg_dump for a server: the native one with the least major that is not below the
 * server's, else the WebAssembly one.
 *
 * @param path directories to search besides the usual ones, like PATH
 * @throws Failure `source` where none can read such a server
 */
export async function chooseDumper(
  serverMajor: number,
  preferred: DumperChoice = 'auto',
  path = process.env['PATH'] ?? '',
): Promise<Dumper> {
  const natives = preferred === 'wasm' ? [] : await nativeDumpers(serverMajor, path)
  const fit = natives.filter(({ version }) => majorOf(version) >= serverMajor)
  const [best] = fit.toSorted((a, b) => majorOf(a.version) - majorOf(b.version))
  if (best) return best
  if (preferred !== 'native' && majorOf(WASM_VERSION) >= serverMajor) {
    return { form: 'wasm', version: WASM_VERSION }
  }
  const found = [...new Set(natives.map(({ version }) => version))].join(', ')
  throw new Failure('source', `no pg_dump can read a server of version ${serverMajor}`, {
    hint: `install the PostgreSQL client tools of version ${serverMajor} or newer${found && `; found ${found}`}`,
  })
}

/** Like `pg_dump 15.18 (native)`. */
export function describeDumper({ form, version }: Dumper): string {
  return `pg_dump ${version} (${form === 'native' ? 'native' : 'WebAssembly'})`
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}

type NativeDumper = Dumper & { form: 'native' }

/** @param wanted major: where a usual directory has it, PATH is not looked at */
async function nativeDumpers(wanted: number, path: string): Promise<NativeDumper[]> {
  // the tools of other programs run over a Unix socket, which Windows lacks in libpq's form
  if (process.platform === 'win32') return []
  const usual = new Set((await Promise.all(DIRECTORIES.map(expand))).flat())
  const found = await probeAll(usual)
  // Debian's pg_dump on PATH is a script that chooses a version by itself, and slow to tell which.
  if (found.some(({ version }) => majorOf(version) === wanted)) return found
  const others = path.split(delimiter).filter((each) => each !== '' && !usual.has(each))
  return [...found, ...(await probeAll(new Set(others)))]
}

async function probeAll(directories: ReadonlySet<string>): Promise<NativeDumper[]> {
  const found = await Promise.all([...directories].map(probe))
  return found.filter((dumper) => dumper !== undefined)
}

/** The directories that a pattern with at most one `*` stands for. */
async function expand(pattern: string): Promise<string[]> {
  const parts = pattern.split('/')
  const at = parts.findIndex((part) => part.includes('*'))
  if (at < 0) return [pattern]
  const parent = parts.slice(0, at).join('/')
  const prefix = (parts[at] ?? '').replace('*', '')
  const names = await readdir(parent).catch(() => [])
  return names
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(parent, name, ...parts.slice(at + 1)))
}

async function probe(directory: string): Promise<NativeDumper | undefined> {
  const path = join(directory, 'pg_dump')
  try {
    await access(path, constants.X_OK)
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 })
    const version = /\(PostgreSQL\) (\d+\S*)/.exec(stdout)?.[1]
    return version ? { form: 'native', path, version } : undefined
  } catch {
    return undefined
  }
}

/** Characters at the end of a dump among which pg_dump says that it is complete. */
const FOOT = 300

/**
 * Reads the structure of a database as plain SQL, as of a snapshot: no rows and no statistics.
 *
 * @throws Failure `source` where pg_dump or its connection fails
 * @throws the signal's reason where it is aborted
 */
export async function dumpStructure(request: FullDumpRequest): Promise<FullDump>
export async function dumpStructure(request: DumpRequest): Promise<string>
export async function dumpStructure(
  request: DumpRequest | FullDumpRequest,
): Promise<string | FullDump> {
  const { endpoint, dumper, signal, sqlAscii, snapshot, section } = request
  const args = dumpArguments(request)
  const outcome =
    dumper.form === 'native'
      ? await runNative(endpoint, dumper.path, args, signal)
      : await runWasm(endpoint, args, signal)
  if ('error' in outcome) throw dumpFailure(endpoint, outcome.error)
  const { text } = outcome
  if (text.includes('\ufffd') && sqlAscii) {
    throw new Failure(
      endpoint.side,
      `the structure of ${endpoint.label} has names or texts that are not UTF-8, in a database of encoding SQL_ASCII`,
    )
  }
  if (!text.slice(-FOOT).includes('PostgreSQL database dump complete')) {
    throw new Failure(endpoint.side, `pg_dump did not finish the structure of ${endpoint.label}`)
  }
  if (request.what !== 'everything') return text
  return { text: portable(text), warnings: await hiddenFromDump(endpoint, snapshot, section) }
}

const SET_TIMEOUT = /^SET transaction_timeout = 0;$/m
const SET_TIMEOUT_IF_KNOWN =
  "SELECT pg_catalog.set_config('transaction_timeout', '0', false) " +
  "WHERE EXISTS (SELECT FROM pg_catalog.pg_settings WHERE name = 'transaction_timeout');"

/** A pg_dump of version 17 or newer sets, before all objects, what older servers do not know. */
function portable(dump: string): string {
  const text = withoutRestrict(dump)
  const objects = text.indexOf('\n-- Name: ')
  const head = objects < 0 ? text : text.slice(0, objects)
  return head.replace(SET_TIMEOUT, SET_TIMEOUT_IF_KNOWN) + text.slice(head.length)
}

/** Options of a dump that keeps to structure and leaves behind who may do what, and secrets. */
const MASKED = [
  '--no-owner',
  '--no-privileges',
  '--no-publications',
  '--no-subscriptions',
  '--no-security-labels',
]

function dumpArguments(request: DumpRequest | FullDumpRequest): string[] {
  const { snapshot, section, sqlAscii, what } = request
  return [
    '--schema-only',
    `--section=${section}`,
    `--snapshot=${snapshot}`,
    `--encoding=${sqlAscii ? 'SQL_ASCII' : 'UTF8'}`,
    ...(what === 'everything' ? [] : MASKED),
    '--no-tablespaces',
    '--no-password',
    // a table that someone alters is not waited for without end
    '--lock-wait-timeout=60s',
  ]
}

/** The first error that pg_dump tells of; details and queries that follow it are left out. */
function dumpFailure(endpoint: Endpoint, stderr: string): Failure {
  const said = /pg_dump: error: ([\s\S]*?)(?=\n|pg_dump: |$)/.exec(stderr)?.[1]
  const message = said ?? 'it gave no reason'
  const hint = hintFor(message)
  return new Failure(endpoint.side, `pg_dump cannot read ${endpoint.label}: ${message.trim()}`, {
    ...(hint && { hint }),
  })
}

function hintFor(message: string): string | undefined {
  if (message.includes('max_locks_per_transaction')) {
    return 'raise max_locks_per_transaction on the server'
  }
  if (message.includes('out of shared memory')) {
    return 'the database has more tables than the server can lock at once: raise max_locks_per_transaction on it'
  }
  if (message.includes('permission denied')) {
    return 'grant this user the missing right; reading production needs pg_read_all_data'
  }
  if (message.includes('statement timeout') || message.includes('lock timeout')) {
    return 'another session wants a table for itself, or has it (ALTER TABLE, TRUNCATE, VACUUM FULL); run again when it has ended'
  }
  return undefined
}
