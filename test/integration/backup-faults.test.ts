import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { revokeKey } from 'openpgp'
import {
  backUp,
  bench,
  expectEqual,
  expectFailed,
  expectGone,
  filesOf,
  KINDS,
  labelIn,
  leftBy,
  listOf,
  place,
  rowsBegin,
  rowsFlow,
  said,
  sessions,
  setUp,
  start,
  tearDown,
  until,
} from '../fixtures/backup-places.ts'
import { makeKeys } from '../fixtures/backups.ts'
import { query } from '../fixtures/databases.ts'
import type { Asked } from '../fixtures/s3-stand-in.mjs'
import { isAlive, type WatchedResult, type WatchedRun } from '../fixtures/watched-run.ts'
import { daysFromNow, makeKey } from '../unit/seal/made-keys.ts'

// Whatever happens to a backup under way: it exists as a whole or not at all, the run says why with the exit code of its
// kind, and nothing of it stays behind in the store, in temporary directories, as a process or as a session. What buckets
// do is in bucket-faults.test.ts.

const SEED = Number(process.env['PGVEIL_TEST_SEED'] ?? Date.now() % 1_000_000)
const KILLS = 12

beforeAll(setUp)
afterAll(tearDown)
beforeEach(() => {
  bench.s3.onRequest = () => undefined
  bench.s3.requests.length = 0
})

/** Slow enough that the rows are still on their way when something happens to those who carry them. */
const SLOW = { bandwidth: '1 MB/s' }

async function copying(): Promise<number> {
  for (;;) {
    const rows = await query<{ pid: number }>(
      bench.source.url,
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
      await query(bench.source.url, 'SELECT 1')
      return
    } catch {
      await sleep(50)
    }
  }
}

describe.each(KINDS)('the source, store %s', (kind) => {
  test('ends the session that copies', async () => {
    const at = await place(kind, SLOW)
    const run = start(at)
    await query(bench.source.url, `SELECT pg_terminate_backend(${await copying()})`)
    await expectFailed(at, run, { code: 11, message: /error: cannot read public\.contact: / })
  })

  test('ends the session that holds the snapshot', async () => {
    const at = await place(kind, SLOW)
    const run = start(at)
    await rowsFlow(run)
    await query(
      bench.source.url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgveil snapshot'`,
    )
    const { stdout } = await run.done
    // At once, and not when the rows that are under way have been read.
    expect(stdout).not.toContain('"event":"table","table":"public.contact"')
    await expectFailed(at, run, {
      code: 11,
      message: /error: cannot read \S+: the session with the snapshot ended\n/,
    })
  })

  test('crashes', async () => {
    const at = await place(kind, SLOW)
    const run = start(at)
    process.kill(await copying(), 'SIGKILL')
    const done = await run.done
    await recovered()
    expect(done.stderr).toMatch(/error: (cannot (read|connect to) |the (snapshot|connection) )/)
    await expectFailed(at, run, { code: 11, message: /error: / })
  })
})

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

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
    const at = await place(kind, SLOW)
    const run = start(at)
    await copying()
    // One that is killed while its pg_dump runs leaves that one's socket behind.
    const isDumped = (section: string) =>
      at.names().some((name) => name.endsWith(`${section}-data.sql.pgp`))
    await until(() => isDumped('pre') && isDumped('post'), 'sections to dump')
    for (const pid of run.descendants)
      if (/backup\/worker\.js/.test(commandOf(pid))) process.kill(pid, 'SIGKILL')
    await expectFailed(at, run, {
      code: 1,
      message: /error: a worker process ended by itself \(signal SIGKILL\)/,
      hint: /fewer --jobs/,
    })
  })
})

describe('the directory', () => {
  test('is not there', async () => {
    const at = await place('directory', { in: 'absent' })
    rmSync(join(bench.directory, 'absent'), { recursive: true })
    const { code, stderr } = await start(at).done
    expect(stderr).toMatch(/error: directory \S+absent is not there\nhint: mount its disk/)
    expect(code).toBe(13)
    expect(existsSync(join(bench.directory, 'absent'))).toBe(false)
  })

  test('may not be written to', async () => {
    const at = await place('directory', { in: 'closed' })
    const closed = join(bench.directory, 'closed')
    chmodSync(bench.directory, 0o755)
    chmodSync(closed, 0o555)
    // What root may do proves nothing.
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
    if ('uid' in nobody) for (const name of filesOf(join(bench.directory, 'keys'))) own(name)
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const args = [cli, 'backup', '--config', at.config, '--store', closed]
    chmodSync(join(at.config, '..'), 0o755)
    const state = join(bench.directory, 'open')
    mkdirSync(state)
    chmodSync(state, 0o777)
    const { status, stderr } = spawnSync(process.execPath, args, {
      ...nobody,
      env: { PATH: process.env['PATH'], HOME: '/nonexistent', XDG_STATE_HOME: state },
      encoding: 'utf8',
    })
    expect(stderr).toMatch(
      /error: cannot use directory \S+closed: permission denied\nhint: let the/,
    )
    expect(status).toBe(13)
    expect(filesOf(closed)).toEqual([])
    function own(name: string): void {
      chmodSync(join(bench.directory, 'keys'), 0o755)
      chownSync(join(bench.directory, 'keys', name), 65534, 65534)
    }
  })

  test('is full', async () => {
    const at = await place('directory')
    // To a process with this limit, in units of 512 bytes, the disk is full.
    const shell = join(bench.directory, 'limited.sh')
    const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
    const command = `'${process.execPath}' '${cli}' backup --config '${at.config}' --jobs 2`
    writeFileSync(shell, `trap '' XFSZ\nulimit -f 8000\nexec ${command}\n`)
    const { status, stderr } = spawnSync('/bin/sh', [shell], {
      env: { PATH: process.env['PATH'], HOME: bench.directory, TMPDIR: bench.directory },
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
  const path = join(bench.directory, `${name}.asc`)
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
    'that of the other side': async () => readFileSync(bench.keys.operations.publicKey),
  }

  test.each(Object.keys(BAD))('is %s: nothing was asked, nothing was stored', async (what) => {
    const path = await writeKey(`bad-${what.replaceAll(' ', '-')}`, await BAD[what]!())
    const sides = { operations: bench.keys.operations.publicKey, offline: path }
    const at = await place('s3', { backup: { sides } })
    const before = bench.source.log().length
    await expectFailed(at, start(at), { code: 14, message: /error: .*(key|bad-)/ })
    expect(bench.s3.requests).toEqual([])
    expect(bench.source.log().slice(before)).not.toContain('pgveil')
  })

  test('for signing is one that nobody believes', async () => {
    const other = await makeKeys(join(bench.directory, 'other-keys'))
    const at = await place('s3', { backup: { signingKey: other.signer.privateKey } })
    await expectFailed(at, start(at), {
      code: 14,
      message: /error: nobody would believe key/,
      hint: /backup\.signer/,
    })
    expect(bench.s3.requests).toEqual([])
  })
})

describe('another run', () => {
  test('of the same database is refused until the first has ended, and does it no harm', async () => {
    const at = await place('s3')
    let refused: WatchedResult | undefined
    bench.s3.onRequest = async ({ operation, key }) => {
      // The last object but one: the rows are long read, and the chain has not got its new end.
      if (operation === 'PutObject' && key.endsWith('/manifest.json.asc'))
        refused ??= await start(at).done
      return undefined
    }
    const label = await backUp(at)
    expect(refused?.stderr).toMatch(/error: a backup of crm is under way\nhint: wait for it to end/)
    expect(refused?.code).toBe(16)
    expect(await listOf(at)).toMatchObject([{ label, problems: [] }])
  })

  /**
   * Two runs of one chain whose locks do not meet, as on two servers: when the first comes to a request, the second begins,
   * and the first waits for its end.
   */
  async function overtaken(within: string, isThen: (asked: Asked) => boolean) {
    const at = await place('s3', { in: within, name: 'twins', database: 'small' })
    const twin = await place('s3', { in: within, name: 'twins' })
    let held: { key: string; until: Promise<WatchedResult> } | undefined
    bench.s3.onRequest = async (asked) => {
      if (!held && isThen(asked)) held = { key: asked.key, until: start(twin).done }
      // A busy machine takes longer than the first waits before it asks again.
      if (held?.key === asked.key) await held.until
      return undefined
    }
    const run = await start(at).done
    const second = labelIn((await held?.until)?.stdout ?? '')
    return { at, run, second }
  }

  test('that the lock does not keep away ends first: the chain goes on from there', async () => {
    const { at, run, second } = await overtaken('overtaken', ({ key }) => key.includes('tables'))
    expect(run).toMatchObject({ code: 0 })
    const found = await listOf(at)
    expect(found).toMatchObject([{ problems: [] }, { problems: [] }])
    expect(found.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual([1, 2])
    expect(found.find(({ label }) => label === second)?.sequence).toBe(1)
    // By label, the last one is older than the one that it follows, and then the one after next than any of the newest.
    for (let i = 0; i < 3; i++) await backUp(at)
    const later = await listOf(at)
    expect(later.map(({ sequence }) => sequence).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
    expect(later.flatMap(({ problems }) => problems)).toEqual([])
  })

  test('that the lock does not keep away ends at the last moment: only that one counts', async () => {
    const { at, run, second } = await overtaken('overtaken-late', ({ operation, key }) => {
      return operation === 'PutObject' && key.endsWith('/manifest.json.asc')
    })
    expect(run.stderr).toContain(`error: another backup of twins came first: ${second}`)
    expect({ code: run.code, left: leftBy(run) }).toEqual({ code: 16, left: [] })
    expect(await listOf(at)).toMatchObject([{ label: second, sequence: 1, problems: [] }])
  })

  test.each(KINDS)('of another database fails, in the same store, %s', async (kind) => {
    const slow = { in: `shared-${kind}`, bandwidth: '6 MB/s' }
    const at = await place(kind, slow)
    const other = await place(kind, { ...slow, name: 'other' })
    const first = start(at)
    const second = start(other)
    await Promise.all([rowsFlow(first), rowsFlow(second)])
    second.child.kill('SIGTERM')
    const stopped = await second.done
    expect({ code: stopped.code, left: leftBy(stopped) }).toEqual({ code: 143, left: [] })
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
    bench.s3.onRequest = ({ operation, bucket, key }) => {
      if (operation === 'HeadObject' && key.endsWith('/envelopes/operations.asc'))
        bench.s3.put(bucket, key, Buffer.from('of another'))
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
    const signal = moment.length % 2 === 0 ? 'SIGINT' : 'SIGTERM'
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
    expect(leftBy(result)).toEqual([])
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
