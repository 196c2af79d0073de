import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { openEnvelope } from '../../src/seal/envelope.ts'
import { KeyRing, readPrivateKeys, unlockKey } from '../../src/seal/key-ring.ts'
import {
  labelOf,
  makeKeys,
  runBackup,
  runRestore,
  writeConfig,
  type JsonRun,
  type KeyName,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { canarySql, NEEDLES } from '../fixtures/canaries.ts'
import { databaseUrl, execute, query } from '../fixtures/databases.ts'
import { findIn, formsOf, Searcher, type Needle } from '../fixtures/find-bytes.ts'
import { leftBy } from '../fixtures/backup-places.ts'
import { descendantsOf, startWatched, type WatchedRun } from '../fixtures/watched-run.ts'

// Who can open a backup, and that nothing else can: no secret and no row lies anywhere in clear, while a backup or a
// restore runs or afterwards.

const ROWS = 3_000
const PASSWORD = 'pw-Xq7Lm2Vd9Kt4'
const PASSPHRASES = {
  operations: 'phrase-operations-8dK2s',
  offline: 'phrase-offline-4mR9w',
  signer: 'phrase-signer-6tB1z',
}

let source: Server
let target: Server
let directory: string
let store: string
let keys: TrialKeys
let config: string
let label: string

async function openWith(name: 'operations' | 'offline' | 'verifier', of: string): Promise<Buffer> {
  const { privateKey } = keys[name]
  const [file] = await readPrivateKeys(privateKey, readFileSync(privateKey))
  const phrase = name === 'verifier' ? undefined : Buffer.from(PASSPHRASES[name])
  const key = await unlockKey(file!, phrase)
  return openEnvelope(readFileSync(join(store, of, 'envelopes', `${name}.asc`)), new KeyRing([key]))
}

/** Both halves of a backup and its passphrase, in the forms they may lie around in. */
async function halvesOf(of: string): Promise<Needle[]> {
  const [a, b] = await Promise.all([openWith('operations', of), openWith('offline', of)])
  expect([a.length, b.length]).toEqual([43, 43])
  const whole = formsOf(Buffer.concat([a, b]).toString())
  const halves = [a, b].flatMap((half, i) => [
    { what: `half ${i}`, bytes: half },
    { what: `end of half ${i}`, bytes: half.subarray(20) },
    { what: `half ${i} in UTF-16`, bytes: Buffer.from(half.toString(), 'utf16le') },
    { what: `hex of half ${i}`, bytes: Buffer.from(half.toString('hex')) },
    { what: `base64 of half ${i}`, bytes: Buffer.from(half.toString('base64').slice(0, 56)) },
    { what: `what half ${i} is text of`, bytes: Buffer.from(half.toString(), 'base64url') },
  ])
  return [...halves, ...whole.map(({ bytes }) => ({ what: 'a form of the passphrase', bytes }))]
}

const WORDS: Needle[] = [PASSWORD, ...Object.values(PASSPHRASES)].flatMap(formsOf)

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-secrets-'))
  store = join(directory, 'store')
  mkdirSync(store)
  ;[source, target] = await Promise.all([
    startPostgres({ major: 14, password: PASSWORD }),
    startPostgres({ major: 14, password: PASSWORD }),
  ])
  await execute(source.url, 'CREATE DATABASE crm')
  await execute(databaseUrl(source, 'crm'), canarySql(ROWS))
  keys = await makeKeys(join(directory, 'keys'), PASSPHRASES)
  const phrase = join(directory, 'signer.phrase')
  writeFileSync(phrase, PASSPHRASES.signer, { mode: 0o600 })
  config = await writeConfig(join(directory, 'config'), {
    keys,
    source: databaseUrl(source, 'crm'),
    store,
    backup: { signingPassphrase: { file: phrase } },
    rest: { jobs: 2 },
  })
  label = labelOf(await runBackup({ config }))
})

afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop()])
  rmSync(directory, { recursive: true, force: true })
})

let restores = 0

/** A restore into a database of its own, by keys, or by halves from files. */
async function restore(
  names: readonly KeyName[],
  halves: Record<string, Buffer | string> = {},
): Promise<JsonRun & { database: string }> {
  const database = `restored_${++restores}`
  const args = ['--label', label, '--no-gpg']
  for (const [side, half] of Object.entries(halves)) {
    const path = join(directory, `half-${restores}-${side}`)
    writeFileSync(path, half, { mode: 0o600 })
    args.push('--half', `${side}=${path}`)
  }
  const phrases = names.flatMap((name) => (name in PASSPHRASES ? [name as 'signer'] : []))
  const input = phrases.map((name) => `${PASSPHRASES[name]}\n`).join('')
  const run = await runRestore({
    config,
    target: databaseUrl(target, database),
    opens: names.map((name) => keys[name]),
    args: [...args, '--passphrase-fd', '0'],
    input,
  })
  return { ...run, database }
}

async function expectClosed(run: JsonRun & { database: string }, message: RegExp): Promise<void> {
  expect(run.stderr).toMatch(message)
  expect(run.code).toBe(14)
  const sql = `SELECT count(*)::int AS n FROM pg_database WHERE datname LIKE '${run.database}%'`
  expect(await query(target.url, sql)).toEqual([{ n: 0 }])
  const secrets = [...(await halvesOf(label)), ...WORDS, ...NEEDLES]
  expect(findIn(Buffer.from(run.stdout + run.stderr), secrets)).toEqual([])
}

async function expectOpen(run: JsonRun & { database: string }): Promise<void> {
  expect(run).toMatchObject({ code: 0 })
  const sql = 'SELECT count(*)::int AS n FROM person'
  expect(await query(databaseUrl(target, run.database), sql)).toEqual([{ n: ROWS }])
  await execute(target.url, `DROP DATABASE ${run.database}`)
}

describe('who opens a backup', () => {
  test.each<[KeyName[], RegExp]>([
    [['operations'], /stays closed: the half of offline is missing/],
    [['offline'], /stays closed: the half of operations is missing/],
    [['signer'], /stays closed: neither operations nor offline can be opened here/],
    [['operations', 'signer'], /stays closed: the half of offline is missing/],
  ])('not %j', async (names, message) => {
    await expectClosed(await restore(names), message)
  })

  test.each<[KeyName[]]>([
    [['operations', 'offline']],
    [['offline', 'operations']],
    [['verifier']],
  ])('%j', async (names) => {
    await expectOpen(await restore(names))
  })

  test('both halves, from wherever', async () => {
    const [operations, offline] = await Promise.all([
      openWith('operations', label),
      openWith('offline', label),
    ])
    await expectOpen(await restore([], { operations, offline: `${offline.toString()}\n` }))
    await expectOpen(await restore(['operations'], { offline }))
    await expectClosed(await restore([], { operations }), /the half of offline is missing/)
    await expectClosed(await restore([], { offline }), /the half of operations is missing/)
    await expectClosed(
      await restore([], { operations: offline, offline: operations }),
      /the half of o\w+ is not that of /,
    )
    await expectClosed(
      await restore([], { operations, offline: operations }),
      /the half of offline is not that of /,
    )
  })

  test('not a half of another backup', async () => {
    const other = labelOf(await runBackup({ config }))
    const halves = await Promise.all([openWith('operations', label), openWith('offline', other)])
    await expectClosed(
      await restore([], { operations: halves[0], offline: halves[1] }),
      /the half of offline is not that of /,
    )
  })
})

/**
 * Keeps what the system shows of a run's processes, and its temporary files, as long as it runs.
 *
 * @returns what of needles that may be known only when it has ended lay anywhere; call it then
 */
function watch(run: WatchedRun): (needles: readonly Needle[]) => string[] {
  const seen = new Map<string, { where: string; bytes: Buffer }>()
  const known = new Map<string, string>()
  const keep = (where: string, bytes: Buffer) =>
    seen.set(`${where} ${hashOf(bytes)}`, { where, bytes })
  let looks = 0
  const timer = setInterval(() => {
    looks++
    for (const pid of [run.pid, ...descendantsOf(run.pid)])
      for (const name of ['cmdline', 'environ']) keep(name, readProc(pid, name))
    for (const path of filesOf(run.directory)) {
      const file = join(run.directory, path)
      const state = stateOf(file)
      if (state === undefined || known.get(path) === state) continue
      known.set(path, state)
      keep(path, readOrNothing(file))
    }
  }, 20)
  return (needles) => {
    clearInterval(timer)
    expect(looks).toBeGreaterThan(10)
    const all = [...seen.values()]
    // That it was looked at: how the run was started, and what it was given.
    const shown = (name: string, text: string) =>
      all.some(({ where, bytes }) => where === name && bytes.includes(text))
    expect(shown('cmdline', '/cli.js') && shown('environ', run.directory)).toBe(true)
    const hits = all.flatMap(({ where, bytes }) =>
      findIn(bytes, needles).map((what) => `${where}: ${what}`),
    )
    return [...new Set(hits)]
  }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Names of the files below a directory that loses some of them meanwhile. */
function filesOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory()
        ? filesOf(join(directory, entry.name)).map((name) => join(entry.name, name))
        : entry.isFile()
          ? [entry.name]
          : [],
    )
  } catch {
    return []
  }
}

/** What is another once a file was written; undefined: it is gone. */
function stateOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`
}

function readProc(pid: number, name: string): Buffer {
  return readOrNothing(`/proc/${pid}/${name}`)
}

function readOrNothing(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}

describe('nothing lies in clear', () => {
  test.each([['--json'], ['--quiet'], []])(
    'while a backup runs, nor afterwards: %j',
    async (...args) => {
      const run = startWatched(['backup', '--config', config, ...args], directory)
      const found = watch(run)
      const before = readdirSync(store)
      const { code, stdout, stderr, ...result } = await run.done
      const leftFiles = leftBy(result)
      expect({ code, leftFiles }).toEqual({ code: 0, leftFiles: [] })
      const made = readdirSync(store).filter((each) => !before.includes(each))
      expect(made).toHaveLength(1)
      // Its own secret is known only now.
      const secrets = [...(await halvesOf(made[0] ?? '')), ...WORDS, ...NEEDLES]
      expect(found(secrets)).toEqual([])
      expect(findIn(Buffer.from(stdout + stderr), secrets)).toEqual([])
      expect(new Searcher(secrets).search(store)).toEqual([])
    },
  )

  test('while a restore runs', async () => {
    const secrets = [...(await halvesOf(label)), ...WORDS, ...NEEDLES]
    const verifier = ['--key', keys.verifier.privateKey, '--no-gpg', '--label', label, '--json']
    const withTarget = await writeConfig(join(directory, 'with-target'), {
      keys,
      source: databaseUrl(source, 'crm'),
      store,
      rest: { target: databaseUrl(target, 'watched'), jobs: 2 },
    })
    const run = startWatched(['restore', '--config', withTarget, ...verifier], directory)
    const found = watch(run)
    const { code, stdout, stderr, ...result } = await run.done
    const leftFiles = leftBy(result)
    expect(found(secrets)).toEqual([])
    expect({ code, leftFiles, stderr }).toEqual({ code: 0, leftFiles: [], stderr: '' })
    expect(findIn(Buffer.from(stdout), secrets)).toEqual([])
  })

  test('in what a failing run says', async () => {
    for (const how of ['terminate', 'worker'] as const) {
      const run = startWatched(['backup', '--config', config], directory)
      const found = watch(run)
      await failIt(how, run)
      const { code, stdout, stderr } = await run.done
      expect(found([...WORDS, ...NEEDLES])).toEqual([])
      expect(code).toBe(how === 'worker' ? 1 : 11)
      expect(findIn(Buffer.from(stdout + stderr), [...WORDS, ...NEEDLES])).toEqual([])
    }
  })

  test('a wrong passphrase is not repeated', async () => {
    const wrong = 'phrase-that-is-wrong-2Lx'
    const path = join(directory, 'wrong.phrase')
    writeFileSync(path, wrong)
    const other = await writeConfig(join(directory, 'wrong'), {
      keys,
      source: databaseUrl(source, 'crm'),
      store,
      backup: { signingPassphrase: { file: path } },
    })
    const { code, stdout, stderr } = await runBackup({ config: other })
    expect(stderr).toMatch(/error: the passphrase of key \S+ in \S+ is wrong/)
    expect(code).toBe(14)
    expect(findIn(Buffer.from(stdout + stderr), [...formsOf(wrong), ...WORDS])).toEqual([])
  })
})

async function failIt(how: 'terminate' | 'worker', run: WatchedRun): Promise<void> {
  for (;;) {
    const sql = `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgveil read'`
    const [reader] = await query<{ pid: number }>(source.url, sql)
    const worker = descendantsOf(run.pid).filter((pid) =>
      readProc(pid, 'cmdline').includes('backup/worker.js'),
    )
    if (reader && worker.length > 0) {
      if (how === 'worker') for (const pid of worker) process.kill(pid, 'SIGKILL')
      else
        await query(
          source.url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgveil %'`,
        )
      return
    }
    await sleep(2)
  }
}

/** Runs a backup as a library, then stays; prints the label once garbage was collected. */
const PROGRAM = `
  import { loadConfig } from '${new URL('../../dist/config/config.js', import.meta.url).href}'
  import { runBackup } from '${new URL('../../dist/backup/run.js', import.meta.url).href}'
  const flags = { config: process.argv[1] }
  const settings = await loadConfig({ flags, env: {}, cwd: process.cwd(), needs: ['source', 'store', 'backup'] })
  const options = { ...settings, env: {}, tool: 'test' }
  const { label } = await runBackup(options, () => {}, new AbortController().signal)
  globalThis.marker = Buffer.from('marker-that-must-be-found'.toUpperCase())
  for (let i = 0; i < 5; i++) {
    globalThis.gc()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  console.log(label)
  setInterval(() => {}, 1000)`

const CHUNK = 16 * 1024 * 1024

/** What of `needles` lies in the writable memory of a process. */
function searchMemory(pid: number, needles: readonly Needle[]): string[] {
  const longest = Math.max(...needles.map(({ bytes }) => bytes.length))
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const hits = new Set<string>()
  const chunk = Buffer.alloc(CHUNK)
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      if (from === undefined || to === undefined) continue
      const end = Number.parseInt(to, 16)
      for (let at = Number.parseInt(from, 16); at < end; at += CHUNK - longest) {
        for (const what of findIn(readAt(memory, chunk, at, end), needles)) hits.add(what)
      }
    }
  } finally {
    closeSync(memory)
  }
  return [...hits]
}

/** Some pages cannot be read by anybody. */
function readAt(memory: number, chunk: Buffer, at: number, end: number): Buffer {
  try {
    return chunk.subarray(0, readSync(memory, chunk, 0, Math.min(CHUNK, end - at), at))
  } catch {
    return Buffer.alloc(0)
  }
}

test('the memory of a program that goes on after a backup holds no half', async () => {
  const args = ['--expose-gc', '--input-type=module', '-e', PROGRAM, config]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const halves = await halvesOf(String(line).trim())
    const marker = { what: 'marker', bytes: Buffer.from('MARKER-THAT-MUST-BE-FOUND') }
    // What is found are copies that the program forgot; that it is looked for, the marker shows.
    expect(searchMemory(child.pid as number, [...halves, marker])).toEqual(['marker'])
  } finally {
    child.kill('SIGKILL')
  }
})

/** Draws secrets, has memory moved, wipes them; prints the halves' bytes inverted, since copies of them would be found. */
const WIPING = `
  import { drawSecret, parseHalf, passphraseOf, wipe } from '${new URL('../../dist/seal/secret.js', import.meta.url).href}'
  const secrets = Array.from({ length: 20 }, () => drawSecret())
  const inverted = secrets.flatMap(({ a, b }) => [a, b].map((half) => half.map((byte) => byte ^ 0xff)))
  const given = secrets.map(({ a }) => parseHalf(a, 'operations'))
  const passphrases = secrets.map(passphraseOf)
  for (let i = 0; i < 3; i++) globalThis.gc({ type: 'minor' })
  globalThis.gc()
  secrets.forEach(wipe)
  for (const bytes of [...given, ...passphrases]) bytes.fill(0)
  console.log(inverted.map((half) => Buffer.from(half).toString('hex')).join())
  setInterval(() => {}, 1000)`

test('halves that memory management has moved leave nothing behind', async () => {
  const args = ['--expose-gc', '--input-type=module', '-e', WIPING]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const inverted = String(line).trim().split(',')
    const needles = inverted.map((hex, i) => ({
      what: `half ${i}`,
      bytes: Buffer.from(hex, 'hex').map((byte) => byte ^ 0xff) as Buffer,
    }))
    expect(needles).toHaveLength(40)
    expect(searchMemory(child.pid as number, needles)).toEqual([])
  } finally {
    child.kill('SIGKILL')
  }
})
