import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect, type AddressInfo, type Server as Proxy } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { canaryRules, canarySql, MAGIC, NEEDLES } from '../fixtures/canaries.ts'
import { query } from '../fixtures/databases.ts'
import { findIn, formsOf, Searcher } from '../fixtures/find-bytes.ts'
import {
  isAlive,
  startWatched,
  type WatchedResult,
  type WatchedRun,
} from '../fixtures/watched-run.ts'

// No original value lies anywhere but on the source: not in the target's files, write-ahead log and server log, not
// among temporary files, in output or on command lines, however a copy ends.

const ROWS = 12_000
const KILLS = 10
const SIGNALS = 6
const SEED = Number(process.env['PGVEIL_TEST_SEED'] ?? Date.now() % 1_000_000)

/** Everything that the target's server can be made to write into its log. */
const TALKATIVE = {
  log_statement: 'all',
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug1',
  log_error_verbosity: 'verbose',
  log_temp_files: 0,
  // sorts and index builds go through files
  work_mem: '64kB',
  // Segments of a megabyte, since what did not change is not searched again; as many of them as of larger ones.
  min_wal_size: '80MB',
  max_wal_size: '1GB',
}

let source: Server
let target: Server
let directory: string
const searcher = new Searcher(NEEDLES)

/** The database of a server by name. */
const urlOf = (server: Server, database: string) => server.url.replace(/postgres$/, database)

let rulesWritten = 0
function writeRules(text: string): string {
  const path = join(directory, `rules-${++rulesWritten}.yaml`)
  writeFileSync(path, text)
  return path
}

interface Start {
  from?: string
  to?: string
  rules?: string
}

function start({ from, to, rules = canaryRules() }: Start = {}): WatchedRun {
  const options = {
    source: from ?? urlOf(source, 'crm'),
    target: to ?? urlOf(target, 'crm'),
    rules: writeRules(rules),
  }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
  return startWatched(['copy', ...args], directory)
}

let logSearched = 0
/** Every place in which something of `run` may have stayed. */
function findCanaries(run: WatchedRun, result: WatchedResult): string[] {
  const log = target.log().slice(Math.max(0, logSearched - 100))
  logSearched = target.log().length
  const texts = { ...result, commands: [...result.commands].join('\n'), log }
  return [
    ...(['stdout', 'stderr', 'commands', 'log'] as const).flatMap((name) =>
      findIn(Buffer.from(texts[name]), NEEDLES).map((what) => `${name}: ${what}`),
    ),
    ...searcher.search(target.dataDirectory),
    ...searcher.search(run.directory),
  ]
}

/** The run said nothing that PostgreSQL quotes rows in, and left no canary anywhere. */
function expectClean(run: WatchedRun, result: WatchedResult): void {
  expect(findCanaries(run, result)).toEqual([])
  expect(result.stdout + result.stderr).not.toMatch(/DETAIL|CONTEXT|COPY \w+, line|^\s+at /m)
}

interface InUse {
  databases: string[]
  oid: number
  marked: boolean
}

/** What the target has. The table `marker` is put into the database in use by {@link copyAndMark}. */
async function lookAtTarget(): Promise<InUse> {
  const databases = await query<{ name: string; oid: number }>(
    target.url,
    'SELECT datname AS name, oid::int8::int4 AS oid FROM pg_database WHERE NOT datistemplate ORDER BY 1',
  )
  const marked = await query<{ marked: boolean }>(
    urlOf(target, 'crm'),
    `SELECT to_regclass('public.marker') IS NOT NULL AS marked`,
  )
  return {
    databases: databases.map(({ name }) => name),
    oid: databases.find(({ name }) => name === 'crm')?.oid ?? 0,
    marked: marked[0]?.marked === true,
  }
}

async function copyAndMark(): Promise<WatchedResult> {
  const run = start()
  const result = await run.done
  expect(result).toMatchObject({ code: 0, leftFiles: [] })
  expectClean(run, result)
  await query(urlOf(target, 'crm'), 'CREATE TABLE marker ()')
  return result
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-leak-'))
  ;[source, target] = await Promise.all([
    startPostgres({ major: 14 }),
    startPostgres({ major: 18, settings: TALKATIVE, initdb: ['--wal-segsize=1'] }),
  ])
  for (const [name, rows] of Object.entries({ crm: ROWS, small: 3_000 })) {
    await query(source.url, `CREATE DATABASE ${name}`)
    await query(urlOf(source, name), canarySql(rows))
  }
})

afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop()])
  rmSync(directory, { recursive: true, force: true })
})

describe('the search itself', () => {
  test.each(formsOf('Kanári'))('sees $what', ({ bytes }) => {
    const around = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(7, 0xff)])
    expect(findIn(around, formsOf('KANÁRI'))).not.toEqual([])
  })

  test.each(['name', 'uuid', 'timestamp', 'bigint', 'float', 'numeric', 'ip', 'photo'])(
    'finds a column that is kept: %s',
    async (column) => {
      // one copy for all of them
      kept ??= searchKept()
      const expected: Record<string, string> = {
        name: `${MAGIC.charAt(0).toUpperCase()}${MAGIC.slice(1)}`,
        photo: `hex of ${MAGIC}`,
        uuid: 'bytes of the uuid',
        ip: 'bytes of the ip',
        numeric: 'groups of the numeric',
      }
      expect(await kept).toContain(expected[column] ?? `reversed bytes of the ${column}`)
    },
  )
})

let kept: Promise<string[]> | undefined
/** What the search finds on a server that a copy went to which keeps some columns. */
async function searchKept(): Promise<string[]> {
  const leaky = await startPostgres({ major: 18 })
  try {
    const rules = ['token', 'seen', 'salary', 'worth', 'ratio', 'ip', 'photo'].reduce(
      (text, column) => text.replace(new RegExp(`^    ${column}: .*$`, 'm'), `    ${column}: keep`),
      canaryRules({ name: 'keep' }),
    )
    const run = start({ from: urlOf(source, 'small'), to: urlOf(leaky, 'crm'), rules })
    expect(await run.done).toMatchObject({ code: 0 })
    return new Searcher(NEEDLES)
      .search(leaky.dataDirectory)
      .map((hit) => hit.slice(hit.indexOf(': ') + 2))
  } finally {
    await leaky.stop()
  }
}

describe('a copy that succeeds', () => {
  test('leaves no original, nor in the files of the database before it', async () => {
    await copyAndMark()
    const before = await lookAtTarget()
    await copyAndMark()
    const after = await lookAtTarget()
    expect(after.databases).toEqual(['crm', 'postgres'])
    expect(after.oid).not.toBe(before.oid)
    expect(target.log()).toMatch(/COPY/)
  })
})

interface DataFailure {
  name: string
  sql: string
  /** Further columns of person. */
  person?: string
  tables?: string
  code: number
  message: RegExp
}

const FUNCTIONS = `
  export function fail(value) { throw new Error('cannot mask ' + value) }
  export function omega() { return 'Ω' }
  export function same() { return 'x' }
  export const nothing = (value) => value.endsWith('3000') ? null : 'x'`

const DATA_FAILURES: DataFailure[] = [
  {
    name: 'a check that only a late row violates',
    sql: `ALTER TABLE person ADD tag text DEFAULT 'a' CHECK (length(tag) = 1 OR tag LIKE 'zq%');
          UPDATE person SET tag = '${MAGIC}' WHERE id = 3000`,
    person: `    tag: { mask: text.scramble, when: "tag <> 'a'" }`,
    code: 12,
    message: /cannot write public\.person: a row violates a check \(SQLSTATE 23514/,
  },
  {
    name: 'a NOT NULL that only a late row violates',
    sql: `ALTER TABLE person ADD tag text NOT NULL DEFAULT 'a'; UPDATE person SET tag = '${MAGIC}3000' WHERE id = 3000`,
    person: `    tag: { function: '{functions}#nothing' }`,
    code: 12,
    message: /cannot write public\.person: a NULL where the column is NOT NULL \(SQLSTATE 23502/,
  },
  {
    name: 'a text in a column of numbers',
    sql: `ALTER TABLE person ADD badge int; UPDATE person SET badge = 209381746`,
    person: `    badge: { faker: person.jobTitle }`,
    code: 12,
    message: /cannot write public\.person: a value is malformed for its type \(SQLSTATE 22P02\)/,
  },
  {
    name: 'a row that no partition takes',
    sql: `CREATE TABLE log (who text) PARTITION BY RANGE (who);
          CREATE TABLE log_z PARTITION OF log FOR VALUES FROM ('zq') TO ('zr');
          INSERT INTO log SELECT '${MAGIC}' || i FROM generate_series(1, 3000) i`,
    tables: `  log:\n    who: text.scramble`,
    code: 12,
    message: /cannot write public\.log_z: .*\(SQLSTATE 23514/,
  },
  {
    name: 'two rows that become one under a unique index',
    sql: `CREATE TABLE slot (who text, span int4range, EXCLUDE USING gist (span WITH &&));
          INSERT INTO slot SELECT '${MAGIC}' || i, int4range(i, i + 1) FROM generate_series(1, 300) i;
          CREATE UNIQUE INDEX slot_who ON slot ((who || '${MAGIC.slice(0, 4)}'))`,
    tables: `  slot:\n    span: keep\n    who: { function: '{functions}#same' }`,
    code: 16,
    message: /slot\.who: /,
  },
  {
    name: 'a view that masked rows break',
    sql: `CREATE MATERIALIZED VIEW broken AS SELECT 1 / position('${MAGIC.slice(0, 4)}' IN alias) AS x FROM person`,
    code: 12,
    message: /cannot refresh the materialized view public\.broken: .*\(SQLSTATE 22012\)/,
  },
  {
    name: 'an index that masked rows break',
    sql: `CREATE INDEX broken ON person ((1 / position('${MAGIC.slice(0, 4)}' IN alias)))`,
    code: 12,
    message: /cannot create index broken of public\.person: .*\(SQLSTATE 22012\)/,
  },
  {
    name: 'a function of the user that fails on a value',
    sql: '',
    person: '    alias: { function: "{functions}#fail" }',
    code: 10,
    message: /the function \S+#fail failed on a value/,
  },
  {
    name: 'a condition that fails on a value',
    sql: '',
    person: `    alias: { mask: internet.email, when: "name::int > 5" }`,
    code: 11,
    message:
      /cannot read a sample of public\.person: a value is malformed for its type \(SQLSTATE 22P02\)/,
  },
  {
    name: 'a condition that fails on the value of a late row',
    sql: `UPDATE person SET name = '-${MAGIC}' WHERE id = 3000`,
    person: `    alias: { mask: internet.email, when: "CASE WHEN name LIKE '-%' THEN name::int > 5 ELSE true END" }`,
    code: 11,
    message: /cannot read public\.person: a value is malformed for its type \(SQLSTATE 22P02\)/,
  },
  {
    name: 'a condition whose function puts a value into SQL',
    sql: `CREATE FUNCTION judge(value text) RETURNS bool LANGUAGE plpgsql AS $$
            BEGIN EXECUTE 'SELECT ' || split_part(value, ' ', 1); RETURN true; END $$`,
    person: `    alias: { mask: internet.email, when: "public.judge(name)" }`,
    code: 11,
    message: /a function in the database failed \(SQLSTATE 42703\)/,
  },
  {
    name: 'a condition whose function quotes a value with a code of its own',
    sql: `CREATE FUNCTION judge(value text) RETURNS bool LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'judged: %', value USING ERRCODE = 'CRM01', DETAIL = value, HINT = value; END $$`,
    person: `    alias: { mask: internet.email, when: "public.judge(name)" }`,
    code: 11,
    message:
      /cannot read a sample of public\.person: a function in the database failed \(SQLSTATE CRM01\)/,
  },
  {
    name: 'a condition whose function quotes a value with a code of the server',
    sql: `CREATE FUNCTION judge(value text) RETURNS bool LANGUAGE plpgsql AS $$
            BEGIN RAISE insufficient_privilege USING MESSAGE = value; END $$`,
    person: `    alias: { mask: internet.email, when: "public.judge(name)" }`,
    code: 11,
    message:
      /cannot read a sample of public\.person: a function in the database failed \(SQLSTATE 42501\)/,
  },
]

describe('a copy that fails inside the data', () => {
  test.each(DATA_FAILURES.map((failure, number) => ({ ...failure, number })))(
    '$name',
    async ({ number, sql, person = '', tables = '', code, message }) => {
      const functions = join(directory, 'functions.mjs')
      writeFileSync(functions, FUNCTIONS)
      const fill = (text: string) => text.replace('{functions}', functions)
      const database = `failing_${number}`
      await query(source.url, `CREATE DATABASE ${database} TEMPLATE small`)
      await query(urlOf(source, database), sql)
      const before = await lookAtTarget()
      let rules = canaryRules({ person: fill(person), tables: fill(tables) })
      if (person.includes('alias:')) rules = rules.replace('    alias: internet.email\n', '')
      const run = start({ from: urlOf(source, database), rules })
      const result = await run.done
      expect(result.stderr).toMatch(message)
      expect(result).toMatchObject({ code, leftFiles: [] })
      expectClean(run, result)
      expect(await lookAtTarget()).toEqual(before)
    },
  )

  test('a character that the encoding of the target lacks', async () => {
    const functions = join(directory, 'functions.mjs')
    writeFileSync(functions, FUNCTIONS)
    await query(source.url, `CREATE DATABASE latin ENCODING LATIN2 TEMPLATE template0`)
    await query(
      urlOf(source, 'latin'),
      `CREATE TABLE contact (name text); INSERT INTO contact SELECT '${MAGIC} ő' FROM generate_series(1, 1000)`,
    )
    const rules = `version: 1\ntables:\n  contact:\n    name: { function: '${functions}#omega' }\n`
    const run = start({ from: urlOf(source, 'latin'), rules })
    const result = await run.done
    expect(result.stderr).toMatch(/a character has no equivalent .*\(SQLSTATE 22P05\)/)
    expect(result).toMatchObject({ code: 12, leftFiles: [] })
    expectClean(run, result)
  })

  test('bytes that are no text, where the database takes any', async () => {
    await query(source.url, `CREATE DATABASE bytes ENCODING SQL_ASCII TEMPLATE template0`)
    await query(
      urlOf(source, 'bytes'),
      `SET client_encoding = SQL_ASCII; CREATE TABLE contact (name text, note text);
       INSERT INTO contact SELECT E'${MAGIC}\\xff\\xc3', E'${MAGIC}\\xe2\\x28' FROM generate_series(1, 1000)`,
    )
    const rules = `version: 1\ntables:\n  contact:\n    name: person.fullName\n    note: text.scramble\n`
    const run = start({ from: urlOf(source, 'bytes'), to: urlOf(target, 'bytes'), rules })
    const result = await run.done
    expect(result).toMatchObject({ code: 0, leftFiles: [] })
    expectClean(run, result)
    await query(target.url, 'DROP DATABASE bytes')
  })
})

/** Waits until rows are on their way, and returns the server processes that carry them. */
async function backendsCopying(server: Server, application: string): Promise<number[]> {
  const client = new pg.Client(server.url)
  await client.connect()
  try {
    for (;;) {
      const { rows } = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND state = 'active' AND query ILIKE 'copy%person%'`,
        [application],
      )
      if (rows.length > 0) return rows.map(({ pid }) => pid)
      await sleep(5)
    }
  } finally {
    await client.end()
  }
}

/** Waits until a server that recovers takes sessions again. */
async function recovered(server: Server): Promise<void> {
  for (;;) {
    try {
      await query(server.url, 'SELECT 1')
      return
    } catch {
      await sleep(50)
    }
  }
}

/** A way to `server` that breaks off once `limit` bytes have gone in one direction of one connection. */
async function cutAfter(
  server: Server,
  limit: number,
  from: 'server' | 'client',
): Promise<{ proxy: Proxy; url: (database: string) => string }> {
  const proxy = createServer((inner) => {
    const outer = connect(server.port, server.host)
    let count = 0
    const pass = (counted: boolean, to: typeof inner) => (bytes: Buffer) => {
      if (counted) count += bytes.length
      if (count < limit) to.write(bytes)
      else for (const socket of [inner, outer]) socket.resetAndDestroy()
    }
    inner.on('data', pass(from === 'client', outer))
    outer.on('data', pass(from === 'server', inner))
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const)
      socket.on('error', () => other.destroy()).on('close', () => other.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  return { proxy, url: (name) => urlOf(server, name).replace(`:${server.port}/`, `:${port}/`) }
}

describe('a copy whose connection breaks', () => {
  test.each([
    { side: 'target', how: 'its session is ended', code: 12, kill: false },
    { side: 'target', how: 'its server crashes', code: 12, kill: true },
    { side: 'source', how: 'its session is ended', code: 11, kill: false },
    { side: 'source', how: 'its server crashes', code: 11, kill: true },
  ])('$side: $how', async ({ side, code, kill }) => {
    const server = side === 'target' ? target : source
    const before = await lookAtTarget()
    const run = start()
    const [pid = 0] = await backendsCopying(
      server,
      side === 'target' ? 'pgveil write' : 'pgveil read',
    )
    if (kill) process.kill(pid, 'SIGKILL')
    else await query(server.url, `SELECT pg_terminate_backend(${pid})`)
    const result = await run.done
    await recovered(server)
    expect(result.stderr).toMatch(
      side === 'target'
        ? /cannot (write|connect to \S+__building_)/
        : /cannot (read|connect to|join the snapshot of)|no longer, known/,
    )
    expect(result).toMatchObject({ code, leftFiles: [] })
    expectClean(run, result)
    const { databases, ...inUse } = await lookAtTarget()
    expect(inUse).toEqual({ oid: before.oid, marked: true })
    // a target that recovers cannot drop what was begun: then that is said
    const left = databases.filter((name) => name.includes('__building_'))
    for (const name of left)
      expect(result.stderr).toContain(`left behind: the unfinished database ${name}`)
  })

  test.each([
    { side: 'target', from: 'client', code: 12 },
    { side: 'source', from: 'server', code: 11 },
  ] as const)('$side: the line is cut', async ({ side, from, code }) => {
    const before = await lookAtTarget()
    const server = side === 'target' ? target : source
    const { proxy, url } = await cutAfter(server, 1_500_000, from)
    const run = start(side === 'target' ? { to: url('crm') } : { from: url('crm') })
    const result = await run.done
    proxy.close()
    expect(result).toMatchObject({ code, leftFiles: [] })
    expectClean(run, result)
    const after = await lookAtTarget()
    expect({ oid: after.oid, marked: after.marked }).toEqual({ oid: before.oid, marked: true })
  })
})

/** mulberry32: a small generator of numbers from 0 to 1. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

describe(`a copy that is stopped at any moment (PGVEIL_TEST_SEED=${SEED})`, () => {
  const random = seeded(SEED)
  let milliseconds = 0

  /** What stands in the place of the database in use: the one before, or a whole new one. */
  async function expectWhole(before: InUse, moment: string): Promise<InUse> {
    const now = await lookAtTarget()
    if (now.oid === before.oid) {
      expect({ moment, ...now }).toMatchObject({ moment, marked: true })
      return now
    }
    const [rows] = await query<{ n: string }>(
      urlOf(target, 'crm'),
      'SELECT count(*)::text AS n FROM person',
    )
    expect({ moment, rows: rows?.n }).toEqual({ moment, rows: String(ROWS) })
    await query(urlOf(target, 'crm'), 'CREATE TABLE marker ()')
    return { ...now, marked: true }
  }

  test('SIGKILL', async () => {
    milliseconds = (await copyAndMark()).milliseconds
    let before = await lookAtTarget()
    for (let i = 0; i < KILLS; i++) {
      const delay = Math.round(((i + random()) / KILLS) * milliseconds)
      const run = start()
      await sleep(delay)
      const moment = `SIGKILL after ${delay} of ${Math.round(milliseconds)} ms`
      run.child.kill('SIGKILL')
      const killed = performance.now()
      const result = await run.done
      while ([...run.descendants].some(isAlive) && performance.now() - killed < 3_000)
        await sleep(20)
      expect({ moment, alive: [...run.descendants].filter(isAlive) }).toEqual({ moment, alive: [] })
      expect({ moment, quick: performance.now() - killed < 2_000 }).toEqual({ moment, quick: true })
      expect({ moment, files: readdirSync(run.directory) }).toEqual({ moment, files: [] })
      expectClean(run, result)
      before = await expectWhole(before, moment)
    }
    // the next run clears away what the killed ones left
    await copyAndMark()
    expect((await lookAtTarget()).databases).toEqual(['crm', 'postgres'])
  })

  test('SIGTERM and SIGINT', async () => {
    let before = await lookAtTarget()
    for (let i = 0; i < SIGNALS; i++) {
      const [signal, code] = i % 2 === 0 ? (['SIGTERM', 143] as const) : (['SIGINT', 130] as const)
      const delay = Math.round(((i + random()) / SIGNALS) * milliseconds)
      const run = start()
      await sleep(delay)
      run.child.kill(signal)
      const stopped = performance.now()
      const result = await run.done
      const moment = `${signal} after ${delay} of ${Math.round(milliseconds)} ms, ${Math.round(performance.now() - stopped)} ms to end`
      const now = await expectWhole(before, moment)
      const finished = now.oid !== before.oid
      // before it listens, a signal simply ends it; when the copy is in place, it comes too late
      const allowed: unknown[] = finished ? [0] : [code, null]
      expect({ moment, ...result, allowed: allowed.includes(result.code) }).toMatchObject({
        moment,
        allowed: true,
        leftFiles: [],
      })
      expect({ moment, databases: now.databases }).toEqual({
        moment,
        databases: ['crm', 'postgres'],
      })
      expect(result.stderr).not.toContain('left open')
      expectClean(run, result)
      before = now
    }
  })
})
