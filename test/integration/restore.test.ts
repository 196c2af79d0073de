import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import {
  eventOf,
  labelOf,
  makeKeys,
  runBackup,
  runList,
  runRestore,
  succeeded,
  warningsOf,
  writeConfig,
  type JsonLine,
  type JsonRun,
  type KeyFiles,
  type TrialKeys,
} from '../fixtures/backups.ts'
import {
  answersOf,
  BACKUP_VECTORS,
  copyVector,
  expectedOfVector,
  keysOfVector,
  labelsOfVector,
} from '../fixtures/backup-vectors.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { differencesBetween, remainders } from '../fixtures/round-trips.ts'
import { runPgveil, type RunOptions } from '../fixtures/run-pgveil.ts'
import { isAlive, startWatched } from '../fixtures/watched-run.ts'
import { GpgHome, gpgVersion } from './seal-gpg.ts'

/** What can be asked of a restore, what it refuses, and what it leaves when it ends too soon. */

const SETTINGS = { wal_level: 'logical' }

/** In a database whose name says so an index takes a while: there is time to end the run. */
const SHOP = [
  'CREATE ROLE keeper',
  'CREATE ROLE clerk LOGIN IN ROLE keeper',
  'CREATE SCHEMA sales',
  'CREATE TABLE customers (id integer PRIMARY KEY, name text, note text)',
  `INSERT INTO customers SELECT i, 'name ' || i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 20000) i`,
  'CREATE TABLE sales.orders (id serial PRIMARY KEY, customer integer NOT NULL REFERENCES customers)',
  'INSERT INTO sales.orders (customer) SELECT i FROM generate_series(1, 2000) i',
  'CREATE TABLE sales.items (number integer REFERENCES sales.orders, n integer, t text) PARTITION BY RANGE (number)',
  'CREATE TABLE sales.items_1 PARTITION OF sales.items FOR VALUES FROM (1) TO (1000)',
  'CREATE TABLE sales.items_2 PARTITION OF sales.items DEFAULT',
  'INSERT INTO sales.items SELECT 1 + i % 2000, i, md5(i::text) FROM generate_series(1, 10000) i',
  'CREATE INDEX ON sales.items (n)',
  `CREATE FUNCTION slowly(x integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
     BEGIN IF current_database() ~ '^slow_' THEN PERFORM pg_sleep(0.01); END IF; RETURN x; END $$`,
  'CREATE TABLE slow (x integer)',
  'INSERT INTO slow SELECT generate_series(1, 150)',
  'CREATE INDEX slow_index ON slow (slowly(x))',
  'CREATE MATERIALIZED VIEW totals AS SELECT customer, count(*) FROM sales.orders GROUP BY 1',
  'CREATE STATISTICS orders_statistics ON id, customer FROM sales.orders',
  'CREATE POLICY all_orders ON sales.orders TO clerk USING (true)',
  'ALTER TABLE sales.orders ENABLE ROW LEVEL SECURITY',
  `SELECT lo_from_bytea(501, 'one'), lo_from_bytea(502, 'two')`,
  'ALTER LARGE OBJECT 502 OWNER TO clerk',
  'ALTER TABLE customers OWNER TO keeper',
  'GRANT SELECT ON customers TO clerk',
  'CREATE PUBLICATION changes FOR TABLE customers',
  `CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1 password=never-shown' PUBLICATION p WITH (connect = false, slot_name = 'feed_slot')`,
  'CREATE TABLE seen (tag text)',
  `CREATE FUNCTION see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (tg_tag); END $$`,
  'CREATE EVENT TRIGGER see ON ddl_command_end EXECUTE FUNCTION see()',
  'CREATE EVENT TRIGGER see_drop ON sql_drop EXECUTE FUNCTION see()',
  `COMMENT ON DATABASE shop IS 'of the shop'`,
  'ALTER DATABASE shop SET default_transaction_read_only = on',
]

if (gpgVersion === undefined)
  process.stderr.write('\nSKIPPED: restores with the keys that gpg holds, without gpg\n\n')
const ABSENT = ['gpg', 'zstd', 'psql'].filter((program) => !isInstalled(program))
if (ABSENT.length > 0) {
  const absent = ABSENT.join(', ')
  process.stderr.write(`\nSKIPPED: restore.sh of earlier versions, without ${absent}\n\n`)
}

let directory: string
let keys: TrialKeys
let source: Server
let target: Server
let shop: string
let config: string
let label: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-restore-'))
  ;[source, target, keys] = await Promise.all([
    startPostgres({ settings: SETTINGS }),
    startPostgres({ settings: SETTINGS }),
    makeKeys(join(directory, 'keys'), { offline: 'öffne dich' }),
  ])
  shop = await createDatabase(source, 'shop')
  await execute(shop, ...SHOP)
  config = await writeConfig(directory, { keys, source: shop, store: join(directory, 'store') })
  label = labelOf(await runBackup({ config }))
})
afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop()])
  await rm(directory, { recursive: true })
})

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

interface Attempt extends RunOptions {
  on?: Server
  user?: string
  args?: readonly string[]
  /** Instead of the verifier's key, which opens everything by itself. */
  opens?: readonly KeyFiles[]
  config?: string
}

/** Restores into that database. */
async function restore(name: string, attempt: Attempt = {}): Promise<JsonRun> {
  const { on = target, user, opens = [keys.verifier], config: file = config, ...run } = attempt
  return runRestore({ config: file, target: targetUrl(on, name, user), opens, ...run })
}

function targetUrl(on: Server, name: string, user?: string): string {
  const url = new URL(databaseUrl(on, name))
  if (user !== undefined) url.username = user
  return url.href
}

/** Databases of the target that are named somewhat like this one. */
async function databasesLike(name: string, on = target): Promise<string[]> {
  const found = await query<{ name: string }>(
    on.url,
    `SELECT datname AS name FROM pg_database WHERE datname LIKE '${name}%' ORDER BY 1`,
  )
  return found.map((row) => row.name)
}

/** It is there, equal to the source, and nothing else. */
async function expectEqual(name: string, on = target): Promise<void> {
  const url = databaseUrl(on, name)
  expect(await differencesBetween(shop, url)).toEqual([])
  expect(await remainders(on, url)).toEqual([])
}

const count = async (name: string, table: string, on = target) => {
  const [row] = await query<{ n: number }>(
    databaseUrl(on, name),
    `SELECT count(*)::int AS n FROM ${table}`,
  )
  return row?.n
}

test('the report says what was compared', async () => {
  const run = succeeded(await restore('plain', { args: ['--label', label] }))
  const { report } = eventOf(run, 'restore') as { report: Record<string, unknown> }
  const compared = { rows: 32_150, 'large objects': 2, sequences: 1 }
  expect(report).toMatchObject({ label, rows: 32_150, warnings: [], compared })
  expect(run.stdout + run.stderr).not.toContain('never-shown')
  await expectEqual('plain')
})

describe('--only', () => {
  test('a table and a schema: the others are empty, what refers to them is NOT VALID', async () => {
    const run = succeeded(await restore('part', { args: ['--only', 'sales.*', '--only', 'slow'] }))
    expect(warningsOf(run)).toEqual(['foreign-key-not-valid'])
    expect(await count('part', 'sales.orders')).toBe(2000)
    expect(await count('part', 'sales.items')).toBe(10_000)
    expect(await count('part', 'slow')).toBe(150)
    expect(await count('part', 'customers')).toBe(0)
    expect(await count('part', 'pg_largeobject_metadata')).toBe(0)
    const keysNow = await query(
      databaseUrl(target, 'part'),
      `SELECT conrelid::regclass::text AS of, convalidated AS valid FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1`,
    )
    expect(keysNow).toEqual([
      { of: 'sales.items', valid: true },
      { of: 'sales.orders', valid: false },
    ])
    expect(await remainders(target, databaseUrl(target, 'part'))).toEqual([])
  })

  test('one partition', async () => {
    succeeded(await restore('partition', { args: ['--only', 'sales.items_2'] }))
    expect(await count('partition', 'sales.items_2')).toBeGreaterThan(4000)
    expect(await count('partition', 'sales.items_1')).toBe(0)
  })

  test('what is not there', async () => {
    const run = await restore('nothing', { args: ['--only', 'sales.oders'] })
    expect(run).toMatchObject({ code: 2 })
    expect(run.stderr).toContain(`sales.oders matches no table of ${label}`)
    const schema = await restore('nothing', { args: ['--only', 'sales'] })
    expect(schema).toMatchObject({ code: 2 })
    expect(schema.stderr).toContain(`sales matches no table of ${label}`)
    expect(schema.stderr).toContain('public.sales is meant; sales.* stands for a whole schema')
    expect(await databasesLike('nothing')).toEqual([])
  })
})

describe('a database that is there already', () => {
  const marked = async (name: string) =>
    (await query(databaseUrl(target, name), `SELECT FROM pg_class WHERE relname = 'mark'`)).length >
    0

  beforeAll(async () => {
    for (const name of ['there', 'kept']) {
      await execute(await createDatabase(target, name), 'CREATE TABLE mark ()')
    }
  })

  test('is refused', async () => {
    const run = await restore('there')
    expect(run.code).toBe(16)
    expect(run.stderr).toContain('the database there is there already')
    expect(run.stderr).toContain('hint: add --replace there')
    expect(await marked('there')).toBe(true)
    const other = await restore('there', { args: ['--replace', 'kept'] })
    expect(other.code).toBe(16)
  })

  test('is replaced by --replace', async () => {
    succeeded(await restore('there', { args: ['--replace', 'there'] }))
    expect(await databasesLike('there')).toEqual(['there'])
    await expectEqual('there')
  })

  test('with a subscription it is not replaced, since it could not be dropped', async () => {
    const run = await restore('there', { args: ['--replace', 'there'] })
    expect(run.code).toBe(16)
    expect(run.stderr).toContain('the database there has a subscription')
    expect(await databasesLike('there')).toEqual(['there'])
  })

  test('is kept by --keep-previous', async () => {
    const args = ['--replace', 'kept', '--keep-previous']
    const run = succeeded(await restore('kept', { args }))
    expect(eventOf(run, 'restore')).toMatchObject({ report: { previous: 'kept__previous' } })
    expect(await databasesLike('kept')).toEqual(['kept', 'kept__previous'])
    expect(await marked('kept__previous')).toBe(true)
    await expectEqual('kept')
    // A second time the restored one would be kept, the kept one dropped, and so on.
    const again = succeeded(await restore('kept', { args: [...args, '--only', 'slow'] }))
    expect(again.code).toBe(0)
    expect(await marked('kept__previous')).toBe(false)
    const third = await restore('kept', { args })
    expect(third.code).toBe(16)
    expect(third.stderr).toContain('the database kept__previous has a subscription')
  })
})

describe('targets', () => {
  test('of the list production', async () => {
    for (const entry of [`127.0.0.1:${target.port}`, `127.0.0.1:${target.port}/live`]) {
      const place = join(directory, 'production')
      const rest = { production: [entry] }
      const store = join(directory, 'store')
      const file = await writeConfig(place, { keys, source: shop, store, rest })
      const run = await restore('live', { config: file })
      expect(run.code).toBe(16)
      expect(run.stderr).toContain('is a production server by configuration')
    }
    expect(await databasesLike('live')).toEqual([])
  })

  test('of an older major version', async () => {
    const older = await startPostgres({ major: 17 })
    try {
      const run = await restore('shop', { on: older })
      expect(run.code).toBe(16)
      expect(run.stderr).toMatch(/is of PostgreSQL 18\S*, the target runs 17/)
      expect(await databasesLike('shop', older)).toEqual([])
    } finally {
      await older.stop()
    }
  })

  test('without an extension', async () => {
    const place = join(directory, 'extended')
    const extended = await createDatabase(source, 'extended')
    await execute(extended, 'CREATE EXTENSION hstore', `CREATE TABLE t AS SELECT 'a=>1'::hstore h`)
    const store = join(place, 'store')
    const file = await writeConfig(place, { keys, source: extended, store })
    labelOf(await runBackup({ config: file }))
    const elsewhere = await startPostgres({ settings: { extension_control_path: '/nowhere' } })
    try {
      const run = await restore('extended', { config: file, on: elsewhere })
      expect(run.code).toBe(12)
      expect(run.stderr).toMatch(/lacks the extensions? .*hstore/)
      expect(await databasesLike('extended', elsewhere)).toEqual([])
    } finally {
      await elsewhere.stop()
    }
  })

  test('without its roles, as an ordinary user: what is not permitted is left out and said', async () => {
    const elsewhere = await startPostgres({ settings: SETTINGS })
    try {
      await execute(elsewhere.url, 'CREATE ROLE builder LOGIN CREATEDB')
      const run = succeeded(await restore('mine', { on: elsewhere, user: 'builder' }))
      const codes = new Set(warningsOf(run))
      for (const code of [
        'role-missing',
        'policy-left-out',
        'restore-left-out',
        'structure-left-out',
      ]) {
        expect(codes).toContain(code)
      }
      expect(run.stderr + run.stdout).not.toContain('never-shown')
      for (const table of ['customers', 'sales.orders', 'sales.items', 'totals']) {
        expect(await count('mine', table, elsewhere)).toBe(await count('shop', table, source))
      }
      const [owner] = await query(
        databaseUrl(elsewhere, 'mine'),
        `SELECT pg_get_userbyid(relowner) AS name FROM pg_class WHERE relname = 'customers'`,
      )
      expect(owner).toEqual({ name: 'builder' })
      expect(await remainders(elsewhere, databaseUrl(elsewhere, 'mine'))).toEqual([])
    } finally {
      await elsewhere.stop()
    }
  })

  test('a materialized view that cannot be filled is empty, and all else is there', async () => {
    const place = join(directory, 'views')
    const views = await createDatabase(source, 'views')
    await execute(
      views,
      'CREATE TABLE t AS SELECT generate_series(1, 3) AS x',
      'CREATE MATERIALIZED VIEW filled AS SELECT x FROM t',
      'CREATE MATERIALIZED VIEW closed AS SELECT x FROM t',
      'CREATE MATERIALIZED VIEW on_closed AS SELECT x FROM closed',
      // To fill it moves a sequence on, which has to stand where it stood.
      'CREATE SEQUENCE numbers',
      `CREATE MATERIALIZED VIEW numbered AS SELECT nextval('numbers') AS number, x FROM t`,
      'CREATE ROLE poor',
      'ALTER MATERIALIZED VIEW closed OWNER TO poor',
    )
    const store = join(place, 'store')
    const file = await writeConfig(place, { keys, source: views, store })
    labelOf(await runBackup({ config: file }))
    const run = succeeded(await restore('views', { config: file }))
    expect(warningsOf(run)).toEqual(['view-not-filled', 'view-not-filled'])
    expect(await count('views', 'filled')).toBe(3)
    expect(await count('views', 'numbered')).toBe(3)
    expect(await count('views', 't')).toBe(3)
    const [numbers] = await query(databaseUrl(target, 'views'), 'SELECT last_value FROM numbers')
    expect(numbers).toEqual({ last_value: '3' })
  })
})

describe('runs that end too soon', () => {
  let slowConfig: string

  beforeAll(async () => {
    // So slow that there is time to end it between two objects.
    const store = { directory: join(directory, 'store'), bandwidth: '700 kB/s' }
    slowConfig = await writeConfig(join(directory, 'slow'), { keys, source: shop, store })
  })

  type Moment = (line: Record<string, unknown>) => boolean
  const inRows: Moment = ({ event, rows }) => event === 'table' && rows !== 0
  const inConstraints: Moment = ({ event, phase, state }) =>
    event === 'phase' && phase === 'constraints' && state === 'started'

  /** Ends a restore at that moment. */
  async function interrupt(name: string, moment: Moment, signal: NodeJS.Signals, user?: string) {
    const args = ['restore', '--config', slowConfig, '--json', '--jobs', '1', '--key']
    const goal = ['--target', targetUrl(target, name, user)]
    const run = startWatched([...args, keys.verifier.privateKey, ...goal], directory)
    let rest = ''
    let isOver = false
    run.child.stdout?.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      const isNow = lines.some((line) => moment(JSON.parse(line) as Record<string, unknown>))
      // A second signal would end it at once.
      if (isNow && !isOver) run.child.kill(signal)
      isOver ||= isNow
    })
    const result = await run.done
    expect(isOver).toBe(true)
    const [building, ...others] = await databasesLike(`${name}\\_\\_building`)
    expect(others).toEqual([])
    return { ...result, building }
  }

  test.each([
    ['rows', inRows],
    ['constraints', inConstraints],
  ])('--continue after SIGKILL in the middle of %s', async (what, moment) => {
    const name = `slow_${what}`
    const { building = '' } = await interrupt(name, moment, 'SIGKILL')
    const loaded = await count(building, 'pgveil_restore.loaded')
    expect(loaded).toBeGreaterThan(0)
    // Another backup, another target: not theirs to go on with, nor to drop.
    succeeded(await restore(`by_${what}`, { args: ['--only', 'slow', '--continue'] }))
    expect(await databasesLike(name)).toEqual([building])
    const run = succeeded(await restore(name, { args: ['--continue'] }))
    expect(run.stdout).toContain(`going on with ${building}: ${loaded} objects are in`)
    expect(warningsOf(run)).toEqual([])
    expect(eventOf(run, 'restore')).toMatchObject({ report: { rows: 32_150 } })
    expect(await databasesLike(name)).toEqual([name])
    await expectEqual(name)
  })

  test('--continue tells again what the first run has left out', async () => {
    // Roles are there, as after the restores before, and may not be given anything by an ordinary user.
    await execute(
      target.url,
      'CREATE ROLE builder LOGIN CREATEDB',
      `DO $$ BEGIN CREATE ROLE keeper; CREATE ROLE clerk LOGIN IN ROLE keeper;
       EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    )
    const told = (run: JsonRun) => {
      const { report } = eventOf(succeeded(run), 'restore') as { report: { warnings: JsonLine[] } }
      const lines = report.warnings.map(
        ({ code, message }) => `${String(code)}: ${String(message)}`,
      )
      return lines.map((line) => line.replaceAll(/\w+__building_\w+/g, 'building')).toSorted()
    }
    const whole = told(await restore('built', { user: 'builder' }))
    // Of the structure, of large objects, of what is made last.
    for (const begin of ['owner-left-out', 'restore-left-out: 1 large objects', 'structure-left-'])
      expect(whole.filter((line) => line.startsWith(begin))).not.toEqual([])
    await interrupt('slow_built', inConstraints, 'SIGKILL', 'builder')
    const run = await restore('slow_built', { user: 'builder', args: ['--continue'] })
    expect(run.stdout).toContain('going on with')
    expect(told(run)).toEqual(whole)
  })

  test('--continue with other tables begins anew: triggers may be there already', async () => {
    const { building = '' } = await interrupt('other', inRows, 'SIGKILL')
    const args = ['--continue', '--only', 'sales.orders']
    const run = succeeded(await restore('other', { args }))
    expect(run.stdout).toContain(`${building} cannot be gone on with`)
    expect(await count('other', 'customers')).toBe(0)
    expect(await databasesLike('other')).toEqual(['other'])
  })

  test('--continue ends what the killed run has left at work', async () => {
    const { building = '' } = await interrupt('orphan', inRows, 'SIGKILL')
    const orphan = new pg.Client({
      connectionString: databaseUrl(target, building),
      application_name: 'pgveil restore',
    })
    // Told twice: by the server, and by the connection that breaks.
    const ended = new Promise((resolve) => orphan.on('error', resolve))
    await orphan.connect()
    await orphan.query(
      'BEGIN; LOCK TABLE sales.orders; SELECT lo_unlink(oid) FROM pg_largeobject_metadata',
    )
    succeeded(await restore('orphan', { args: ['--continue'] }))
    await ended
    await expectEqual('orphan')
  })

  test('--continue where large objects are in by half', async () => {
    const { building = '' } = await interrupt('halved', inRows, 'SIGKILL')
    await execute(databaseUrl(target, building), `SELECT lo_from_bytea(501, 'on'), lo_create(9)`)
    succeeded(await restore('halved', { args: ['--continue'] }))
    await expectEqual('halved')
  })

  test('--continue where only the name was missing begins anew', async () => {
    const { building = '' } = await interrupt('slow_late', inConstraints, 'SIGKILL')
    await execute(
      databaseUrl(target, building),
      'DROP SCHEMA pgveil_restore CASCADE',
      `ALTER DATABASE "${building}" SET default_transaction_read_only = on`,
    )
    const run = succeeded(await restore('slow_late', { args: ['--continue'] }))
    expect(run.stdout).toContain('the restore begins at the beginning')
    expect(await databasesLike('slow_late')).toEqual(['slow_late'])
    await expectEqual('slow_late')
  })

  test('--continue with nothing to go on with', async () => {
    const run = succeeded(await restore('fresh', { args: ['--continue', '--only', 'slow'] }))
    expect(run.stdout).toContain('there is nothing to go on with')
  })

  test('begun again it drops what was left, with its subscription', async () => {
    const { building = '' } = await interrupt('slow_anew', inConstraints, 'SIGKILL')
    await execute(
      databaseUrl(target, building),
      `CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = 'feed_slot')`,
      `ALTER DATABASE "${building}" SET default_transaction_read_only = on`,
    )
    const run = succeeded(await restore('slow_anew'))
    expect(run.stdout).toContain(`dropped ${building}`)
    expect(await databasesLike('slow_anew')).toEqual(['slow_anew'])
    await expectEqual('slow_anew')
  })

  test('a failure when the subscription is there already leaves nothing', async () => {
    const args = ['restore', '--config', config, '--json', '--key', keys.verifier.privateKey]
    const url = databaseUrl(target, 'slow_taken')
    const run = startWatched([...args, '--target', url], directory)
    let made: Promise<unknown> | undefined
    run.child.stdout?.on('data', (text: string) => {
      if (text.includes('"constraints"')) made ??= createDatabase(target, 'slow_taken')
    })
    const { code, stderr } = await run.done
    await made
    expect(stderr).toContain('the database slow_taken is there already')
    expect(code).toBe(16)
    expect(await databasesLike('slow_taken')).toEqual(['slow_taken'])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s: says what is left and how to go on', async (signal, code) => {
    const name = `told_${code}`
    const run = await interrupt(name, inRows, signal)
    expect(run.code).toBe(code)
    expect(run.stderr).toContain(`left behind: the unfinished database ${run.building}`)
    expect(run.stderr).toContain('--continue goes on with it')
    // What it keeps a record of lies in .local.
    expect(run.leftFiles.filter((name) => name !== '.local')).toEqual([])
    succeeded(await restore(name, { args: ['--continue'] }))
    await expectEqual(name)
  })

  test('before anything is made nothing is left', async () => {
    const preflight: Moment = ({ event, phase }) => event === 'phase' && phase === 'preflight'
    const run = await interrupt('early', preflight, 'SIGTERM')
    expect(run.code).toBe(143)
    expect(run.building).toBeUndefined()
    expect(run.stderr).not.toContain('left behind')
  })
})

/** In the place of gpg: as if its pinentry waited for somebody. */
const WAITING = `#!/bin/sh
echo $$ >"$HOME/gpg.pid"
exec sleep 20
`

describe('keys', () => {
  let restored = 0
  /** Rows of one table: the keys are what matters. */
  const open = (attempt: Attempt) => {
    const only = ['--only', 'sales.orders', ...(attempt.args ?? [])]
    return restore(`opened_${++restored}`, { ...attempt, args: only })
  }
  const passphrase = 'öffne dich'
  const byDescriptor = { args: ['--passphrase-fd', '0'], input: `${passphrase}\n` }

  test('both private keys, one of them locked', async () => {
    const opens = [keys.operations, keys.offline]
    expect(await open({ opens, ...byDescriptor })).toMatchObject({ code: 0 })
    expect(await open({ opens: opens.toReversed(), ...byDescriptor })).toMatchObject({ code: 0 })
  })

  test.each([
    ['wrong', 'sesam\n'],
    ['empty', '\n'],
    ['missing', ''],
  ])('a passphrase that is %s', async (_, input) => {
    const opens = [keys.operations, keys.offline]
    const run = await open({ opens, args: ['--passphrase-fd', '0'], input })
    expect(run.code).toBe(14)
    expect(run.stderr).toContain(keys.offline.fingerprint)
    expect(run.stderr + run.stdout).not.toContain('sesam')
    expect(await databasesLike(`opened_${restored}`)).toEqual([])
  })

  test('one key alone opens nothing', async () => {
    const run = await open({ opens: [keys.operations] })
    expect(run.code).toBe(14)
    expect(run.stderr).toContain(`${label} stays closed: the half of offline is missing`)
    expect(run.stderr).toContain(`hint: pgveil unlock request --label ${label}`)
    const other = await open({ opens: [keys.offline], ...byDescriptor })
    expect(other.code).toBe(14)
    expect(other.stderr).toContain('the half of operations is missing')
    expect(await open({ opens: [keys.signer] })).toMatchObject({ code: 14 })
  })

  test('one key and the half that a custodian has sent', async () => {
    const envelope = join(directory, 'offline.request')
    const half = join(directory, 'offline.half')
    const args = ['--config', config, '--side', 'offline', '--output', envelope]
    expect(await runPgveil(['unlock', 'request', ...args])).toMatchObject({ code: 0 })
    const answer = ['--envelope', envelope, '--key', keys.offline.privateKey, '--output', half]
    expect(
      await runPgveil(['unlock', 'answer', ...answer, '--passphrase-fd', '0'], {
        input: `${passphrase}\n`,
      }),
    ).toMatchObject({ code: 0 })
    const opens = [keys.operations]
    expect(await open({ opens, args: ['--half', `offline=${half}`] })).toMatchObject({ code: 0 })
    const text = (await readFile(half, 'utf8')).trim()
    const wrong = await open({ opens: [], args: ['--half', `operations=${half}`] })
    expect(wrong.code).toBe(14)
    expect(wrong.stdout + wrong.stderr).not.toContain(text)
  })

  test('the verifier alone', async () => {
    expect(await open({ opens: [keys.verifier] })).toMatchObject({ code: 0 })
  })

  const withGpg = gpgVersion === undefined ? test.skip : test
  withGpg('gpg and its agent', async () => {
    const home = new GpgHome()
    try {
      home.run(['--import'], await readFile(keys.operations.privateKey))
      const env = { GNUPGHOME: home.path }
      const alone = await open({ opens: [], env })
      expect(alone.code).toBe(14)
      expect(alone.stderr).toContain('the half of offline is missing')
      const loopback = ['--pinentry-mode', 'loopback', '--passphrase', passphrase]
      home.run([...loopback, '--import'], await readFile(keys.offline.privateKey))
      home.setPinentry(home.pinentry(`D ${passphrase}\\nOK`))
      expect(await open({ opens: [], env })).toMatchObject({ code: 0 })
    } finally {
      home.remove()
    }
  })

  test.each(['restore', 'unlock answer', 'keys drill', 'keys rewrap'])(
    'SIGTERM while gpg waits for somebody: %s',
    async (command) => {
      const tools = join(directory, 'tools')
      await mkdir(tools, { recursive: true })
      await writeFile(join(tools, 'gpg'), WAITING, { mode: 0o755 })
      const envelope = join(directory, 'store', label, 'envelopes', 'offline.asc')
      const goal = ['--target', databaseUrl(target, 'waiting')]
      // Only for other keys is an envelope opened to be written anew.
      const successors = await makeKeys(join(directory, 'successors'))
      const renewed = await writeConfig(join(directory, 'renewed'), {
        keys: { ...keys, offline: successors.offline },
        source: shop,
        store: join(directory, 'store'),
      })
      const args: Record<string, string[]> = {
        restore: ['--config', config, '--label', label, ...goal],
        'unlock answer': ['--envelope', envelope],
        'keys drill': ['--config', config, '--label', label],
        'keys rewrap': ['--config', renewed, '--label', label, '--side', 'offline'],
      }
      const env = { PATH: `${tools}:${process.env['PATH']}` }
      const argv = [...command.split(' '), ...(args[command] ?? []), '--gpg']
      const run = startWatched(argv, directory, env)
      const pidFile = join(run.directory, 'gpg.pid')
      let pid = 0
      while (pid === 0) {
        if (run.child.exitCode !== null) throw new Error((await run.done).stderr)
        await sleep(50)
        pid = Number(await readFile(pidFile, 'utf8').catch(() => 0))
      }
      expect(isAlive(pid)).toBe(true)
      const asked = performance.now()
      run.child.kill('SIGTERM')
      const { code, stderr } = await run.done
      expect(performance.now() - asked).toBeLessThan(5000)
      expect(stderr).toContain('stopped by SIGTERM')
      expect(code).toBe(143)
      expect(isAlive(pid)).toBe(false)
    },
  )

  test('a signer that nobody believes', async () => {
    const strangers = await makeKeys(join(directory, 'strangers'))
    const place = join(directory, 'believing')
    const store = join(directory, 'store')
    const file = await writeConfig(place, { keys: strangers, source: shop, store })
    await copyFile(keys.operations.publicKey, join(place, 'operations.asc'))
    const run = await open({ config: file })
    expect(run.code).toBe(15)
  })
})

describe.each(BACKUP_VECTORS)('backups of an earlier version: %s', (vector) => {
  const expected = expectedOfVector(vector)
  const labels = labelsOfVector(vector)
  const place = () => join(directory, vector)
  let vectorKeys: TrialKeys
  let file: string

  beforeAll(async () => {
    vectorKeys = await keysOfVector(vector)
    const store = join(place(), 'store')
    copyVector(vector, store)
    file = await writeConfig(place(), { keys: vectorKeys, source: shop, store, name: 'vector' })
  })

  test('are listed as a chain, each object of which is what was signed', async () => {
    const list = succeeded(await runList({ config: file, args: ['--deep'] }))
    const { backups } = eventOf(list, 'backups') as { backups: { sequence: number }[] }
    expect(backups.toSorted((a, b) => a.sequence - b.sequence)).toMatchObject(
      labels.map((each, i) => ({ label: each, sequence: i + 1, problems: [] })),
    )
  })

  test.each(labels)('%s opens with both keys, and becomes what was backed up', async (each) => {
    const name = `${vector}_${each}`
    const opens = [vectorKeys.operations, vectorKeys.offline]
    const run = await restore(name, { config: file, opens, args: ['--label', each] })
    expect(warningsOf(succeeded(run))).toEqual([])
    expect(await answersOf(databaseUrl(target, name), expected)).toEqual(expected)
  })

  const byHand = ABSENT.length === 0 ? test : test.skip
  byHand('the latest is restored by its own restore.sh', async () => {
    const home = new GpgHome()
    try {
      for (const { privateKey } of [vectorKeys.operations, vectorKeys.offline])
        home.run(['--import'], await readFile(privateKey))
      const name = `${vector}_by_hand`
      const script = join(place(), 'store', labels.at(-1) ?? '', 'restore.sh')
      const args = ['--signer', vectorKeys.signer.publicKey, '--database', name]
      const { status, stderr } = spawnSync('sh', [script, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: process.env['PATH'],
          HOME: home.path,
          GNUPGHOME: home.path,
          PGHOST: '127.0.0.1',
          PGPORT: String(target.port),
          PGUSER: 'postgres',
        },
      })
      if (status !== 0) throw new Error(stderr)
      expect(await answersOf(databaseUrl(target, name), expected)).toEqual(expected)
    } finally {
      home.remove()
    }
  })
})
