import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { keepEverything } from '../fixtures/keep-everything.ts'
import { runCopy, type RunOptions } from '../fixtures/run-pgveil.ts'

/** Equal copies from sources that are peculiar in one way each. */

let directory: string
let server: Server
let target: Server

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-extensions-'))
  await chmod(directory, 0o755)
  await writeExtension(directory)
  const settings = { extension_control_path: `${directory}:$system` }
  ;[server, target] = await Promise.all([startPostgres({ settings }), startPostgres({ settings })])
  await execute(target.url, 'CREATE ROLE crm_app')
})
afterAll(async () => {
  await Promise.all([server?.stop(), target?.stop()])
  await rm(directory, { recursive: true })
})

interface Trial extends RunOptions {
  args?: string[]
  rules?: string
  /** Whose rows are compared, where it is not the source. */
  like?: string
}

let copies = 0

/** Copies into a database of its own. */
async function copyOf(source: string, { rules, args = [], ...options }: Trial = {}) {
  const copy = databaseUrl(target, `copy_${++copies}`)
  const run = await runCopy({
    source,
    target: copy,
    rules: rules ?? (await keepEverything(options.like ?? source)),
    args: ['--jobs', '2', ...args],
    ...options,
  })
  return { ...run, copy }
}

async function differences(source: string, trial: Trial = {}): Promise<string[]> {
  const { code, stderr, copy } = await copyOf(source, trial)
  if (code !== 0) throw new Error(stderr)
  return compareDatabases(trial.like ?? source, copy)
}

describe('a hot standby', () => {
  let standby: Server
  let crm: string

  beforeAll(async () => {
    crm = await createDatabase(server, 'crm')
    await fillSampleCrm(crm, { scale: 0.2 })
    await execute(crm, 'CREATE UNLOGGED TABLE scratch (id serial, t text)')
    standby = await startPostgres({ standbyOf: server })
  })
  afterAll(() => standby?.stop())

  const keepLogged = async () =>
    (await keepEverything(crm)).replace(
      /("\\"public\\"\.\\"(sessions|scratch)\\""): keep/g,
      '$1: omit',
    )

  test('has no rows of unlogged tables', async () => {
    const { code, stderr } = await copyOf(databaseUrl(standby, 'crm'), { like: crm })
    expect(code).toBe(11)
    expect(stderr).toContain(
      'a standby has no rows of unlogged tables: public.scratch, public.sessions',
    )
    expect(stderr).toContain('hint: omit them in the rule file, or name the primary as the source')
  })

  test('gives all others', async () => {
    const rules = await keepLogged()
    const found = await differences(databaseUrl(standby, 'crm'), { rules, like: crm })
    expect(found.filter((line) => !/rows of public\."?(sessions|scratch)/.test(line))).toEqual([])
  })
})

describe('encodings', () => {
  const TEXTS = `
    CREATE TABLE texts (id integer PRIMARY KEY, t text, v varchar(20), j jsonb, a text[]);
    COMMENT ON TABLE texts IS 'ékezet'`

  test.each(['relay', 'idle', 'same'] as const)('LATIN2, %s', async (way) => {
    const form = `ENCODING 'LATIN2' LOCALE 'C' TEMPLATE template0`
    const source = await createDatabase(server, `latin2 ${way}`, form)
    await execute(
      source,
      TEXTS,
      `INSERT INTO texts SELECT i, U&'\\0151\\0170\\00e1 ' || i, 'Łódź \\' || i, '{"é": "ő"}', ARRAY['ű', '"', NULL]
       FROM generate_series(1, 1000) i`,
      `INSERT INTO texts (id, t) SELECT -1, convert_from(string_agg(set_byte('\\x00', 0, i), ''), 'LATIN2')
       FROM generate_series(1, 255) i`,
    )
    expect(await differences(source, { rules: await keepEverything(source, way) })).toEqual([])
  })

  test.each(['relay', 'idle as text'] as const)('SQL_ASCII, %s', async (way) => {
    const form = `ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`
    const source = await createDatabase(server, `ascii ${way}`, form)
    await execute(
      source,
      TEXTS,
      // bytes that are text in no encoding
      `INSERT INTO texts SELECT i, t, t, to_jsonb(i), ARRAY[t] FROM (
         SELECT i, convert_from(set_byte('\\x2020', 0, i), 'SQL_ASCII') AS t FROM generate_series(1, 255) i) x`,
    )
    expect(await differences(source, { rules: await keepEverything(source, way) })).toEqual([])
  })
})

describe('a password', () => {
  const password = 'a b\'c"\\d:e@f/g%h?é'
  let guarded: Server
  let bare: string

  beforeAll(async () => {
    guarded = await startPostgres({ password })
    const source = await createDatabase(guarded, 'Odd "name" %')
    await execute(source, 'CREATE TABLE t (id integer)', 'INSERT INTO t VALUES (1), (2)')
    const url = new URL(source)
    url.password = ''
    bare = url.href
  })
  afterAll(() => guarded?.stop())

  test('in the URL', async () => {
    expect(await differences(databaseUrl(guarded, 'Odd "name" %'))).toEqual([])
  })

  test('in PGPASSWORD alone', async () => {
    const like = databaseUrl(guarded, 'Odd "name" %')
    expect(await differences(bare, { like, env: { PGPASSWORD: password } })).toEqual([])
  })

  test.each([
    ['wrong', { PGPASSWORD: 'wrong' }, 'wrong password or unknown user'],
    ['missing', {}, 'the server asks for a password'],
  ])('%s', async (_, env, message) => {
    const { code, stderr } = await copyOf(bare, { env, rules: 'version: 1\ntables: {t: keep}' })
    expect(code).toBe(11)
    expect(stderr).toContain(message)
    expect(stderr).toContain('PGPASSWORD and ~/.pgpass are read too')
  })
})

describe('users without any other rights', () => {
  const as = (url: string, user: string) => url.replace('postgres@', `${user}@`)
  const LARGE_OBJECTS = 'version: 1\nlarge_objects: keep\ntables: {t: keep}'

  test('pg_read_all_data reads, CREATEDB builds', async () => {
    const source = await createDatabase(server, 'rights')
    await execute(
      source,
      'CREATE ROLE reader LOGIN IN ROLE pg_read_all_data',
      'CREATE ROLE object_owner',
      'CREATE TABLE t (id serial PRIMARY KEY, x text)',
      "INSERT INTO t (x) VALUES ('a'), ('b')",
      "SELECT lo_from_bytea(91, 'granted'), lo_from_bytea(92, 'public'), lo_from_bytea(93, 'owned')",
      'GRANT SELECT ON LARGE OBJECT 91 TO reader',
      'GRANT SELECT ON LARGE OBJECT 92 TO public',
    )
    await execute(target.url, 'CREATE ROLE builder LOGIN CREATEDB')
    const run = { source: as(source, 'reader'), rules: LARGE_OBJECTS }
    const builder = { target: as(databaseUrl(target, 'built'), 'builder'), ...run }
    const refused = await runCopy(builder)
    expect(refused.code).toBe(11)
    expect(refused.stderr).toContain('this user may not read 1 large objects in rights')

    await execute(
      source,
      'ALTER LARGE OBJECT 93 OWNER TO object_owner',
      'GRANT object_owner TO reader',
    )
    expect(await runCopy(builder)).toMatchObject({ code: 0 })
    expect(await compareDatabases(source, databaseUrl(target, 'built'))).toEqual([])
  })
})

test('settings of the database that would change what sessions read and print', async () => {
  const source = await createDatabase(server, 'settings')
  await execute(
    source,
    `CREATE TABLE t (id integer PRIMARY KEY, x text DEFAULT 'a\\b', f float8, b bytea DEFAULT 'x', i interval, d date, j xml, n int[],
       CHECK (x <> 'y\\'))`,
    `INSERT INTO t VALUES (1, 'a\\b', 0.1 + 0.2::float8, '\\xff00', '1 mon -2 days 03:04:05.6', '2026-04-03', '<a/> text', '{NULL}')`,
    `CREATE VIEW v AS SELECT x || '\\' AS y, interval '1 day' AS i FROM t`,
    `COMMENT ON TABLE t IS 'back\\slash ''quote'''`,
    `CREATE POLICY p ON t USING (x <> 'p\\')`,
    ...Object.entries({
      standard_conforming_strings: 'off',
      datestyle: 'German, DMY',
      intervalstyle: 'sql_standard',
      bytea_output: 'escape',
      extra_float_digits: '-10',
      timezone: 'Asia/Kolkata',
      search_path: 'nowhere',
      default_transaction_read_only: 'on',
      default_transaction_isolation: 'serializable',
      xmloption: 'document',
      array_nulls: 'off',
      quote_all_identifiers: 'on',
      client_encoding: 'LATIN1',
      client_min_messages: 'debug1',
      lock_timeout: '100ms',
      statement_timeout: '500ms',
      transaction_timeout: '500ms',
      idle_in_transaction_session_timeout: '300ms',
    }).map(([name, value]) => `ALTER DATABASE settings SET ${name} = '${value}'`),
  )
  expect(await differences(source)).toEqual([])
  expect(await differences(source, { rules: await keepEverything(source, 'same') })).toEqual([])
})

test.each([
  ['ICU', `LOCALE_PROVIDER icu ICU_LOCALE 'hu' ICU_RULES '&V << w'`],
  ['built-in', `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'`],
])('a locale of the provider %s', async (provider, form) => {
  const source = await createDatabase(server, `locale ${provider}`, `TEMPLATE template0 ${form}`)
  await execute(
    source,
    'CREATE TABLE t (x text PRIMARY KEY)',
    `INSERT INTO t VALUES ('a'), ('B'), ('ő'), ('Z'), ('w')`,
    `CREATE MATERIALIZED VIEW sorted AS SELECT string_agg(x, ',' ORDER BY x) FROM t`,
  )
  expect(await differences(source)).toEqual([])
})

describe('sizes', () => {
  /** Rows by count and digests that do not take the values through text. */
  const ROWS = `SELECT count(*) AS rows, min(name) AS name, sum(length(b)) AS bytes, md5(string_agg(md5(b), '' ORDER BY id)) AS digest FROM t`
  const MASKED = `version: 1
tables:
  t: { id: keep, name: { mask: text.scramble, when: 'id = 0' }, b: keep%s }
`

  test.each([
    ['binary', 100, ''],
    ['text', 20, ', p: keep'],
  ])('a field of many MB beside a masked one, %s', async (codec, megabytes, more) => {
    const source = await createDatabase(server, `huge ${codec}`)
    await execute(
      source,
      'CREATE TYPE pair AS (a integer, b integer)',
      `CREATE TABLE t (id integer, name text, b bytea STORAGE EXTERNAL${more && ', p pair'})`,
      `INSERT INTO t VALUES (1, 'név', decode(repeat(md5('x') || '5c0a0900', ${(megabytes * 1_000_000) / 20}), 'hex')), (2, 'x', NULL)`,
    )
    const run = await copyOf(source, { rules: MASKED.replace('%s', more) })
    expect(run.code).toBe(0)
    expect(run.stderr).toContain(codec)
    expect(await query(run.copy, ROWS)).toEqual(await query(source, ROWS))
  })

  test('a table that is cut into ranges of pages', async () => {
    const source = await createDatabase(server, 'cut')
    await execute(
      source,
      'CREATE TABLE t (id integer, name text, b bytea STORAGE EXTERNAL)',
      `INSERT INTO t SELECT i, 'n' || i, decode(repeat(md5(i::text), CASE WHEN i % 10 = 0 THEN 500 ELSE 3 END), 'hex')
       FROM generate_series(1, 150000) i`,
      'DELETE FROM t WHERE id % 7 = 0',
    )
    const plan = await copyOf(source, {
      rules: MASKED.replace('%s', ''),
      args: ['--dry-run', '--json'],
    })
    expect(plan.stdout).toMatch(/"jobs":[2-9]/)
    const run = await copyOf(source, { rules: MASKED.replace('%s', '') })
    expect(run.code).toBe(0)
    expect(await query(run.copy, ROWS)).toEqual(await query(source, ROWS))
  })

  test('2,000 tables', async () => {
    const source = await createDatabase(server, 'many')
    await execute(
      source,
      `DO $$ BEGIN FOR i IN 1..2000 LOOP
         EXECUTE format('CREATE TABLE t%s (id integer PRIMARY KEY, t text)', i);
         EXECUTE format('INSERT INTO t%s VALUES (1, %L)', i, i);
       END LOOP; END $$`,
    )
    expect(await differences(source)).toEqual([])
  })
})

async function writeExtension(path: string): Promise<void> {
  const folder = join(path, 'extension')
  await mkdir(folder)
  await writeFile(
    join(folder, 'shipped.control'),
    "default_version = '1.0'\nschema = shipped\nrelocatable = false\n",
  )
  await writeFile(
    join(folder, 'shipped--1.0.sql'),
    `CREATE TABLE settings (name text PRIMARY KEY, value text, shipped boolean NOT NULL DEFAULT false);
     INSERT INTO settings VALUES ('a', 'shipped', true), ('b', 'shipped', true);
     CREATE TABLE notes (id serial PRIMARY KEY, t text);
     CREATE TABLE internal (x integer);
     INSERT INTO internal VALUES (1);
     CREATE SEQUENCE counter;
     SELECT pg_catalog.pg_extension_config_dump('settings', 'WHERE NOT shipped');
     SELECT pg_catalog.pg_extension_config_dump('notes', '');
     SELECT pg_catalog.pg_extension_config_dump('counter', '');`,
  )
}

test.each(['relay', 'idle'] as const)(
  'an extension with tables of its own and of the user, %s',
  async (way) => {
    const source = await createDatabase(server, `extension ${way}`)
    await execute(
      source,
      'CREATE EXTENSION shipped',
      `INSERT INTO shipped.settings VALUES ('c', 'mine')`,
      `INSERT INTO shipped.notes (t) VALUES ('x'), ('y')`,
      `SELECT nextval('shipped.counter'), nextval('shipped.counter')`,
      'CREATE TABLE refers (note integer REFERENCES shipped.notes)',
      'INSERT INTO refers VALUES (1)',
    )
    expect(await differences(source, { rules: await keepEverything(source, way) })).toEqual([])
  },
)
