import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import { findBinaries, type Binaries } from './binaries.ts'
import { own, serverIdentity, type Identity } from './identity.ts'
import { OWNER, PREFIX, removeLeftovers } from './leftovers.ts'
import { WARDEN } from './warden.ts'

/** A server for one restore test. */
export interface ScratchServer {
  /** Of its superuser, with the password. */
  url: string
  version: string
  /** Ends it; its data are gone when this returns. */
  stop(): Promise<void>
}

export interface ScratchRequest {
  /** Major version that it must have at least. */
  least: number
  /** Directory with initdb and postgres; undefined: searched for. */
  bin: string | undefined
  env: NodeJS.ProcessEnv
  /** Sessions that will be busy at a time. */
  jobs: number
  /** Is told of what is noteworthy. */
  note: (message: string) => void
}

/** As it is called nearly everywhere: what belongs to the source's superuser then belongs to this one. */
const USER = 'postgres'
const ATTEMPTS = 3

/**
 * Starts a server of this run's own: on 127.0.0.1, with a random password, its data in a directory below the temporary
 * one that only its user can enter. It ends with this process, even one that is killed, and leaves nothing. Under root
 * it runs as `postgres`, or else `nobody`.
 *
 * @throws Failure `sink`
 */
export async function startScratch(request: ScratchRequest): Promise<ScratchServer> {
  const identity = serverIdentity()
  for (const path of removeLeftovers(tmpdir(), identity)) {
    request.note(`removed ${path}, left by a restore test that was killed`)
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(request, identity)
    } catch (error) {
      // Somebody took the port between its choice and its use.
      const isPort = error instanceof Failure && error.message.includes('could not bind')
      if (attempt === ATTEMPTS || !isPort) throw error
    }
  }
}

async function startOnce(request: ScratchRequest, identity: Identity): Promise<ScratchServer> {
  const { least, bin: given, env, jobs } = request
  const directory = mkdtempSync(join(tmpdir(), PREFIX))
  try {
    writeFileSync(join(directory, OWNER), `${process.pid}\n`, { mode: 0o600 })
    chmodSync(directory, 0o700)
    own(directory, identity)
    const binaries = await findBinaries({ least, given, env, identity, directory })
    const password = randomBytes(24).toString('base64url')
    await initialise(binaries, directory, password, identity)
    const { port, stop } = await launch(binaries, directory, identity, jobs)
    const url = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`
    const end = async (): Promise<void> => {
      await stop()
      // Its own user may not be the one who can remove it from where it lies.
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    }
    return { url, version: binaries.version, stop: end }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    throw error
  }
}

const ENVIRONMENT = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' }

async function initialise(
  { bin, major }: Binaries,
  directory: string,
  password: string,
  identity: Identity,
): Promise<void> {
  const file = join(directory, 'password')
  const data = join(directory, 'data')
  writeFileSync(file, `${password}\n`, { mode: 0o600 })
  own(file, identity)
  const flags = ['-D', data, '-U', USER, '-E', 'UTF8', '--locale=C', '-N', '-A', 'scram-sha-256']
  // Digests of all rows say more than checksums of pages that live for a few minutes.
  if (major >= 18) flags.push('--no-data-checksums')
  const command = [join(bin, 'initdb'), ...flags, `--pwfile=${file}`]
  const warden = watched(directory, 'keep', command, identity)
  let log = ''
  warden.stderr?.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4096)))
  const code = await new Promise<number | null>((resolve, reject) => {
    warden.once('error', reject)
    warden.once('close', resolve)
  })
  rmSync(file, { force: true })
  if (code === 0) return
  throw new Failure('sink', `initdb failed: ${lastLine(log)}`, {
    hint: 'is there room in the temporary directory? TMPDIR names another',
  })
}

/** Detached: Ctrl-C reaches this process only, which ends the program in its turn. */
function watched(
  directory: string,
  keep: 'keep' | 'drop',
  command: readonly string[],
  identity: Identity,
): ChildProcess {
  return spawn('/bin/sh', ['-c', WARDEN, 'pgveil scratch', directory, keep, ...command], {
    ...identity,
    cwd: directory,
    detached: true,
    env: ENVIRONMENT,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
}

/** Nothing has to survive a crash, and nothing of what is in the rows may come into a log. */
function serverSettings(major: number, directory: string, port: number, jobs: number): string[] {
  // Jobs run side by side: workers of the server's own would only take turns with them.
  const spare = Math.max(0, availableParallelism() - jobs)
  const settings = {
    max_parallel_workers: spare,
    max_parallel_workers_per_gather: Math.min(2, spare),
    max_parallel_maintenance_workers: Math.min(2, spare),
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: directory,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    wal_level: 'minimal',
    max_wal_senders: 0,
    wal_init_zero: 'off',
    wal_recycle: 'off',
    max_wal_size: '2GB',
    checkpoint_timeout: '1h',
    shared_buffers: '256MB',
    max_locks_per_transaction: 256,
    autovacuum: 'off',
    bgwriter_lru_maxpages: 0,
    bgwriter_flush_after: 0,
    checkpoint_flush_after: 0,
    jit: 'off',
    // Less than this is only said to whoever is connected.
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...(major >= 17 && { event_triggers: 'off' }),
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Runs postgres under its warden and waits until it accepts connections. */
async function launch(
  { bin, major }: Binaries,
  directory: string,
  identity: Identity,
  jobs: number,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const port = await freePort()
  const settings = serverSettings(major, directory, port, jobs)
  const command = [join(bin, 'postgres'), '-D', join(directory, 'data'), ...settings]
  const warden = watched(directory, 'drop', command, identity)
  const ended = new Promise<void>((resolve) => warden.once('exit', () => resolve()))
  await ready(warden)
  // It must not keep a run alive that is over, and nobody reads on.
  warden.stderr?.removeAllListeners('data').resume()
  for (const handle of [warden, warden.stdin, warden.stderr]) {
    if (handle && 'unref' in handle) (handle as { unref: () => void }).unref()
  }
  const stop = (): Promise<void> => {
    warden.ref()
    warden.stdin?.on('error', () => {}).end()
    return ended
  }
  return { port, stop }
}

async function ready(warden: ChildProcess): Promise<void> {
  let log = ''
  await new Promise<void>((resolve, reject) => {
    warden.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-16_384)
      if (log.includes('ready to accept')) resolve()
    })
    warden.once('error', reject)
    warden.once('exit', () =>
      reject(
        new Failure('sink', `the scratch server does not start: ${lastLine(log)}`, {
          hint: 'run it by hand as its user to see more; --server takes another server',
        }),
      ),
    )
  })
}

/** What PostgreSQL says last that is an error; it says so before there is any row. */
function lastLine(log: string): string {
  const lines = log.split('\n').filter((line) => line.trim() !== '')
  return (
    lines.findLast((line) => /FATAL|error/i.test(line)) ??
    lines.at(-1) ??
    'it says nothing'
  ).trim()
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
