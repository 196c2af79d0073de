import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { leftBy, said, until } from '../fixtures/backup-places.ts'
import {
  labelOf,
  makeKeys,
  runBackup,
  runRestore,
  succeeded,
  writeConfig,
  type JsonRun,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { canMakeRoom, makeRoom, startLimited } from '../fixtures/limited-postgres.ts'
import { differencesBetween } from '../fixtures/round-trips.ts'
import { startS3, type Asked, type Fault, type StandIn } from '../fixtures/s3-stand-in.mjs'
import {
  isAlive,
  startWatched,
  type WatchedResult,
  type WatchedRun,
} from '../fixtures/watched-run.ts'

// Whatever happens to a restore under way: the database in use is replaced by one that equals the source, or stays as it
// was. Then the run says why, with the exit code of its kind, and names what it leaves; --continue goes on with that, a run
// without it puts it away. Nothing is ever written to the store. What can be asked of a restore is in restore.test.ts.

const BUCKET = 'safe'
const DENIED: Fault = { status: 403, code: 'AccessDenied' }
const OVERLOADED: Fault = { status: 503, code: 'SlowDown' }
/** In every row, so that a message that quotes one is found. */
const CANARY = 'Harmat Virág'

/** In sessions that are told so, an index or statistics take a second: there is time for harm. */
const CRM = [
  'CREATE TABLE contact (id int PRIMARY KEY, name text NOT NULL)',
  `INSERT INTO contact SELECT i, '${CANARY} ' || md5(i::text) || md5((-i)::text) || md5(i || 'x') || md5(i || 'y')
   FROM generate_series(1, 20000) i`,
  // Larger than its table.
  'CREATE INDEX contact_wide ON contact ((name || name || name))',
  'CREATE TABLE note (id serial PRIMARY KEY, contact int NOT NULL REFERENCES contact, text text)',
  `INSERT INTO note (contact, text) SELECT i, '${CANARY} ' || i FROM generate_series(1, 3000) i`,
  'CREATE TABLE tag (id int PRIMARY KEY, note int REFERENCES note)',
  'INSERT INTO tag SELECT i, i FROM generate_series(1, 60) i',
  `CREATE FUNCTION slowly(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
     BEGIN IF current_query() ~ current_setting('crm.slow', true) THEN PERFORM pg_sleep(0.015); END IF; RETURN x; END $$`,
  'CREATE INDEX tag_slow ON tag (slowly(id))',
  'CREATE STATISTICS tag_slow_too ON (slowly(id)), note FROM tag',
  'CREATE MATERIALIZED VIEW notes AS SELECT contact, count(*) FROM note GROUP BY 1',
  // Several transactions of 500.
  `SELECT lo_from_bytea(500 + i, (SELECT decode(string_agg(md5(i || ' ' || k), ''), 'hex') FROM generate_series(1, 100) k))
   FROM generate_series(1, 1100) i`,
]

if (!canMakeRoom)
  process.stderr.write('\nSKIPPED: restores onto a server whose disk is full, without prlimit\n\n')

let directory: string
let keys: TrialKeys
let s3: StandIn
let source: Server
let target: Server
let crm: string
let config: string
let label: string
/** Key of the object that holds the rows of a table. */
let objectOf: (table: string) => string
let stored: string[]
let content: unknown
/** Restores that have to wait for seconds, or for a minute, while other tests run: they are looked at in the end. */
let shaky: Scene
/** Key of an object and what happens to those who ask for it, one after the other. */
let passing: Record<string, Fault[]>
let stormy: Scene

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-restore-faults-'))
  ;[source, target, s3, keys] = await Promise.all([
    startPostgres(),
    startPostgres(),
    startS3({ buckets: { [BUCKET]: {} } }),
    makeKeys(join(directory, 'keys')),
  ])
  crm = await createDatabase(source, 'crm')
  await execute(crm, ...CRM)
  config = await configFor(s3)
  label = labelOf(await runBackup({ config, env: credentials(s3) }))
  const manifest = JSON.parse(String(s3.bytes(BUCKET, `${label}/manifest.json`))) as {
    tables: { name: string; segments: string[] }[]
  }
  objectOf = (table) =>
    `${label}/${manifest.tables.find(({ name }) => name === table)!.segments[0]}`
  stored = digestsOf(s3)
  content = await contentOf(crm)
  passing = {
    [objectOf('contact')]: [{ hangAfter: 300_000 }, { truncateAfter: 300_000 }, 'reset'],
    [objectOf('note')]: [OVERLOADED, { truncateAfter: 1000 }],
    [objectOf('tag')]: [{ status: 500, code: 'InternalError' }],
  }
  shaky = await beginApart(({ key }) => passing[key]?.shift())
  stormy = await beginApart(({ key }) => (key === objectOf('contact') ? OVERLOADED : undefined))
})
afterAll(async () => {
  await Promise.all([
    source?.stop(),
    target?.stop(),
    s3?.close(),
    shaky?.store.close(),
    stormy?.store.close(),
  ])
  rmSync(directory, { recursive: true, force: true })
})
beforeEach(() => {
  s3.requests.length = 0
})
afterEach(() => {
  s3.onRequest = () => undefined
})

function configFor({ endpoint, region }: StandIn): Promise<string> {
  const bucket = { bucket: BUCKET, region, endpoint, pathStyle: true, stallSeconds: 5 }
  const place = mkdtempSync(join(directory, 'config-'))
  return writeConfig(place, { keys, source: crm, store: { s3: bucket } })
}

function credentials({ accessKeyId, secretAccessKey }: StandIn): NodeJS.ProcessEnv {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  }
}

/** Names and content of all that the bucket holds. */
function digestsOf(server: StandIn): string[] {
  const { objects, uploads } = server.buckets.get(BUCKET)!
  const names = [...objects.keys()].sort()
  const digest = (name: string) =>
    createHash('sha256')
      .update(server.bytes(BUCKET, name) ?? '')
      .digest('hex')
  return [...names.map((name) => `${name} ${digest(name)}`), ...uploads.keys()]
}

/** Faults for the first `times` requests for an object. */
function fail(key: string, fault: Fault, times = Infinity): void {
  let count = 0
  s3.onRequest = (asked) => (asked.key === key && ++count <= times ? fault : undefined)
}

/** The rows of the largest table stop coming in the middle, for five seconds; others are in. */
const holdRows = () => fail(objectOf('contact'), { hangAfter: 400_000 }, 1)

/** Sessions that begin from now on take their time for such statements; undefined: for none. */
const slowDown = (what: 'INDEX' | 'ANALYZE' | undefined, on = target) =>
  execute(on.url, `ALTER ROLE postgres ${what ? `SET crm.slow = '${what}'` : 'RESET ALL'}`)

/** A restore that is to replace a database in use. */
interface Scene {
  run: WatchedRun
  on: Server
  name: string
  config: string
  store: StandIn
  /** Of the database in use. */
  oid: number
}

let scenes = 0
interface Setting {
  on?: Server
  store?: StandIn
  /** Two where one is held up and others shall get in. */
  jobs?: 1 | 2
}

async function begin({ on = target, store = s3, jobs = 1 }: Setting = {}): Promise<Scene> {
  const name = `crm_${++scenes}`
  await execute(await createDatabase(on, name), 'CREATE TABLE in_use ()')
  const [{ oid }] = (await query<{ oid: number }>(
    on.url,
    `SELECT oid::int FROM pg_database WHERE datname = '${name}'`,
  )) as [{ oid: number }]
  const file = store === s3 ? config : await configFor(store)
  const all = ['restore', '--config', file, '--json', '--jobs', `${jobs}`, '--replace', name]
  const goal = ['--target', databaseUrl(on, name), '--key', keys.verifier.privateKey]
  const run = startWatched([...all, ...goal], directory, credentials(store))
  return { run, on, name, config: file, store, oid }
}

/** From a bucket of its own, on a server that nobody harms. */
async function beginApart(onRequest: (asked: Asked) => Fault): Promise<Scene> {
  const apart = await startS3({ buckets: { [BUCKET]: {} }, onRequest })
  for (const key of s3.buckets.get(BUCKET)!.objects.keys())
    apart.put(BUCKET, key, s3.bytes(BUCKET, key)!)
  return begin({ on: source, store: apart, jobs: 2 })
}

/** Once the other tables are in, the largest one is not to be had. */
async function beginRefused(fault: Fault): Promise<Scene> {
  let refuse: () => void = () => {}
  const othersAreIn = new Promise<void>((resolve) => (refuse = resolve))
  s3.onRequest = async ({ key }) => {
    if (key !== objectOf('contact')) return undefined
    await othersAreIn
    return fault
  }
  const scene = await begin({ jobs: 2 })
  await said(scene.run, /"event":"table","table":"public\.tag"/)
  refuse()
  return scene
}

/**
 * Some rows are in, and others on their way: those of the largest table, where {@link holdRows} keeps them.
 *
 * @returns the process id of the session that writes them
 */
async function inRows(scene: Scene): Promise<number> {
  await said(scene.run, /"event":"table","table":"public\.tag"/)
  await until(() => s3.requests.some(({ key }) => key === objectOf('contact')), 'no rows')
  return sessionWith(scene, 'COPY%contact%')
}

/** @returns the process id of the session that builds an index, where that is slow */
async function inConstraints(scene: Scene): Promise<number> {
  await began('constraints')(scene)
  return sessionWith(scene, '%INDEX tag_slow%')
}

/** @returns the process id of the session that takes statistics, where that is slow */
async function inChecks(scene: Scene): Promise<number> {
  await began('checks')(scene)
  return sessionWith(scene, 'ANALYZE%tag%')
}

const began = (phase: string) => (scene: Scene) =>
  said(scene.run, new RegExp(`"phase":"${phase}","state":"started"`))

async function sessionWith({ on, name }: Scene, sql: string): Promise<number> {
  let found: { pid: number } | undefined
  await until(async () => {
    ;[found] = await query<{ pid: number }>(
      on.url,
      `SELECT pid FROM pg_stat_activity
       WHERE datname LIKE '${name}\\_\\_building%' AND query ILIKE '${sql}' AND state = 'active'`,
    )
    return found !== undefined
  }, `no session with ${sql}`)
  return found!.pid
}

async function databasesLike(on: Server, name: string): Promise<string[]> {
  const rows = await query<{ name: string }>(
    on.url,
    `SELECT datname AS name FROM pg_database WHERE datname = '${name}' OR datname LIKE '${name}\\_\\_%' ORDER BY 1`,
  )
  return rows.map((row) => row.name)
}

/** The server is back, after what a killed session or a shutdown takes. */
async function recovered(on: Server): Promise<void> {
  await until(async () => {
    try {
      await query(on.url, 'SELECT 1')
      return true
    } catch {
      return false
    }
  }, 'no connections')
}

/**
 * Kills a session of the server, which then ends all others and recovers. That takes a moment, in which it still answers:
 * a witness tells when it has begun.
 */
async function crash(on: Server, pid: number): Promise<void> {
  const witness = new pg.Client(on.url)
  const ended = new Promise((resolve) => witness.once('end', resolve))
  witness.on('error', () => {})
  await witness.connect()
  process.kill(pid, 'SIGKILL')
  await ended
  await recovered(on)
}

interface Expected {
  code: number
  message: RegExp
  hint?: RegExp
  /** What stays: rows to go on with, or nothing. */
  leaves: 'unfinished' | 'nothing' | 'perhaps'
}

/** It failed as promised; what is on the target is what it says. */
async function expectFailed(
  scene: Scene,
  { code, message, hint, leaves }: Expected,
): Promise<WatchedResult> {
  const result = await scene.run.done
  const { stderr } = result
  expect(stderr).toMatch(message)
  if (hint) expect(stderr).toMatch(new RegExp(`^hint: .*${hint.source}`, 'm'))
  expect(result.code).toBe(code)
  expectPlain(result)
  await recovered(scene.on)
  await expectGone(scene, result)
  await expectInUse(scene)
  const left = (await databasesLike(scene.on, scene.name)).slice(1)
  const told = [...stderr.matchAll(/^left behind: the unfinished database (\S+) on (\S+); (.*)$/gm)]
  expect(told.map(([, name]) => name)).toEqual(left)
  if (leaves !== 'perhaps') expect(left).toHaveLength(leaves === 'unfinished' ? 1 : 0)
  if (left.length > 0) expect(stderr).toContain('the same command with --continue goes on')
  return result
}

/** One message, in words: no stack, nothing of rows, keys and credentials. */
function expectPlain({ stdout, stderr }: Pick<WatchedResult, 'stdout' | 'stderr'>): void {
  expect(stderr.match(/^pgveil: error: /gm)).toHaveLength(1)
  const all = stdout + stderr
  expect(all).not.toMatch(/^\s+at |DETAIL|CONTEXT|left open at the end/m)
  const [, secret = ''] = readFileSync(keys.verifier.privateKey, 'utf8').split('\n\n')
  for (const word of [
    CANARY,
    s3.secretAccessKey,
    stormy.store.secretAccessKey,
    secret.slice(0, 60),
  ])
    expect(all).not.toContain(word)
}

/** No process, no session and no file of the run is there any more, and the store is as it was. */
async function expectGone(
  { run, on, name, store }: Scene,
  result: Pick<WatchedResult, 'leftFiles'>,
): Promise<void> {
  expect(leftBy(result)).toEqual([])
  const alive = () => [...run.descendants].filter(isAlive)
  await until(() => alive().length === 0, `processes ${alive().join()}`)
  const open = `datname LIKE '${name}\\_\\_%' OR datname = 'postgres' AND application_name LIKE 'pgveil%'`
  await until(
    async () => (await query(on.url, `SELECT FROM pg_stat_activity WHERE ${open}`)).length === 0,
    'sessions on the target',
  )
  expectUntouched(store)
}

function expectUntouched(store: StandIn): void {
  expect(store.requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD')).toEqual([])
  expect(digestsOf(store)).toEqual(stored)
}

async function expectInUse({ on, name, oid }: Scene): Promise<void> {
  const rows = await query(on.url, `SELECT oid::int FROM pg_database WHERE datname = '${name}'`)
  expect(rows).toEqual([{ oid }])
  expect(await query(databaseUrl(on, name), 'TABLE in_use')).toEqual([])
}

/** The database in use was replaced by one that equals the source. */
async function expectReplaced({ on, name }: Pick<Scene, 'on' | 'name'>): Promise<void> {
  expect(await databasesLike(on, name)).toEqual([name])
  const url = databaseUrl(on, name)
  expect(await contentOf(url)).toEqual(content)
}

/** Rows, definitions and whether they hold, in short. */
async function contentOf(url: string): Promise<unknown> {
  const [row] = await query(
    url,
    `SELECT
       (SELECT md5(string_agg(c::text, ',' ORDER BY id)) FROM contact c) AS contact,
       (SELECT md5(string_agg(n::text, ',' ORDER BY id)) FROM note n) AS note,
       (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM tag t) AS tag,
       (SELECT md5(string_agg(n::text, ',' ORDER BY contact)) FROM notes n) AS notes,
       (SELECT md5(string_agg(loid || md5(data), ',' ORDER BY loid, pageno)) FROM pg_largeobject) AS large_objects,
       (SELECT last_value FROM note_id_seq) AS sequence,
       (SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace) AS schemas,
       (SELECT array_agg(format('%s %s', indexrelid::regclass, indisvalid) ORDER BY indexrelid::regclass::text)
        FROM pg_index WHERE indexrelid::regclass::text !~ '^pg_') AS indexes,
       (SELECT array_agg(format('%s %s', conname, convalidated) ORDER BY conname::text)
        FROM pg_constraint WHERE conrelid::regclass::text !~ '^pg_') AS constraints`,
  )
  return row
}

/** The same command again. */
function again(scene: Scene, ...args: string[]): Promise<JsonRun> {
  const { on, name, config: file, store } = scene
  const env = credentials(store)
  store.onRequest = () => undefined
  const more = ['--replace', name, '--jobs', '1', ...args]
  const opens = [keys.verifier]
  return runRestore({ config: file, env, target: databaseUrl(on, name), opens, args: more })
}

/** With --continue it goes on with what was left. */
async function expectGoesOn(scene: Scene): Promise<void> {
  const run = succeeded(await again(scene, '--continue'))
  expect(run.stdout).toMatch(/going on with \S+: [1-9]\d* objects are in/)
  await expectReplaced(scene)
}

/** In everything that can be compared, which takes as long as the restore. */
async function expectEqual({ on, name }: Scene): Promise<void> {
  expect(await differencesBetween(crm, databaseUrl(on, name))).toEqual([])
}

/** Without --continue it begins anew, and puts away what was left. */
async function expectBeginsAnew(scene: Scene): Promise<void> {
  const left = (await databasesLike(scene.on, scene.name)).slice(1)
  const run = succeeded(await again(scene))
  for (const name of left) expect(run.stdout).toContain(`dropped ${name}`)
  await expectReplaced(scene)
}

async function expectDone(scene: Scene): Promise<void> {
  const result = await scene.run.done
  expect(result.stderr).toBe('')
  expect(result.code).toBe(0)
  await expectGone(scene, result)
  await expectReplaced(scene)
}

describe('the store', () => {
  test('refuses an object in the middle of the rows', async () => {
    const scene = await beginRefused(DENIED)
    const key = objectOf('contact')
    const message = new RegExp(`error: cannot read s3://${BUCKET}/${key}: access denied\\n`)
    const hint = /look at what these credentials are allowed/
    await expectFailed(scene, { code: 13, message, hint, leaves: 'unfinished' })
  })

  test('refuses large objects when some are in', async () => {
    // They are read to their end before the first is made.
    const faults = [undefined, { truncateAfter: 1_500_000 }, ...Array<Fault>(9).fill(DENIED)]
    s3.onRequest = ({ key }) => (key.includes('/large-objects.') ? faults.shift() : undefined)
    const scene = await begin()
    const message = /error: cannot read s3:\/\/\S+\/large-objects\.\S+: access denied\n/
    await expectFailed(scene, { code: 13, message, leaves: 'unfinished' })
    const [, building = ''] = await databasesLike(target, scene.name)
    const [found] = await query<{ n: number }>(
      databaseUrl(target, building),
      'SELECT count(*)::int AS n FROM pg_largeobject_metadata',
    )
    expect(found!.n).toBeGreaterThan(0)
    await expectGoesOn(scene)
  })

  test.each<[string, (bytes: Buffer) => Buffer | undefined, RegExp]>([
    ['has lost an object', () => undefined, /\S+ is missing\n/],
    [
      'has a shorter one',
      (bytes) => bytes.subarray(0, 500_000),
      /\S+: has 500000 bytes instead of \d+\n/,
    ],
  ])('%s when it is fetched', async (_, change, problem) => {
    const { objects } = s3.buckets.get(BUCKET)!
    const key = objectOf('contact')
    const versions = objects.get(key)!
    const changed = change(s3.bytes(BUCKET, key)!)
    s3.onRequest = (asked) => {
      if (asked.key !== key) return undefined
      if (changed) s3.put(BUCKET, key, changed)
      else objects.delete(key)
      return undefined
    }
    const scene = await begin()
    await scene.run.done
    objects.set(key, versions)
    const message = new RegExp(`error: ${label}/tables/${problem.source}`)
    await expectFailed(scene, { code: 15, message, leaves: 'nothing' })
  })

  test('refuses what a restore begins with: nothing was made', async () => {
    fail(`${label}/post-data.sql.pgp`, DENIED)
    const scene = await begin()
    const message = /error: cannot read \S+post-data.sql.pgp: access denied\n/
    await expectFailed(scene, { code: 13, message, hint: /./, leaves: 'nothing' })
  })
})

test('what notes are kept in is there already: said without a stack', async () => {
  const taken = await createDatabase(source, 'taken')
  await execute(taken, 'CREATE SCHEMA pgveil_restore')
  const place = join(directory, 'taken')
  const file = await writeConfig(place, { keys, source: taken, store: join(place, 'store') })
  labelOf(await runBackup({ config: file }))
  const to = databaseUrl(target, 'taken')
  const result = await runRestore({ config: file, target: to, opens: [keys.verifier] })
  expect(result.stderr).toMatch(
    /error: cannot prepare notes in taken__building_\w+: schema .* already exists/,
  )
  expectPlain(result)
  expect(result.code).toBe(12)
  expect(await databasesLike(target, 'taken')).toEqual([])
})

describe('the target', () => {
  const LOST = /error: (cannot (write|create|connect to|analyze|refresh) .*|the connection .*)\n/

  test('ends the session that writes', async () => {
    holdRows()
    const scene = await begin({ jobs: 2 })
    const pid = await inRows(scene)
    await query(target.url, `SELECT pg_terminate_backend(${pid})`)
    const message = /error: cannot write public\.contact: terminating connection .*57P01/
    await expectFailed(scene, { code: 12, message, hint: /see its log/, leaves: 'unfinished' })
  })

  test('crashes in the middle of the rows', async () => {
    holdRows()
    const scene = await begin({ jobs: 2 })
    const pid = await inRows(scene)
    await crash(target, pid)
    await expectFailed(scene, { code: 12, message: LOST, leaves: 'unfinished' })
    await expectGoesOn(scene)
    await expectEqual(scene)
  })

  test('crashes while indexes are built', async () => {
    await slowDown('INDEX')
    const scene = await begin()
    const pid = await inConstraints(scene)
    await crash(target, pid)
    await slowDown(undefined)
    await expectFailed(scene, { code: 12, message: LOST, leaves: 'unfinished' })
    await expectGoesOn(scene)
    await expectEqual(scene)
  })

  test('ends the session that checks, when there are no notes to go on by', async () => {
    await slowDown('ANALYZE')
    const scene = await begin()
    const pid = await inChecks(scene)
    await query(target.url, `SELECT pg_terminate_backend(${pid})`)
    const message = /error: cannot analyze public\.tag: terminating connection .*57P01/
    await expectFailed(scene, { code: 12, message, hint: /see its log/, leaves: 'nothing' })
    await slowDown(undefined)
  })

  test.each([
    ['is killed in the middle of the rows', 'SIGKILL', inRows],
    ['is shut down at once while indexes are built', 'SIGQUIT', inConstraints],
  ] as const)('%s, and is gone', async (_, signal, moment) => {
    const on = await startPostgres()
    if (moment === inRows) holdRows()
    else await slowDown('INDEX', on)
    const scene = await begin({ on, jobs: 2 })
    await moment(scene)
    on.kill(signal)
    const result = await scene.run.done
    expectPlain(result)
    expect(result.stderr).toMatch(LOST)
    expect(result.stderr).toMatch(
      new RegExp(
        `^left behind: the unfinished database ${scene.name}__building_[0-9a-f]{16} on `,
        'm',
      ),
    )
    expect(result.code).toBe(12)
    expect(leftBy(result)).toEqual([])
    expectUntouched(s3)
  })

  test('ends the session that is idle until the hand-over: nobody notices', async () => {
    await slowDown('INDEX')
    const scene = await begin()
    await inConstraints(scene)
    await query(target.url, `SELECT pg_terminate_backend(${await maintaining()})`)
    await slowDown(undefined)
    await expectDone(scene)
  })

  test('ends that session, and another one works on what is built: it is left alone', async () => {
    await slowDown('INDEX')
    const scene = await begin()
    await inConstraints(scene)
    const [, building = ''] = await databasesLike(target, scene.name)
    const other = new pg.Client(target.url)
    await other.connect()
    try {
      await other.query(`SELECT pg_terminate_backend(${await maintaining()}, 10000)`)
      await other.query(`SELECT pg_advisory_lock(hashtextextended('pgveil ${building}', 0))`)
      await slowDown(undefined)
      const result = await scene.run.done
      expect(result.stderr).toContain(`error: another session holds ${building}\n`)
      expect(result.stderr).toMatch(
        /^left behind: the unfinished database \S+ on \S+; the next run drops it\nhint: has another/m,
      )
      expect(result.code).toBe(12)
      expectPlain(result)
      await expectInUse(scene)
      expect(await databasesLike(target, scene.name)).toEqual([scene.name, building])
    } finally {
      await other.end()
    }
    await expectBeginsAnew(scene)
  })

  /** The process id of the session that holds the lock. */
  async function maintaining(): Promise<number> {
    const [row] = await query<{ pid: number }>(
      target.url,
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'pgveil maintenance'`,
    )
    return row!.pid
  }

  const limiting = canMakeRoom ? test : test.skip
  limiting('has no room for the rows, then for an index, then for all', async () => {
    const on = await startLimited(directory, 2_000)
    const hint = /free space on the server/
    try {
      const scene = await begin({ on })
      const rows = /error: cannot write public\.contact: could not (extend|write) file .*\n/
      await expectFailed(scene, { code: 12, message: rows, hint, leaves: 'unfinished' })
      makeRoom(on, 5_000)
      const more = await again(scene, '--continue')
      expect(more.stderr).toMatch(
        /error: cannot create index .*contact_wide .*: could not (extend|write) .*\n/,
      )
      expect(more.stderr).toMatch(/^hint: free space on the server/m)
      expect(more.code).toBe(12)
      await expectInUse(scene)
      makeRoom(on, 100_000)
      await expectGoesOn(scene)
    } finally {
      await on.stop()
    }
  })
})

test('a process of the run is killed', async () => {
  holdRows()
  const scene = await begin({ jobs: 2 })
  await inRows(scene)
  for (const pid of scene.run.descendants) process.kill(pid, 'SIGKILL')
  const message = /error: a worker process ended by itself \(signal SIGKILL\)\n/
  await expectFailed(scene, { code: 1, message, hint: /fewer --jobs/, leaves: 'unfinished' })
  await expectGoesOn(scene)
})

describe('a signal', () => {
  test.each([
    ['while it is opened', 'SIGINT', 'nothing', began('open'), undefined],
    ['while the structure is made', 'SIGTERM', 'perhaps', began('structure'), undefined],
    ['while indexes are built', 'SIGINT', 'unfinished', inConstraints, expectGoesOn],
    ['in the checks', 'SIGTERM', 'nothing', inChecks, undefined],
  ] as const)('%s', async (_, signal, leaves, moment, follow) => {
    if (moment === inConstraints) await slowDown('INDEX')
    if (moment === inChecks) await slowDown('ANALYZE')
    const scene = await begin()
    await moment(scene)
    scene.run.child.kill(signal)
    const code = signal === 'SIGINT' ? 130 : 143
    const message = new RegExp(`error: stopped by ${signal}\\n`)
    await expectFailed(scene, { code, message, leaves })
    await slowDown(undefined)
    await follow?.(scene)
  })

  test('in the hand-over comes too late', async () => {
    const scene = await begin()
    await began('handover')(scene)
    scene.run.child.kill('SIGTERM')
    const { code } = await scene.run.done
    expect([0, 143]).toContain(code)
    await expectReplaced(scene)
  })
})

describe('SIGKILL', () => {
  test.each([
    ['while the structure is made', began('structure')],
    ['in the checks', inChecks],
    ['in the hand-over', began('handover')],
  ] as const)('%s: all or nothing, and the next run puts the rest away', async (_, moment) => {
    if (moment === inChecks) await slowDown('ANALYZE')
    const scene = await begin()
    await moment(scene)
    scene.run.child.kill('SIGKILL')
    const result = await scene.run.done
    await expectGone(scene, result)
    await slowDown(undefined)
    const there = await query(
      databaseUrl(target, scene.name),
      `SELECT to_regclass('in_use') AS old`,
    )
    if (there[0]?.['old']) await expectInUse(scene)
    else expect(await contentOf(databaseUrl(target, scene.name))).toEqual(content)
    succeeded(await again(scene, '--continue'))
    await expectReplaced(scene)
  })
})

describe('the store that is given time', () => {
  test('breaks off, hangs, resets and is overloaded for a while: nobody notices', async () => {
    await expectDone(shaky)
    expect(Object.values(passing).flat()).toEqual([])
  })

  test('stays overloaded for longer than a run waits', async () => {
    const message = /error: cannot read s3:\/\/\S+: the server says 503 SlowDown\n/
    const hint = /run again later/
    await expectFailed(stormy, { code: 13, message, hint, leaves: 'unfinished' })
    await expectGoesOn(stormy)
  })
})
