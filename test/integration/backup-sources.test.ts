import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { differencesBetween, RoundTrips } from '../fixtures/round-trips.ts'

/** Restores equal their sources, also of sources that are peculiar in one way each. */

let directory: string
let server: Server
let target: Server
let trips: RoundTrips

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-shipped-'))
  await chmod(directory, 0o755)
  await writeExtension(directory)
  const settings = { extension_control_path: `${directory}:$system` }
  ;[server, target] = await Promise.all([startPostgres({ settings }), startPostgres({ settings })])
  trips = await RoundTrips.open(target)
})
afterAll(async () => {
  await Promise.all([server?.stop(), target?.stop(), trips?.close()])
  await rm(directory, { recursive: true })
})

const MEMBERS = 75_000
const START = 100

/** Every transaction keeps the sum of what members have, and notes what it did; none is ever half done. */
const BANK = [
  'CREATE TABLE members (id integer PRIMARY KEY, balance integer NOT NULL, note text STORAGE PLAIN)',
  `INSERT INTO members SELECT i, ${START}, repeat('x', 2000) FROM generate_series(1, ${MEMBERS}) i`,
  'CREATE TABLE transfers (id bigserial PRIMARY KEY, giver integer REFERENCES members, taker integer REFERENCES members)',
  'CREATE TABLE totals (transfers bigint NOT NULL)',
  'INSERT INTO totals VALUES (0)',
  'CREATE TABLE visits (id bigserial PRIMARY KEY)',
  `CREATE FUNCTION transfer(giver integer, taker integer) RETURNS void LANGUAGE sql AS $$
     UPDATE members SET balance = balance - 1 WHERE id = giver;
     UPDATE members SET balance = balance + 1 WHERE id = taker;
     INSERT INTO transfers (giver, taker) VALUES (giver, taker);
     UPDATE totals SET transfers = totals.transfers + 1;
     INSERT INTO visits DEFAULT VALUES;
     DELETE FROM visits WHERE id = (SELECT min(id) FROM visits) $$`,
]

/** Goes on until told to stop; then resolves with how often it did it. */
function keepDoing(url: string, sql: () => string) {
  let going = true
  const client = new pg.Client(url)
  const done = (async () => {
    await client.connect()
    let count = 0
    for (; going; count++) await client.query(sql())
    await client.end()
    return count
  })()
  return () => {
    going = false
    return done
  }
}

test('a source that is written to all the time', async () => {
  const source = await createDatabase(server, 'bank')
  await execute(source, ...BANK)
  const member = () => 1 + Math.floor(Math.random() * MEMBERS)
  const transfer = () => {
    const [a, b] = [member(), member()].toSorted((x, y) => x - y)
    return `SELECT transfer(${a}, ${b})`
  }
  let made = 0
  const stops = [
    keepDoing(source, transfer),
    keepDoing(source, transfer),
    keepDoing(
      source,
      () => `CREATE TABLE passing_${++made} (x integer); INSERT INTO passing_${made} VALUES (1)`,
    ),
  ]
  let trip
  let counts
  try {
    trip = await trips.go(source, { jobs: 3 })
  } finally {
    counts = await Promise.all(stops.map((stop) => stop()))
  }
  const { restored, manifest } = trip
  const [facts] = await query(
    restored,
    `SELECT (SELECT sum(balance)::int FROM members) AS sum, (SELECT count(*)::int FROM members) AS members,
       (SELECT transfers::int FROM totals) AS noted, (SELECT count(*)::int FROM transfers) AS made,
       (SELECT count(*)::int FROM members m
          LEFT JOIN (SELECT giver AS id, count(*) AS n FROM transfers GROUP BY 1) g USING (id)
          LEFT JOIN (SELECT taker AS id, count(*) AS n FROM transfers GROUP BY 1) t USING (id)
        WHERE balance <> ${START} - coalesce(g.n, 0) + coalesce(t.n, 0)) AS wrong`,
  )
  const { noted } = facts as { noted: number }
  expect(facts).toEqual({ sum: START * MEMBERS, members: MEMBERS, noted, made: noted, wrong: 0 })
  // There was something to get wrong: it went on after the snapshot.
  expect(counts[0]! + counts[1]!).toBeGreaterThan(noted + 50)
  expect(manifest.tables.find(({ name }) => name === 'transfers')?.rows).toBe(noted)
  expect(manifest.tables.find(({ name }) => name === 'members')?.segments.length).toBeGreaterThan(1)
  const passing = manifest.tables.filter(({ name }) => name.startsWith('passing_'))
  expect(await query(restored, `SELECT FROM pg_class WHERE relname ~ '^passing_'`)).toHaveLength(
    passing.length,
  )
  expect(passing.map(({ rows }) => rows)).toEqual(passing.map(() => 1))
})

test('a hot standby', async () => {
  const crm = await createDatabase(server, 'crm')
  await fillSampleCrm(crm, { scale: 0.1 })
  await execute(crm, 'ALTER TABLE sessions SET LOGGED')
  const standby = await startPostgres({ standbyOf: server })
  try {
    expect(await trips.differences(databaseUrl(standby, 'crm'))).toEqual([])
  } finally {
    await standby.stop()
  }
})

describe('encodings', () => {
  const TEXTS = `
    CREATE TABLE texts (id integer PRIMARY KEY, t text, v varchar(20), j jsonb, a text[]);
    COMMENT ON TABLE texts IS 'ékezet'`

  test('LATIN2', async () => {
    const form = `ENCODING 'LATIN2' LOCALE 'C' TEMPLATE template0`
    const source = await createDatabase(server, 'latin2', form)
    await execute(
      source,
      TEXTS,
      `CREATE TYPE "ő" AS ENUM ('ű', 'Ł'); CREATE TABLE "árvíz" ("ú" "ő" DEFAULT 'ű')`,
      `INSERT INTO "árvíz" VALUES ('Ł'), ('ű')`,
      `SELECT lo_from_bytea(1, '\\xf5fb')`,
      `INSERT INTO texts SELECT i, U&'\\0151\\0170\\00e1 ' || i, 'Łódź \\' || i, '{"é": "ő"}', ARRAY['ű', '"', NULL]
       FROM generate_series(1, 1000) i`,
      `INSERT INTO texts (id, t) SELECT -1, convert_from(string_agg(set_byte('\\x00', 0, i), ''), 'LATIN2')
       FROM generate_series(1, 255) i`,
    )
    expect(await trips.differences(source)).toEqual([])
  })

  test('SQL_ASCII', async () => {
    const form = `ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`
    const source = await createDatabase(server, 'ascii', form)
    await execute(
      source,
      TEXTS,
      // bytes that are text in no encoding
      `INSERT INTO texts SELECT i, t, t, to_jsonb(i), ARRAY[t] FROM (
         SELECT i, convert_from(set_byte('\\x2020', 0, i), 'SQL_ASCII') AS t FROM generate_series(1, 255) i) x`,
    )
    expect(await trips.differences(source)).toEqual([])
  })
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
  expect(await trips.differences(source)).toEqual([])
})

/** One statement each. */
const ODD_TABLES = [
  `CREATE TYPE mood AS ENUM ('sad', 'fine', 'glad')`,
  `ALTER TYPE mood ADD VALUE 'odd' BEFORE 'fine'`,
  'CREATE TABLE by_text (x text, n integer) PARTITION BY HASH (x)',
  'CREATE TABLE by_text_0 PARTITION OF by_text FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
  'CREATE TABLE by_text_1 PARTITION OF by_text FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
  `INSERT INTO by_text SELECT 'text ' || i, i FROM generate_series(1, 5000) i`,
  'CREATE TABLE by_mood (m mood, n integer) PARTITION BY LIST (n)',
  'CREATE TABLE by_mood_1 PARTITION OF by_mood FOR VALUES IN (1) PARTITION BY HASH (m)',
  'CREATE TABLE by_mood_1_0 PARTITION OF by_mood_1 FOR VALUES WITH (MODULUS 3, REMAINDER 0)',
  'CREATE TABLE by_mood_1_1 PARTITION OF by_mood_1 FOR VALUES WITH (MODULUS 3, REMAINDER 1)',
  'CREATE TABLE by_mood_1_2 PARTITION OF by_mood_1 FOR VALUES WITH (MODULUS 3, REMAINDER 2)',
  'CREATE TABLE by_mood_rest PARTITION OF by_mood DEFAULT',
  `INSERT INTO by_mood SELECT m, i % 3 FROM unnest(enum_range(NULL::mood)) m, generate_series(1, 100) i`,
  'CREATE UNLOGGED TABLE unlogged (id integer GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3), t text)',
  `INSERT INTO unlogged (t) VALUES ('a'), ('b')`,
  'CREATE TABLE no_columns ()',
  'INSERT INTO no_columns SELECT FROM generate_series(1, 3)',
  'CREATE TABLE lost_columns (a integer)',
  'INSERT INTO lost_columns VALUES (1), (2)',
  'ALTER TABLE lost_columns DROP a',
  `CREATE TABLE made (id integer GENERATED BY DEFAULT AS IDENTITY, dropped integer, n integer,
     stored integer GENERATED ALWAYS AS (n * 2) STORED, virtual integer GENERATED ALWAYS AS (n * 3) VIRTUAL)`,
  'INSERT INTO made (n) SELECT generate_series(1, 10)',
  'ALTER TABLE made DROP dropped',
  'CREATE TABLE only_made (x integer GENERATED ALWAYS AS (42) STORED)',
  'INSERT INTO only_made DEFAULT VALUES',
  'INSERT INTO only_made DEFAULT VALUES',
  'CREATE TABLE hidden (id integer PRIMARY KEY, owner name)',
  `INSERT INTO hidden VALUES (1, 'a'), (2, 'b')`,
  'ALTER TABLE hidden ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
  'CREATE POLICY own ON hidden USING (owner = current_user)',
  'CREATE VIEW view AS SELECT n, stored FROM made',
  'CREATE MATERIALIZED VIEW on_view AS SELECT sum(stored) AS s FROM view',
  'CREATE VIEW on_materialized AS SELECT s + 1 AS s FROM on_view',
  'CREATE MATERIALIZED VIEW on_both AS SELECT s FROM on_materialized UNION ALL SELECT s FROM on_view',
  'CREATE UNIQUE INDEX ON on_both (s)',
  'CREATE MATERIALIZED VIEW never_filled AS SELECT 1 AS x WITH NO DATA',
  'CREATE TABLE parent (id integer PRIMARY KEY, t text)',
  'CREATE TABLE child (extra integer) INHERITS (parent)',
  `INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3)`,
  'CREATE TABLE circle_a (id integer PRIMARY KEY, b integer)',
  'CREATE TABLE circle_b (id integer PRIMARY KEY, a integer REFERENCES circle_a)',
  'ALTER TABLE circle_a ADD FOREIGN KEY (b) REFERENCES circle_b DEFERRABLE INITIALLY DEFERRED',
  'INSERT INTO circle_a VALUES (1, NULL); INSERT INTO circle_b VALUES (1, 1); UPDATE circle_a SET b = 1',
  'ALTER TABLE circle_b ADD CHECK (id > 0) NOT VALID',
  `CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$`,
  'CREATE TRIGGER loud BEFORE INSERT ON parent FOR EACH ROW EXECUTE FUNCTION loud()',
  'ALTER TABLE parent ENABLE ALWAYS TRIGGER loud',
  'CREATE RULE nothing AS ON INSERT TO lost_columns DO INSTEAD NOTHING',
  `CREATE TABLE "Odd ""name""\n\\ %1$I é.x" ("a b" text DEFAULT '\\')`,
  `INSERT INTO "Odd ""name""\n\\ %1$I é.x" VALUES ('x'), (DEFAULT), (NULL)`,
  'CREATE EXTENSION shipped',
  `INSERT INTO shipped.settings VALUES ('c', 'mine')`,
  `INSERT INTO shipped.notes (t) VALUES ('x'), ('y')`,
  `SELECT nextval('shipped.counter'), nextval('shipped.counter')`,
  'CREATE TABLE refers (note integer REFERENCES shipped.notes)',
  'INSERT INTO refers VALUES (1)',
]

test.each([1, 3])(
  'tables, views and extensions that are easily got wrong, %i jobs',
  async (jobs) => {
    const source = await createDatabase(server, `odd_${jobs}`)
    await execute(source, ...ODD_TABLES)
    // Values of an enum have other numbers there, and hash into other partitions.
    const except = /^rows of public\.by_mood_1_/
    const { restored } = await trips.go(source, { jobs })
    expect(await differencesBetween(source, restored, { except })).toEqual([])
    const moods = 'SELECT m, n, count(*) FROM by_mood GROUP BY 1, 2 ORDER BY 1, 2'
    expect(await query(restored, moods)).toEqual(await query(source, moods))
  },
)

test('settings of the database that would change what sessions read and print', async () => {
  const source = await createDatabase(server, 'settings')
  await execute(
    source,
    `CREATE TABLE t (id integer PRIMARY KEY, x text DEFAULT 'a\\b', f float8, b bytea DEFAULT 'x', i interval, d date, j xml, n int[],
       CHECK (x <> 'y\\'))`,
    `INSERT INTO t VALUES (1, 'a\\b', 0.1 + 0.2::float8, '\\xff00', '1 mon -2 days 03:04:05.6', '2026-04-03', '<a/> text', '{NULL}')`,
    `ALTER TABLE t ADD m money DEFAULT '-1234.50'`,
    `CREATE VIEW v AS SELECT x || '\\' AS y, interval '1 day' AS i FROM t`,
    `CREATE MATERIALIZED VIEW m AS SELECT d::text, f::text, i::text FROM t`,
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
      client_min_messages: 'error',
      lock_timeout: '100ms',
      statement_timeout: '500ms',
      transaction_timeout: '500ms',
      idle_in_transaction_session_timeout: '300ms',
    }).map(([name, value]) => `ALTER DATABASE settings SET ${name} = '${value}'`),
  )
  // A view that prints values prints them as the session that fills it does.
  const except = /^rows of public\.m:/
  expect(await trips.differences(source, { except })).toEqual([])
})

describe('sizes', () => {
  test('1,000 tables', async () => {
    const source = await createDatabase(server, 'many')
    await execute(
      source,
      `DO $$ BEGIN FOR i IN 1..1000 LOOP
         EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, t text)', i);
         EXECUTE format('INSERT INTO t%s (t) VALUES (%L)', i, i);
       END LOOP; END $$`,
    )
    // As many locks as a transaction may need there do not go round.
    const narrow = await startPostgres({
      settings: { max_connections: 30, max_locks_per_transaction: 10 },
    })
    const started = performance.now()
    try {
      const { restored } = await trips.go(source, { jobs: 3, on: narrow })
      const all = Array.from({ length: 1000 }, (_, i) => i + 1)
      for (let i = 0; i < 1000; i += 100) {
        const reads = all.slice(i, i + 100).map((n) => `SELECT ${n} AS n, * FROM t${n}`)
        const rows = await query(restored, `${reads.join(' UNION ALL ')} ORDER BY n`)
        expect(rows).toEqual(all.slice(i, i + 100).map((n) => ({ n, id: 1, t: `${n}` })))
      }
    } finally {
      await narrow.stop()
    }
    expect(performance.now() - started).toBeLessThan(60_000)
  })

  test('a field of 100 MB, and a table in several segments', async () => {
    const source = await createDatabase(server, 'large')
    await execute(
      source,
      'CREATE TABLE field (id integer, b bytea STORAGE EXTERNAL)',
      `INSERT INTO field VALUES (1, decode(repeat(md5('x') || '5c0a0900', 5000000), 'hex')), (2, NULL)`,
      'CREATE TABLE rows (id integer PRIMARY KEY, t text STORAGE PLAIN)',
      `INSERT INTO rows SELECT i, repeat(md5(i::text), 60) FROM generate_series(1, 150000) i`,
      'DELETE FROM rows WHERE id % 7 = 0',
    )
    const { restored, manifest } = await trips.go(source, { jobs: 2 })
    const [rows] = manifest.tables.filter(({ name }) => name === 'rows')
    expect(rows?.bytes).toBeGreaterThan(280_000_000)
    expect(rows?.segments.length).toBeGreaterThan(1)
    for (const sql of [
      'SELECT id, length(b), md5(b) FROM field ORDER BY id',
      'SELECT count(*), sum(hashtextextended(t, id)) FROM rows',
    ]) {
      expect(await query(restored, sql)).toEqual(await query(source, sql))
    }
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
