import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { revokeKey } from 'openpgp'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { makeKeys, runRestore, writeConfig, type TrialKeys } from '../fixtures/backups.ts'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, databaseUrl, execute, query } from '../fixtures/databases.ts'
import { startS3, type Asked, type Fault, type StandIn } from '../fixtures/s3-stand-in.mjs'
import {
  isAlive,
  startWatched,
  type WatchedResult,
  type WatchedRun,
} from '../fixtures/watched-run.ts'
import { daysFromNow, makeKey } from '../unit/seal/made-keys.ts'

// Whatever happens to a backup under way: it exists as a whole or not at all, the run says why with the exit code of its
// kind, and nothing of it stays behind in the store, in temporary directories, as a process or as a session.

const SEED = Number(process.env['PGVEIL_TEST_SEED'] ?? Date.now() % 1_000_000)
const KILLS = 12
const BUCKET = 'safe'
/** Sealed, this is several parts of an upload. */
const ROWS = 90_000

let source: Server
let target: Server
let s3: StandIn
let directory: string
let keys: TrialKeys

type Kind = 'directory' | 's3'
const KINDS: Kind[] = ['directory', 's3']

/** A store of a test's own. */
interface Place {
  config: string
  /** Names of all that lies there: objects, temporary files, uploads. */
  names(): string[]
  env: NodeJS.ProcessEnv
}

let places = 0
interface PlaceOptions {
  database?: string
  name?: string
  /** Further settings of the bucket's store. */
  s3?: Record<string, unknown>
  backup?: Record<string, unknown>
  /** Use this store, in place of an empty one. */
  in?: string
}

async function place(kind: Kind, options: PlaceOptions = {}): Promise<Place> {
  const at = options.in ?? `place-${++places}`
  const path = join(directory, at)
  mkdirSync(path, { recursive: true })
  const config = await writeConfig(mkdtempSync(join(directory, 'config-')), {
    keys,
    source: databaseUrl(source, options.database ?? 'crm'),
    store: kind === 'directory' ? path : { s3: { ...bucketAt(at), ...options.s3 } },
    ...(options.name !== undefined && { name: options.name }),
    backup: options.backup ?? {},
  })
  const { accessKeyId, secretAccessKey } = s3
  return {
    config,
    names: kind === 'directory' ? () => filesOf(path) : () => keysOf(at),
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  }
}

function bucketAt(prefix: string): Record<string, unknown> {
  const { endpoint, region } = s3
  return { bucket: BUCKET, prefix, region, endpoint, pathStyle: true, stallSeconds: 5 }
}

function filesOf(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
    .sort()
}

function keysOf(prefix: string): string[] {
  const bucket = s3.buckets.get(BUCKET)!
  return [
    ...bucket.objects.keys(),
    ...Array.from(bucket.uploads.values(), ({ key }) => `${key} (upload)`),
  ]
    .filter((name) => name.startsWith(`${prefix}/`))
    .map((name) => name.slice(prefix.length + 1))
    .sort()
}

function start({ config, env }: Place, ...args: string[]): WatchedRun {
  const all = ['backup', '--config', config, '--json', '--jobs', '2', ...args]
  return startWatched(all, directory, env)
}

/** Waits until a run that is under way prints an event that fits. */
function said(run: WatchedRun, pattern: RegExp): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = ''
    run.child.stdout?.on('data', (chunk: string) => {
      text += chunk
      if (pattern.test(text)) resolve()
    })
    run.child.once('close', () => reject(new Error(`it ended without ${pattern}: ${text}`)))
  })
}

const rowsBegin = (run: WatchedRun) => said(run, /"phase":"rows","state":"started"/)
const rowsFlow = (run: WatchedRun) => said(run, /"event":"progress".*"rows":[1-9]/)

/** Nothing of the run is there any more, but what it stored. */
async function expectGone(run: WatchedRun, { leftFiles }: WatchedResult): Promise<void> {
  expect(leftFiles).toEqual([])
  const alive = () => [...run.descendants].filter(isAlive)
  await until(() => alive().length === 0, `processes ${alive().join()}`)
  await until(async () => (await sessions()) === 0, 'sessions on the source')
}

async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`there are still ${what}`)
    await sleep(50)
  }
}

async function sessions(): Promise<number> {
  const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'pgveil%'`
  return (await query<{ n: number }>(source.url, sql))[0]?.n ?? 0
}

interface Expected {
  code: number
  message: RegExp
  hint?: RegExp
  /** What the store held before; nothing unless told. */
  before?: string[]
}

async function expectFailed(
  at: Place,
  run: WatchedRun,
  { code, message, hint, before = [] }: Expected,
): Promise<WatchedResult> {
  const result = await run.done
  expect(result.stderr).toMatch(message)
  if (hint) expect(result.stderr).toMatch(new RegExp(`^hint: .*${hint.source}`, 'm'))
  expect(result.code).toBe(code)
  expect(result.stderr).not.toMatch(/left behind|DETAIL|CONTEXT|left open at the end/)
  expect(at.names()).toEqual(before)
  await expectGone(run, result)
  return result
}

interface Listed {
  label: string
  problems: string[]
}

async function listOf({ config, env }: Place): Promise<Listed[]> {
  const run = startWatched(['list', '--config', config, '--json'], directory, env)
  const { code, stdout, stderr } = await run.done
  if (code !== 0) throw new Error(stderr)
  const lines = stdout.split('\n').filter((line) => line.includes('"event":"backups"'))
  return (JSON.parse(lines[0]!) as { backups: Listed[] }).backups
}

async function backUp(at: Place): Promise<string> {
  const run = start(at)
  const result = await run.done
  if (result.code !== 0) throw new Error(result.stderr)
  await expectGone(run, result)
  const line = result.stdout.split('\n').find((text) => text.includes('"event":"backup"'))
  return (JSON.parse(line!) as { report: { label: string } }).report.label
}

/** Restores a backup and compares it with what it was made of, which has not changed since. */
async function expectEqual(at: Place, label: string): Promise<void> {
  const to = databaseUrl(target, 'restored')
  const result = await runRestore({
    config: at.config,
    env: at.env,
    target: to,
    opens: [keys.operations, keys.offline],
    args: ['--label', label],
  })
  expect(result).toMatchObject({ code: 0 })
  expect(await compareDatabases(databaseUrl(source, 'crm'), to)).toEqual([])
  await execute(target.url, 'DROP DATABASE restored')
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-faults-'))
  ;[source, target, s3] = await Promise.all([
    startPostgres({ major: 14 }),
    startPostgres({ major: 14 }),
    startS3({ buckets: { [BUCKET]: {} } }),
  ])
  keys = await makeKeys(join(directory, 'keys'))
  for (const [name, rows] of Object.entries({ crm: ROWS, small: 10 })) {
    const url = await createDatabase(source, name)
    await execute(
      url,
      'CREATE TABLE contact (id int PRIMARY KEY, name text)',
      `INSERT INTO contact SELECT i, sha512(i::text::bytea)::text || sha512((-i)::text::bytea)
       FROM generate_series(1, ${rows}) i`,
      'CREATE TABLE note (id int PRIMARY KEY, contact int REFERENCES contact, text text)',
      `INSERT INTO note SELECT i, i, 'note ' || i FROM generate_series(1, 10) i`,
    )
  }
})

beforeEach(() => {
  s3.onRequest = () => undefined
  s3.requests.length = 0
})

afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop(), s3?.close()])
  rmSync(directory, { recursive: true, force: true })
})

async function copying(): Promise<number> {
  for (;;) {
    const rows = await query<{ pid: number }>(
      source.url,
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgveil read' AND query ILIKE 'copy%contact%' AND state = 'active'`,
    )
    if (rows[0]) return rows[0].pid
    await sleep(5)
  }
}

async function recovered(): Promise<void> {
  await sleep(100)
  for (;;) {
    try {
      await query(source.url, 'SELECT 1')
      return
    } catch {
      await sleep(50)
    }
  }
}

describe.each(KINDS)('the source, store %s', (kind) => {
  test('ends the session that copies', async () => {
    const at = await place(kind)
    const run = start(at)
    await query(source.url, `SELECT pg_terminate_backend(${await copying()})`)
    await expectFailed(at, run, { code: 11, message: /error: cannot read public\.contact: / })
  })

  test('crashes', async () => {
    const at = await place(kind)
    const run = start(at)
    process.kill(await copying(), 'SIGKILL')
    const done = await run.done
    await recovered()
    expect(done.stderr).toMatch(/error: (cannot read |cannot connect to |the snapshot is not)/)
    await expectFailed(at, run, { code: 11, message: /error: / })
  })
})

/** The first descendant of a run whose command fits. */
async function descendant(run: WatchedRun, pattern: RegExp): Promise<number> {
  for (;;) {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      try {
        if (!pattern.test(readFileSync(`/proc/${name}/cmdline`, 'utf8'))) continue
        if (ancestors(Number(name)).includes(run.pid)) return Number(name)
      } catch {
        // it has ended meanwhile
      }
    }
    if (run.child.exitCode !== null) throw new Error(`none of its processes fits ${pattern}`)
    await sleep(1)
  }
}

function ancestors(pid: number): number[] {
  const parent = Number(/\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1])
  return parent > 1 ? [parent, ...ancestors(parent)] : []
}

describe.each(KINDS)('a process of the run, store %s', (kind) => {
  test('pg_dump is killed', async () => {
    const at = await place(kind)
    const run = start(at)
    process.kill(await descendant(run, /pg_dump\0.*--section/), 'SIGKILL')
    await expectFailed(at, run, { code: 11, message: /error: pg_dump cannot read / })
  })

  test('a worker is killed', async () => {
    const at = await place(kind)
    const run = start(at)
    await rowsFlow(run)
    process.kill(await descendant(run, /backup\/worker\.js/), 'SIGKILL')
    await expectFailed(at, run, {
      code: 1,
      message: /error: a worker process ended by itself \(signal SIGKILL\)/,
      hint: /fewer --jobs/,
    })
  })
})

/** Faults for the first `times` requests of an operation. */
function failFirst(operation: RegExp, times: number, fault: Fault): void {
  let count = 0
  s3.onRequest = (asked: Asked) =>
    operation.test(asked.operation) && ++count <= times ? fault : undefined
}

describe('the bucket', () => {
  const FORBIDDEN: Fault = { status: 403, code: 'QuotaExceeded' }

  test.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
    'refuses %s',
    async (operation) => {
      const at = await place('s3')
      failFirst(new RegExp(operation), 99, FORBIDDEN)
      await expectFailed(at, start(at), {
        code: 13,
        message: /error: cannot write s3:\/\/safe\/\S+\/tables\/\S+: .*quota/,
        hint: /./,
      })
    },
  )

  test.each([1, 3, 5, 7, 10, 12, 13])('refuses the PutObject number %i', async (number) => {
    const at = await place('s3', { database: 'small' })
    let count = 0
    s3.onRequest = ({ operation }) =>
      operation === 'PutObject' && ++count === number ? FORBIDDEN : undefined
    const result = await start(at).done
    expect(result.code).toBe(13)
    expect(count).toBeGreaterThanOrEqual(number)
    expect(at.names()).toEqual([])
  })

  test('is overloaded for a while, resets and loses answers: nobody notices', async () => {
    const at = await place('s3')
    let count = 0
    const faults: Fault[] = [{ status: 503, code: 'SlowDown' }, 'reset', { loseAnswer: true }]
    s3.onRequest = () => (++count % 3 === 0 ? faults[(count / 3) % 3] : undefined)
    const label = await backUp(at)
    expect(count).toBeGreaterThan(30)
    s3.onRequest = () => undefined
    expect(await listOf(at)).toMatchObject([{ label, problems: [] }])
    await expectEqual(at, label)
  })

  test('a part hangs: it is sent again', async () => {
    const at = await place('s3')
    failFirst(/UploadPart/, 1, 'hang')
    expect(await listOf(at)).toEqual([])
    const label = await backUp(at)
    expect(await listOf(at)).toMatchObject([{ label, problems: [] }])
  })

  test('lies in another region: refused before the first byte, and before the source is asked', async () => {
    s3.addBucket('abroad', { location: 'us-east-1' })
    const at = await place('s3', { s3: { bucket: 'abroad' } })
    const before = source.log().length
    await expectFailed(at, start(at), { code: 16, message: /error: .*us-east-1/, hint: /./ })
    expect(s3.requests.filter(({ method }) => method === 'PUT' || method === 'POST')).toEqual([])
    expect(source.log().slice(before)).not.toContain('pgveil')
  })

  test('stays overloaded', async () => {
    const at = await place('s3', { database: 'small' })
    const storm: Fault = { status: 503, code: 'SlowDown' }
    s3.onRequest = ({ key }) => (key.endsWith('restore.sh') ? storm : undefined)
    await expectFailed(at, start(at), {
      code: 13,
      message: /error: cannot (write|create|look at) s3:\/\/safe\/\S+restore\.sh: /,
      hint: /./,
    })
  })

  test('loses the answer to the very last request, and is gone: the backup is there, and the run says so', async () => {
    const at = await place('s3', { database: 'small' })
    let last = false
    s3.onRequest = ({ operation, key }) => {
      if (!key.endsWith('/manifest.json') || operation === 'GetObject') return undefined
      if (operation === 'PutObject' && !last) {
        last = true
        return { loseAnswer: true }
      }
      return last ? { status: 403, code: 'AccessDenied' } : undefined
    }
    const { code, stderr } = await start(at).done
    s3.onRequest = () => undefined
    const [found] = await listOf(at)
    expect(found?.problems).toEqual([])
    if (code !== 0) {
      expect(code).toBe(13)
      expect(stderr).toContain(`left behind: the backup ${found?.label}, which is whole`)
    }
  })
})

describe('the directory', () => {
  test('is not there', async () => {
    const at = await place('directory', { in: 'absent' })
    rmSync(join(directory, 'absent'), { recursive: true })
    const { code, stderr } = await start(at).done
    expect(stderr).toMatch(/error: directory \S+absent is not there\nhint: mount its disk/)
    expect(code).toBe(13)
    expect(existsSync(join(directory, 'absent'))).toBe(false)
  })

  test('may not be written to', async () => {
    const at = await place('directory', { in: 'closed' })
    const closed = join(directory, 'closed')
    chmodSync(directory, 0o755)
    chmodSync(closed, 0o555)
    // What root may do proves nothing.
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    if ('uid' in nobody) for (const name of filesOf(join(directory, 'keys'))) own(name)
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const args = [cli, 'backup', '--config', at.config, '--store', closed]
    chmodSync(join(at.config, '..'), 0o755)
    const { status, stderr } = spawnSync(process.execPath, args, {
      ...nobody,
      env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
      encoding: 'utf8',
    })
    expect(stderr).toMatch(
      /error: cannot use directory \S+closed: permission denied\nhint: let the/,
    )
    expect(status).toBe(13)
    expect(filesOf(closed)).toEqual([])
    function own(name: string): void {
      chmodSync(join(directory, 'keys'), 0o755)
      chownSync(join(directory, 'keys', name), 65534, 65534)
    }
  })

  test('is full', async () => {
    const at = await place('directory')
    // To a process with this limit, in units of 512 bytes, the disk is full.
    const shell = join(directory, 'limited.sh')
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const command = `'${process.execPath}' '${cli}' backup --config '${at.config}' --jobs 2`
    writeFileSync(shell, `trap '' XFSZ\nulimit -f 8000\nexec ${command}\n`)
    const { status, stderr } = spawnSync('/bin/sh', [shell], {
      env: { PATH: process.env['PATH'], HOME: directory, TMPDIR: directory },
      encoding: 'utf8',
    })
    expect(stderr).toMatch(/error: cannot write \S+: the file system takes no file that large/)
    expect(stderr).toMatch(/^hint: /m)
    expect(status).toBe(13)
    expect(at.names()).toEqual([])
  })

  test.each(['envelopes.json', 'manifest.json.asc', 'restore.sh'])(
    'takes everything but %s',
    async (name) => {
      const at = await place('directory', { database: 'small' })
      const run = start(at)
      await rowsBegin(run)
      const store = (
        JSON.parse(readFileSync(at.config, 'utf8')) as { store: { directory: string } }
      ).store.directory
      await until(() => readdirSync(store).some((entry) => entry.endsWith('-small')), 'no label')
      const label = readdirSync(store).find((entry) => entry.endsWith('-small'))!
      // In the place of a file that is to come.
      mkdirSync(join(store, label, name))
      const { code, stderr } = await run.done
      expect(stderr).toMatch(new RegExp(`error: .*${name.replace('.', '\\.')}`))
      expect([13, 16]).toContain(code)
      expect(at.names()).toEqual([])
    },
  )
})

async function writeKey(name: string, text: Uint8Array): Promise<string> {
  const path = join(directory, `${name}.asc`)
  writeFileSync(path, text)
  return path
}

describe('a key', () => {
  const day = 24 * 60 * 60
  const BAD: Record<string, () => Promise<Uint8Array>> = {
    expired: async () =>
      (await makeKey({ date: daysFromNow(-10), keyExpirationTime: day })).publicText,
    revoked: async () => {
      const { key } = await makeKey()
      const { publicKey } = await revokeKey({ key, format: 'object' })
      return Buffer.from(publicKey.armor())
    },
    weak: async () => (await makeKey({ type: 'rsa', rsaBits: 1024 })).publicText,
    'no key at all': async () => Buffer.from('hello'),
    'that of the other side': async () => readFileSync(keys.operations.publicKey),
  }

  test.each(Object.keys(BAD))('is %s: nothing was asked, nothing was stored', async (what) => {
    const path = await writeKey(`bad-${what.replaceAll(' ', '-')}`, await BAD[what]!())
    const sides = { operations: keys.operations.publicKey, offline: path }
    const at = await place('s3', { backup: { sides } })
    const before = source.log().length
    await expectFailed(at, start(at), { code: 14, message: /error: .*(key|bad-)/ })
    expect(s3.requests).toEqual([])
    expect(source.log().slice(before)).not.toContain('pgveil')
  })

  test('for signing is one that nobody believes', async () => {
    const other = await makeKeys(join(directory, 'other-keys'))
    const at = await place('s3', { backup: { signingKey: other.signer.privateKey } })
    await expectFailed(at, start(at), {
      code: 14,
      message: /error: nobody would believe key/,
      hint: /backup\.signer/,
    })
    expect(s3.requests).toEqual([])
  })
})

describe('another run', () => {
  test('of the same database is refused, and does the first no harm', async () => {
    const at = await place('directory')
    const first = start(at)
    await rowsFlow(first)
    const second = start(at)
    const refused = await second.done
    expect(refused.stderr).toMatch(/error: a backup of crm is under way\nhint: wait for it to end/)
    expect(refused.code).toBe(16)
    expect(await first.done).toMatchObject({ code: 0 })
    expect(await listOf(at)).toMatchObject([{ problems: [] }])
  })

  test.each(KINDS)('of another database fails, in the same store, %s', async (kind) => {
    const at = await place(kind, { in: `shared-${kind}` })
    const other = await place(kind, { in: `shared-${kind}`, name: 'other' })
    const first = start(at)
    const second = start(other)
    await Promise.all([rowsFlow(first), rowsFlow(second)])
    second.child.kill('SIGTERM')
    expect(await second.done).toMatchObject({ code: 143, leftFiles: [] })
    expect(await first.done).toMatchObject({ code: 0 })
    expect(await listOf(at)).toMatchObject([{ name: 'crm', problems: [] }])
    expect(at.names().filter((name) => !name.includes('Z-crm/'))).toEqual([])
  })

  test.each(['envelopes/operations.asc', 'tables/1.1.0.pgp', 'manifest.json'])(
    'on another server has the same label: %s is there, and stays',
    async (name) => {
      const at = await place('directory', { database: 'small' })
      const { store } = JSON.parse(readFileSync(at.config, 'utf8')) as {
        store: { directory: string }
      }
      // Whichever second it is when the snapshot is taken.
      for (let second = 0; second < 20; second++) {
        const time = new Date(Date.now() + second * 1000).toISOString().slice(0, 19)
        const file = join(store.directory, `${time.replace(/[-:]/g, '')}Z-small`, name)
        mkdirSync(join(file, '..'), { recursive: true })
        writeFileSync(file, 'of another')
      }
      const before = at.names()
      const run = start(at)
      const message = /error: (something lies under \S+-small in the store already|\S+-small\/)/
      const code = name === 'manifest.json' ? 15 : 16
      await expectFailed(at, run, { code, message, before })
    },
  )

  test('comes upon the label between the look and the first object', async () => {
    const at = await place('s3', { database: 'small' })
    s3.onRequest = ({ operation, bucket, key }) => {
      if (operation === 'HeadObject' && key.endsWith('/envelopes/operations.asc'))
        s3.put(bucket, key, Buffer.from('of another'))
      return undefined
    }
    const { code, stderr } = await start(at).done
    expect(stderr).toMatch(/error: something lies under \S+-small in the store already\nhint: /)
    expect(code).toBe(16)
    expect(at.names()).toEqual([expect.stringMatching(/-small\/envelopes\/operations\.asc$/)])
  })
})

const MOMENTS: Record<string, (run: WatchedRun) => Promise<unknown>> = {
  'at once': () => sleep(20),
  'while modules load': () => sleep(350),
  'in preflight': (run) => said(run, /"phase":"preflight","state":"started"/),
  'as rows begin': rowsBegin,
  'while pg_dump runs': (run) => descendant(run, /pg_dump\0.*--section/),
  'while rows flow': rowsFlow,
  'in the checks': (run) => said(run, /"phase":"checks","state":"started"/),
  'in the commit': (run) => said(run, /"phase":"commit","state":"started"/),
}

describe.each(KINDS)('a signal, store %s', (kind) => {
  test.each(Object.keys(MOMENTS))('%s', async (moment) => {
    const at = await place(kind)
    const signal = places % 2 === 0 ? 'SIGINT' : 'SIGTERM'
    const run = start(at)
    await MOMENTS[moment]!(run)
    run.child.kill(signal)
    const result = await run.done
    await expectGone(run, result)
    if (result.code === 0) {
      // It came too late.
      expect(moment).toMatch(/commit|checks/)
      expect(await listOf(at)).toMatchObject([{ problems: [] }])
      return
    }
    // Before there is a listener, the signal itself ends the process.
    if (moment === 'at once' || moment === 'while modules load')
      expect([null, 130, 143]).toContain(result.code)
    else {
      expect(result.code).toBe(signal === 'SIGINT' ? 130 : 143)
      expect(result.stderr).toContain(`error: stopped by ${signal}`)
    }
    expect(at.names()).toEqual([])
  })
})

/** xorshift: the same moments for the same seed. */
function random(seed: number): () => number {
  let state = seed || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

test(`SIGKILL at any moment (PGVEIL_TEST_SEED=${SEED})`, async () => {
  const at = await place('directory', { in: 'killed' })
  const next = random(SEED)
  const first = start(at)
  const { milliseconds, code } = await first.done
  expect(code).toBe(0)
  let known = await listOf(at)
  let whole = 0
  for (let i = 0; i < KILLS; i++) {
    const run = start(at)
    await sleep(milliseconds * (0.2 + 0.85 * next()))
    run.child.kill('SIGKILL')
    const result = await run.done
    const alive = () => [...run.descendants].filter(isAlive)
    await until(() => alive().length === 0, `processes ${alive().join()}`)
    await until(async () => (await sessions()) === 0, 'sessions on the source')
    expect(result.leftFiles).toEqual([])
    const found = await listOf(at)
    const added = found.filter(({ label }) => !known.some((each) => each.label === label))
    expect(added.length).toBeLessThanOrEqual(1)
    for (const { label } of added) await expectEqual(at, label)
    whole += added.length
    known = found
  }
  const label = await backUp(at)
  const found = await listOf(at)
  expect(found.map((each) => each.label)).toEqual([...known.map((each) => each.label), label])
  await expectEqual(at, label)
  process.stderr.write(`killed ${KILLS} times: ${whole} were done already\n`)
})
