import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import type { Endpoint } from './connect.ts'
import { type DumpOutcome, Frontend, openSession, type Session } from './pg-dump-relay.ts'

const PORT = '5432'

/** More of pg_dump's standard error is not kept. */
const STDERR_LIMIT = 64 * 1024

/**
 * Runs a pg_dump of the machine over a Unix socket in a directory that only this user can enter. Behind
 * the socket is a session that is authenticated already, so pg_dump is told neither the password nor the server.
 *
 * @returns the dump, or what pg_dump wrote to its standard error
 * @throws Failure `source` where the connection fails
 */
export async function runNative(
  endpoint: Endpoint,
  path: string,
  args: string[],
  signal: AbortSignal | undefined,
): Promise<DumpOutcome> {
  signal?.throwIfAborted()
  const session = await openSession(endpoint)
  const directory = await mkdtemp(join(tmpdir(), 'pgveil-'))
  const relay = createServer()
  let lost = false
  session.stream.once('close', () => (lost = true))
  try {
    await chmod(directory, 0o700)
    await listen(relay, session, join(directory, `.s.PGSQL.${PORT}`))
    const outcome = await run(path, args, directory, signal)
    if ('error' in outcome && lost) {
      throw new Failure(
        endpoint.side,
        `the connection to ${endpoint.label} broke while pg_dump ran`,
      )
    }
    return outcome
  } finally {
    relay.close()
    session.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Lets one program in. */
function listen(relay: Server, session: Session, path: string): Promise<void> {
  relay.once('connection', (socket) => {
    relay.close()
    connect(socket, session)
  })
  return new Promise((resolve, reject) => {
    relay.once('error', reject)
    relay.listen(path, resolve)
  })
}

function connect(socket: Socket, session: Session): void {
  const frontend = new Frontend(session, (bytes) => socket.write(bytes))
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    try {
      frontend.write(bytes)
    } catch {
      socket.destroy()
    }
  })
  session.stream.on('data', (bytes: Buffer) => {
    if (!socket.write(bytes)) session.stream.pause()
  })
  socket.on('drain', () => session.stream.resume())
  session.stream.once('close', () => socket.destroy())
}

async function run(
  path: string,
  args: string[],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<DumpOutcome> {
  const child = spawn(path, args, {
    cwd: directory,
    env: environment(directory),
    stdio: ['ignore', 'pipe', 'pipe'],
    killSignal: 'SIGKILL',
    ...(signal && { signal }),
  })
  const chunks: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => {
    if (stderr.length < STDERR_LIMIT) stderr += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => {
      reject(signal?.aborted ? signal.reason : cannotRun(path, error))
    })
    child.once('close', resolve)
  })
  return code === 0 ? { text: Buffer.concat(chunks).toString() } : { error: stderr }
}

/** What a program needs to run. The rest of the environment may hold secrets, or send libpq elsewhere. */
const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH']

function environment(directory: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => INHERITED.includes(name))
  return {
    ...Object.fromEntries(kept),
    // in English: some messages are recognised
    LC_ALL: 'C',
    PGHOST: directory,
    PGPORT: PORT,
    PGUSER: 'pgveil',
    PGDATABASE: 'pgveil',
    PGSSLMODE: 'disable',
    PGGSSENCMODE: 'disable',
    PGSERVICEFILE: join(directory, 'none'),
    PGPASSFILE: join(directory, 'none'),
  }
}

function cannotRun(path: string, error: Error): Failure {
  return new Failure('source', `cannot run ${path}: ${error.message}`, { cause: error })
}
