import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import {
  eventOf,
  labelOf,
  makeKeys,
  runBackup,
  runRestore,
  succeeded,
  writeConfig,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { runPgveil, type RunResult } from '../fixtures/run-pgveil.ts'

// Whoever was erased does not come back with a backup, by no way of restoring it; and nobody can take somebody out of
// the ledger unseen.

const SECRET = 'the secret of the ledger, 32 bytes'
/** Known to nobody but the test: it must not be found anywhere. */
const CANARY = 'p1-canary-7f3a'

let server: Server
let place: string
let keys: TrialKeys
let config: string
let before: string
let after: string

const path = (...parts: string[]) => join(place, ...parts)

interface Configured {
  name: string
  store?: string
  erasure?: object | undefined
}

function configure({ name, store = path('store'), erasure }: Configured): Promise<string> {
  return writeConfig(path(name), {
    keys,
    source: databaseUrl(server, 'crm'),
    store,
    name: 'crm',
    rest: { state: path(name, 'state'), ...(erasure && { erasure }) },
  })
}

function record(column: string, values: string[], file = config): Promise<RunResult> {
  const from = path(`values-${column}-${values.length}`)
  writeFileSync(from, `${values.join('\n')}\n`)
  const args = ['--table', 'public.person', '--column', column, '--values-file', from]
  return runPgveil(['erase', 'record', '--config', file, ...args])
}

let databases = 0

async function restore(label: string, file = config, args: string[] = []) {
  const name = `restored_${++databases}`
  const target = databaseUrl(server, name)
  const opens = [keys.operations, keys.offline]
  const run = await runRestore({ config: file, target, opens, args: ['--label', label, ...args] })
  return { run, target }
}

async function ids(url: string, sql: string): Promise<unknown[]> {
  return (await query(url, sql)).map((row) => Object.values(row)[0])
}

async function expectErased(url: string): Promise<void> {
  expect(await ids(url, 'SELECT id FROM person ORDER BY id')).toEqual([2, 4])
  expect(await ids(url, 'SELECT person FROM orders ORDER BY 1')).toEqual([2])
  expect(await ids(url, 'SELECT orders FROM line ORDER BY 1')).toEqual([20])
  expect(await ids(url, 'SELECT person FROM ticket ORDER BY id')).toEqual([null, 2])
  expect(await ids(url, 'SELECT mail FROM mails ORDER BY 1')).toEqual(['p2', 'p4'])
  expect(await ids(url, 'SELECT * FROM log')).toEqual([])
}

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'pgveil-erase-'))
  server = await startPostgres({})
  keys = await makeKeys(path('keys'))
  writeFileSync(path('secret'), `${SECRET}\n`)
  const erasure = { secret: { file: path('secret') }, references: { 'public.line': 'delete' } }
  config = await configure({ name: 'host', erasure })
  await execute(
    await createDatabase(server, 'crm'),
    `CREATE TABLE person (id int PRIMARY KEY, mail text);
     CREATE TABLE orders (id int PRIMARY KEY, person int REFERENCES person ON DELETE CASCADE);
     CREATE TABLE line (orders int REFERENCES orders);
     CREATE TABLE ticket (id int, person int REFERENCES person ON DELETE SET NULL);
     CREATE TABLE log (said text);
     CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (OLD.mail); RETURN OLD; END $$;
     CREATE TRIGGER tell BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
     ALTER TABLE person ENABLE ALWAYS TRIGGER tell;
     INSERT INTO person VALUES (1, '${CANARY}'), (2, 'p2'), (3, 'p3'), (4, 'p4');
     INSERT INTO orders VALUES (10, 1), (20, 2); INSERT INTO line VALUES (10), (20);
     INSERT INTO ticket VALUES (1, 1), (2, 2);
     CREATE MATERIALIZED VIEW mails AS SELECT mail FROM person`,
  )
  before = labelOf(await runBackup({ config }))
  expect((await record('mail', [CANARY])).code).toBe(0)
  expect((await record('id', ['3'])).code).toBe(0)
  // In production they may still be there, or be gone.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  after = labelOf(await runBackup({ config }))
})

afterAll(async () => {
  await server.stop()
  rmSync(place, { recursive: true, force: true })
})

test('a backup from before and one from after come back without them', async () => {
  for (const label of [before, after]) {
    const { run, target } = await restore(label)
    const { report } = eventOf(succeeded(run), 'restore') as unknown as {
      report: { erased: unknown; rows: number }
    }
    expect(report.erased).toEqual([
      { table: 'public.line', deleted: 1, cleared: 0 },
      { table: 'public.orders', deleted: 1, cleared: 0 },
      { table: 'public.person', deleted: 2, cleared: 0 },
      { table: 'public.ticket', deleted: 0, cleared: 1 },
    ])
    expect(report.rows).toBe(10)
    await expectErased(target)
  }
})

test('the ledger shows what was recorded when, and neither values nor hashes', async () => {
  const { code, stdout } = await runPgveil(['erase', 'list', '--config', config])
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /1 {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}\S+@\S+ +crm +public\.person +mail +1/,
  )
  expect(stdout).toContain('2 erased persons')
  for (const name of readdirSync(path('store', 'erasures'))) {
    expect(readFileSync(path('store', 'erasures', name), 'utf8')).not.toContain(CANARY)
  }
  const again = await record('mail', [CANARY])
  expect(again.stdout).toContain('nothing was added')
})

test('without the secret, or with another one, nothing is restored', async () => {
  writeFileSync(path('other-secret'), 'quite another secret, as long')
  const none = await configure({ name: 'none' })
  const other = await configure({
    name: 'other',
    erasure: { secret: { file: path('other-secret') } },
  })
  for (const file of [none, other]) {
    const { run, target } = await restore(before, file)
    expect([run.code, run.stderr]).toEqual([14, expect.stringContaining('secret')])
    await expect(query(target, 'SELECT 1')).rejects.toThrow('does not exist')
  }
  expect((await record('id', ['9'], other)).code).toBe(14)
  expect((await record('id', ['9'], none)).code).toBe(14)
})

test('nothing says what becomes of rows that refer: refused, nothing is left', async () => {
  const store = path('undecided-store')
  cpSync(path('store'), store, { recursive: true })
  rmSync(join(store, 'erasures'), { recursive: true })
  rmSync(join(store, after), { recursive: true })
  const erasure = { secret: { file: path('secret') } }
  const file = await configure({ name: 'undecided', store, erasure })
  expect((await record('id', ['1'], file)).code).toBe(0)
  const { run, target } = await restore(before, file)
  expect(run.code).toBe(16)
  expect(run.stderr).toContain('line_orders_fkey')
  await expect(query(target, 'SELECT 1')).rejects.toThrow('does not exist')
  expect(
    await ids(server.url, `SELECT datname FROM pg_database WHERE datname LIKE '%pgveil%'`),
  ).toEqual([])
})

test('a part of a backup only with what tells whose its rows are', async () => {
  const alone = await restore(before, config, ['--only', 'public.line'])
  expect(alone.run.code).toBe(16)
  expect(alone.run.stderr).toContain('without public.orders, public.person')
  const enough = await restore(before, config, [
    '--only',
    'public.line,public.orders,public.person',
  ])
  succeeded(enough.run)
  expect(await ids(enough.target, 'SELECT orders FROM line')).toEqual([20])
})

describe('a ledger that somebody has changed', () => {
  const NAME = /^(\d+)\.json$/

  test.each([
    ['an entry dropped', (at: string) => rmSync(join(at, '1.json'))],
    ['cut off', (at: string) => rmSync(join(at, '2.json'))],
    ['gone', (at: string) => rmSync(at, { recursive: true })],
    [
      'reordered',
      (at: string) => {
        renameSync(join(at, '1.json'), join(at, 'x'))
        renameSync(join(at, '2.json'), join(at, '1.json'))
        renameSync(join(at, 'x'), join(at, '2.json'))
        for (const name of readdirSync(at)) {
          const [, number, rest] = /^([12])\.json\.(.*)$/.exec(name) ?? []
          if (number) renameSync(join(at, name), join(at, `${number === '1' ? 2 : 1}.json.${rest}`))
        }
      },
    ],
    [
      'edited',
      (at: string) => {
        const text = readFileSync(join(at, '1.json'), 'utf8')
        writeFileSync(join(at, '1.json'), text.replace(/"hash":"./, '"hash":"_'))
      },
    ],
    [
      'without a signature',
      (at: string) => {
        for (const name of readdirSync(at)) if (name.startsWith('2.json.')) rmSync(join(at, name))
      },
    ],
  ])('%s', async (name, change) => {
    const id = `tampered-${name.replaceAll(' ', '-')}`
    const store = path(id, 'store')
    cpSync(path('store'), store, { recursive: true })
    change(join(store, 'erasures'))
    const erasure = { secret: { file: path('secret') }, references: { '*': 'delete' } }
    const file = await configure({ name: id, store, erasure })
    const { run, target } = await restore(after, file)
    expect([run.code, run.stderr]).toEqual([15, expect.stringContaining('erasures/')])
    await expect(query(target, 'SELECT 1')).rejects.toThrow('does not exist')
    const sh = await restoreSh(join(store, after), ['--erasure-secret', path('secret')])
    expect([sh.code, sh.stderr]).toEqual([15, expect.stringContaining('erasures')])
  })

  test('cut off since this machine has seen it, before any backup that knows', async () => {
    const store = path('forgotten-store')
    cpSync(path('store'), store, { recursive: true })
    rmSync(join(store, after), { recursive: true })
    const erasure = { secret: { file: path('secret') }, references: { '*': 'delete' } }
    const file = await configure({ name: 'forgotten', store, erasure })
    expect((await runPgveil(['erase', 'list', '--config', file])).code).toBe(0)
    for (const name of readdirSync(join(store, 'erasures')))
      if (name.startsWith('2.')) rmSync(join(store, 'erasures', name))
    const list = await runPgveil(['erase', 'list', '--config', file])
    expect([list.code, list.stderr]).toEqual([15, expect.stringContaining('erasures/2.json')])
    expect((await restore(before, file)).run.code).toBe(15)
    expect(readdirSync(join(store, 'erasures')).filter((name) => NAME.test(name))).toHaveLength(1)
  })
})

test('of records that are made at the same time none is lost', async () => {
  const store = path('busy-store')
  const erasure = { secret: { file: path('secret') } }
  const file = await configure({ name: 'busy', store, erasure })
  const runs = await Promise.all(
    ['a', 'b', 'c'].map((column) => record(column, [`${column}1`, `${column}2`], file)),
  )
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
  const { stdout } = await runPgveil(['erase', 'list', '--config', file, '--json'])
  const { records } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
    records: { number: number; column: string; persons: number }[]
  }
  expect(records.map(({ number, persons }) => [number, persons])).toEqual([
    [1, 2],
    [2, 2],
    [3, 2],
  ])
  expect(records.map(({ column }) => column).toSorted()).toEqual(['a', 'b', 'c'])
})

/** A file with the half of a side; the same in all copies of a backup. */
async function halfOf(directory: string, side: 'operations' | 'offline'): Promise<string> {
  const half = path(`half-${basename(directory)}-${side}`)
  if (existsSync(half)) return half
  const envelope = join(directory, 'envelopes', `${side}.asc`)
  const args = ['--key', keys[side].privateKey, '--envelope', envelope, '--output', half]
  const { code, stderr } = await runPgveil(['unlock', 'answer', ...args])
  if (code !== 0) throw new Error(stderr)
  return half
}

/** restore.sh of a backup, with halves from files. */
async function restoreSh(directory: string, args: string[]): Promise<RunResult & { name: string }> {
  const halves: string[] = []
  for (const side of ['operations', 'offline'] as const) {
    halves.push('--half', `${side}=${await halfOf(directory, side)}`)
  }
  const name = `by_hand_${++databases}`
  const env = {
    PATH: process.env['PATH'],
    HOME: place,
    TMPDIR: place,
    PGHOST: '127.0.0.1',
    PGPORT: String(server.port),
    PGUSER: 'postgres',
  }
  const all = ['--signer', keys.signer.publicKey, '--database', name, ...halves, ...args]
  const { status, stdout, stderr } = spawnSync('sh', [join(directory, 'restore.sh'), ...all], {
    env,
    encoding: 'utf8',
  })
  return { code: status ?? -1, stdout, stderr, name }
}

describe('restore.sh', () => {
  test('erases as well', async () => {
    for (const label of [before, after]) {
      const { code, stderr, name } = await restoreSh(path('store', label), [
        '--erasure-secret',
        path('secret'),
      ])
      if (code !== 0) throw new Error(stderr)
      expect(stderr).toContain('erased again: 2 rows of public.person')
      expect(stderr).not.toContain('no ledger of erasures')
      await expectErased(databaseUrl(server, name))
    }
  })

  test('with a ledger that lies elsewhere, and a secret of many bytes', async () => {
    const store = path('long-store')
    cpSync(path('store'), store, { recursive: true })
    rmSync(join(store, 'erasures'), { recursive: true })
    writeFileSync(path('long-secret'), `Ű${'long secret, '.repeat(20)}\r\n`)
    const erasure = { secret: { file: path('long-secret') }, references: { '*': 'delete' } }
    const file = await configure({ name: 'long', store, erasure })
    expect((await record('mail', [CANARY, 'p3'], file)).code).toBe(0)
    renameSync(join(store, 'erasures'), path('ledger'))
    const args = ['--erasures', path('ledger'), '--erasure-secret', path('long-secret')]
    const { code, stderr, name } = await restoreSh(join(store, before), args)
    if (code !== 0) throw new Error(stderr)
    expect(await ids(databaseUrl(server, name), 'SELECT id FROM person ORDER BY 1')).toEqual([2, 4])
  })

  test('does not end well without the secret, or with another one', async () => {
    const none = await restoreSh(path('store', before), [])
    expect([none.code, none.stderr]).toEqual([14, expect.stringContaining('--erasure-secret')])
    writeFileSync(path('wrong-secret'), 'another secret')
    const args = ['--erasure-secret', path('wrong-secret')]
    const wrong = await restoreSh(path('store', before), args)
    expect([wrong.code, wrong.stderr]).toEqual([14, expect.stringContaining('another secret')])
    const found = await ids(
      server.url,
      `SELECT datname FROM pg_database WHERE datname LIKE 'by_hand%restoring'`,
    )
    expect(found).toEqual([])
  })

  test('does without a ledger where there is none to know of, and says so', async () => {
    const store = path('no-ledger')
    cpSync(path('store', before), join(store, before), { recursive: true })
    const { code, stderr, name } = await restoreSh(join(store, before), [])
    if (code !== 0) throw new Error(stderr)
    // Before anything is made, and where whoever comes back later looks.
    const note = 'note: no ledger of erasures lies in ../erasures: persons who were erased since'
    expect(stderr).toMatch(new RegExp(`${note}.*\n.*hint: .*begin again\n[^]*making database`))
    expect(stderr).toMatch(new RegExp(`${note}.*\n.*hint: .*begin again\n.*done: .*\n$`))
    expect(await ids(databaseUrl(server, name), 'SELECT count(*)::int FROM person')).toEqual([4])
  })
})
