import { createHmac, hkdfSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { hashKey, erasureKey, keyCheck } from '../../src/erasure/hash.ts'
import { writeRecord, type ErasureRecord } from '../../src/erasure/ledger.ts'
import { assertErased, replayErasures, type Erasures } from '../../src/erasure/replay.ts'
import { openClient, parseEndpoint } from '../../src/postgres/connect.ts'
import { createDatabase, query, type Server } from '../fixtures/databases.ts'

// A person who was erased is not brought back, by whatever a database refers to people with.

const SECRET = Buffer.from('a secret of the ledger, for tests')

let server: Server
let count = 0

beforeAll(async () => {
  server = await startPostgres({})
})

afterAll(() => server.stop())

/** What `erase record` makes of it. */
function record(
  number: number,
  table: string,
  column: string,
  values: string[],
  references: ErasureRecord['references'] = {},
): ErasureRecord {
  const key = erasureKey(SECRET)
  const [schema = '', name = ''] = table.split('.')
  return {
    format: 'pgveil erasures 1',
    number,
    previous: null,
    time: '2026-11-22T02:00:00.000Z',
    by: 'tester@here',
    name: 'crm',
    check: keyCheck(key),
    schema,
    table: name,
    column,
    references,
    keys: values.map((value) => hashKey(key, value)),
  }
}

function erasures(records: ErasureRecord[], references: Erasures['references'] = {}): Erasures {
  return {
    name: 'crm',
    records,
    lines: Buffer.concat(records.map(writeRecord)),
    key: erasureKey(SECRET),
    references,
  }
}

interface Place {
  client: pg.Client
  url: string
  warnings: string[]
  replay: (erased: Erasures, views?: string[]) => ReturnType<typeof replayErasures>
  /** One value a row. */
  rows: (sql: string) => Promise<string[]>
}

async function inDatabase(
  schema: string,
  work: (place: Place) => Promise<void>,
  form = '',
): Promise<void> {
  const url = await createDatabase(server, `erase_${++count}`, form)
  const client = await openClient(parseEndpoint(url, 'sink'), 'test')
  const warnings: string[] = []
  try {
    await client.query(`SET search_path = public; ${schema}; SET search_path = ''`)
    await work({
      client,
      url,
      warnings,
      replay: (erased, views = []) =>
        replayErasures(client, erased, {
          views: views.map((name) => ({ schema: 'public', name })),
          warn: (code) => warnings.push(code),
        }),
      rows: async (sql) =>
        (await query<Record<string, string>>(url, sql)).map((row) =>
          Object.values(row).map(String).join(' '),
        ),
    })
  } finally {
    await client.end()
  }
}

test('the key is HKDF-SHA256, a hash HMAC-SHA-256', () => {
  const key = Buffer.from(hkdfSync('sha256', SECRET, 'pgveil', 'erasure ledger', 32))
  expect(erasureKey(SECRET)).toEqual(key)
  expect(hashKey(key, 'Ünal').hash).toBe(createHmac('sha256', key).update('Ünal').digest('hex'))
})

describe('keys of any type', () => {
  test.each([
    ['int', '42', ['7', '43']],
    ['bigint', '-9223372036854775808', ['0']],
    ['uuid', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12']],
    ['text', 'Árvíztűrő "x",\\ \'y\'', ['árvíztűrő "x",\\ \'y\'', '']],
    ['varchar(20)', 'a\tb', ['a b']],
    ['citext', 'Joe@Example.org', ['jane@example.org']],
    ['mail', 'Joe@Example.org', ['jane@example.org']],
    ['date', '2020-02-29', ['2020-03-01']],
  ])('%s', async (type, value, others) => {
    const schema = `CREATE EXTENSION citext; CREATE DOMAIN address AS citext; CREATE DOMAIN mail AS address;
      CREATE TABLE person (key ${type}, note text)`
    await inDatabase(schema, async ({ client, replay, rows }) => {
      const as = type === 'citext' || type === 'mail' ? value.toUpperCase() : value
      for (const each of [as, ...others])
        await client.query(`INSERT INTO public.person VALUES ($1, 'x')`, [each])
      await client.query('INSERT INTO public.person VALUES (NULL)')
      const done = await replay(erasures([record(1, 'public.person', 'key', [value])]))
      expect(done).toEqual([{ table: 'public.person', deleted: 1, cleared: 0 }])
      expect(await rows('SELECT count(*) FROM person')).toEqual([String(others.length + 1)])
    })
  })

  test('in a database of another encoding', async () => {
    const form = `TEMPLATE template0 ENCODING 'LATIN2' LC_COLLATE 'C' LC_CTYPE 'C'`
    const schema = `CREATE TABLE "személy" ("név" text); INSERT INTO "személy" VALUES ('Őze'), ('Öze')`
    await inDatabase(
      schema,
      async ({ replay, rows }) => {
        await replay(erasures([record(1, 'public.személy', 'név', ['Őze'])]))
        expect(await rows('SELECT * FROM "személy"')).toEqual(['Öze'])
      },
      form,
    )
  })
})

const PEOPLE = `
  CREATE TABLE person (id int PRIMARY KEY, boss int REFERENCES person, mail text UNIQUE);
  INSERT INTO person SELECT i, NULL, 'p' || i FROM generate_series(1, 6) i;
  UPDATE person SET boss = 1 WHERE id = 2;`

describe('rows that refer to a person', () => {
  test('go, or lose the reference, as their constraint says, however far', async () => {
    const schema = `${PEOPLE}
      CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES person ON DELETE CASCADE);
      CREATE TABLE line (orders int REFERENCES orders ON DELETE CASCADE, n int);
      CREATE TABLE ticket (id int, person int REFERENCES person ON DELETE SET NULL, by_mail text REFERENCES person (mail) ON DELETE SET NULL);
      INSERT INTO orders VALUES (10, 1), (11, 1), (20, 2);
      INSERT INTO line VALUES (10, 1), (10, 2), (20, 1), (NULL, 1);
      INSERT INTO ticket VALUES (1, 1, 'p1'), (2, 2, 'p1'), (3, 2, NULL)`
    await inDatabase(schema, async ({ replay, rows }) => {
      const done = await replay(
        erasures([record(1, 'public.person', 'id', ['1'], { 'public.person': 'null' })]),
      )
      expect(done).toEqual([
        { table: 'public.line', deleted: 2, cleared: 0 },
        { table: 'public.orders', deleted: 2, cleared: 0 },
        { table: 'public.person', deleted: 1, cleared: 1 },
        { table: 'public.ticket', deleted: 0, cleared: 2 },
      ])
      expect(await rows('SELECT id FROM person ORDER BY id')).toEqual(['2', '3', '4', '5', '6'])
      expect(await rows('SELECT count(*) FROM person WHERE boss IS NULL')).toEqual(['5'])
      expect(await rows('SELECT id FROM orders')).toEqual(['20'])
      expect(await rows('SELECT orders, n FROM line ORDER BY 1')).toEqual(['20 1', 'null 1'])
      expect(await rows('SELECT * FROM ticket ORDER BY id')).toEqual([
        '1 null null',
        '2 2 null',
        '3 2 null',
      ])
    })
  })

  test('are not guessed about', async () => {
    const schema = `${PEOPLE} CREATE TABLE invoice (person int CONSTRAINT payer REFERENCES person)`
    await inDatabase(schema, async ({ client, replay, rows }) => {
      const erased = erasures([record(1, 'public.person', 'id', ['3'])])
      await replay(erased)
      await client.query('INSERT INTO public.invoice VALUES (4), (5)')
      const four = erasures([record(1, 'public.person', 'id', ['4'])])
      await expect(replay(four)).rejects.toMatchObject({
        kind: 'refused',
        message: expect.stringContaining('public.invoice') as unknown,
        hint: expect.stringContaining('public.invoice: delete') as unknown,
      })
      await expect(replay(four)).rejects.toThrow('payer')
      expect(await rows('SELECT count(*) FROM person')).toEqual(['5'])
      await expect(assertErased(client, four)).rejects.toMatchObject({ kind: 'integrity' })
      expect(await assertErased(client, erased)).toBe(1)
      // The configuration at hand goes before what the ledger says, a table before *.
      const records = [record(1, 'public.person', 'id', ['4'], { '*': 'null' })]
      await replay(erasures(records, { 'public.invoice': 'delete' }))
      expect(await rows('SELECT * FROM invoice')).toEqual(['5'])
      await replay(erasures([record(2, 'public.person', 'id', ['5'], { '*': 'null' })]))
      expect(await rows('SELECT * FROM invoice')).toEqual(['null'])
    })
  })

  test('in circles, by several columns, and where one cannot be empty', async () => {
    const schema = `
      CREATE TABLE a (id int PRIMARY KEY, b int);
      CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
      ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
      INSERT INTO a VALUES (1, NULL), (2, NULL); INSERT INTO b VALUES (1, 1), (2, 2); UPDATE a SET b = id;
      CREATE TABLE account (tenant int NOT NULL, id int, owner int REFERENCES a, PRIMARY KEY (tenant, id));
      CREATE TABLE post (tenant int NOT NULL, account int, FOREIGN KEY (tenant, account) REFERENCES account);
      CREATE TABLE full_post (tenant int, account int, FOREIGN KEY (tenant, account) REFERENCES account MATCH FULL);
      INSERT INTO account VALUES (1, 7, 1), (2, 7, 2); INSERT INTO post VALUES (1, 7), (2, 7);
      INSERT INTO full_post VALUES (1, 7), (2, 7)`
    await inDatabase(schema, async ({ replay, rows }) => {
      const references = {
        'public.a': 'delete',
        'public.b': 'delete',
        'public.account': 'delete',
        '*': 'null',
      } as const
      await replay(erasures([record(1, 'public.a', 'id', ['1'], references)]))
      expect(await rows('SELECT id FROM a UNION ALL SELECT id FROM b')).toEqual(['2', '2'])
      expect(await rows('SELECT * FROM post ORDER BY tenant')).toEqual(['1 null', '2 7'])
      expect(await rows('SELECT * FROM full_post ORDER BY tenant')).toEqual(['2 7', 'null null'])
    })
  })

  test('in partitions and below parents', async () => {
    const schema = `
      CREATE TABLE person (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
      CREATE TABLE person_hu PARTITION OF person FOR VALUES IN ('hu');
      CREATE TABLE person_else PARTITION OF person DEFAULT;
      CREATE TABLE visit (at date, person int, region text, FOREIGN KEY (person, region) REFERENCES person ON DELETE CASCADE)
        PARTITION BY RANGE (at);
      CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
      CREATE TABLE visit_new (person int, region text, at date);
      ALTER TABLE visit ATTACH PARTITION visit_new DEFAULT;
      INSERT INTO person VALUES (1, 'hu'), (1, 'de'), (2, 'hu');
      INSERT INTO visit VALUES ('2010-01-01', 1, 'hu'), ('2022-01-01', 1, 'de'), ('2022-01-01', 2, 'hu');
      CREATE TABLE asset (id int, owner int); CREATE TABLE car () INHERITS (asset);
      INSERT INTO asset VALUES (1, 1), (2, 2); INSERT INTO car VALUES (3, 1), (4, 2)`
    await inDatabase(schema, async ({ replay, rows }) => {
      await replay(
        erasures([
          record(1, 'public.person', 'id', ['1']),
          record(2, 'public.asset', 'owner', ['1']),
        ]),
      )
      expect(await rows('SELECT * FROM person')).toEqual(['2 hu'])
      expect(await rows('SELECT person FROM visit')).toEqual(['2'])
      expect(await rows('SELECT id FROM asset ORDER BY id')).toEqual(['2', '4'])
    })
  })
})

test('nothing in the database reacts, and everything is as it was', async () => {
  const schema = `${PEOPLE}
    CREATE TABLE log (said text);
    CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (TG_OP || OLD.mail); RETURN NULL; END $$;
    CREATE TRIGGER usual AFTER DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE TRIGGER always BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE TRIGGER replica AFTER DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
    CREATE TRIGGER off AFTER DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
    ALTER TABLE person ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off;
    CREATE RULE keep AS ON DELETE TO person DO INSTEAD INSERT INTO log VALUES ('rule');
    ALTER TABLE person ENABLE ALWAYS RULE keep`
  await inDatabase(schema, async ({ client, replay, rows }) => {
    const states = `SELECT tgname || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT rulename || ' ' || ev_enabled::text FROM pg_rewrite WHERE rulename = 'keep' ORDER BY 1`
    const before = await rows(states)
    await replay(erasures([record(1, 'public.person', 'id', ['6'])]))
    expect(await rows('SELECT * FROM log')).toEqual([])
    expect(await rows('SELECT count(*) FROM person')).toEqual(['5'])
    expect(await rows(states)).toEqual(before)
    const { rows: left } = await client.query<{ relname: string }>(
      `SELECT relname FROM pg_class WHERE relname LIKE 'pgveil%' UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'pgveil%'`,
    )
    expect(left).toEqual([])
    const role = await client.query('SHOW session_replication_role')
    expect(role.rows).toEqual([{ session_replication_role: 'origin' }])
  })
})

test('an owner who is no superuser can do it, triggers silent all the same', async () => {
  const name = `owned_${++count}`
  const owner = `owner_${count}`
  await query(server.url, `CREATE ROLE ${owner} LOGIN`)
  const admin = await createDatabase(server, name, `OWNER ${owner}`)
  const url = new URL(admin)
  url.username = owner
  const client = await openClient(parseEndpoint(url.href, 'sink'), 'test')
  try {
    await client.query(`CREATE SCHEMA app; SET search_path = app; ${PEOPLE}
      CREATE TABLE orders (person int REFERENCES person ON DELETE CASCADE);
      INSERT INTO orders VALUES (1), (2);
      CREATE TABLE log (said text);
      CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO app.log VALUES (OLD.mail); RETURN NULL; END $$;
      CREATE TRIGGER usual AFTER DELETE ON person FOR EACH ROW EXECUTE FUNCTION tell();
      SET search_path = ''`)
    const erased = erasures([record(1, 'app.person', 'id', ['1'], { '*': 'null' })])
    await replayErasures(client, erased, { views: [], warn: () => undefined })
    const rows = await query(
      admin,
      'SELECT (SELECT count(*) FROM app.log) AS log, (SELECT sum(person) FROM app.orders) AS orders',
    )
    expect(rows).toEqual([{ log: '0', orders: '2' }])
  } finally {
    await client.end()
  }
})

test('views and statistics forget the person too', async () => {
  const schema = `CREATE TABLE person (id int, name text); INSERT INTO person SELECT i, 'name ' || i % 3 FROM generate_series(1, 300) i;
    UPDATE person SET name = 'Wanted Person' WHERE id <= 100;
    CREATE MATERIALIZED VIEW names AS SELECT name, count(*) FROM person GROUP BY name; ANALYZE;
    CREATE MATERIALIZED VIEW never AS SELECT 1 / 0 FROM person WITH NO DATA`
  await inDatabase(schema, async ({ replay, rows }) => {
    const stats = `SELECT count(*) FROM pg_stats WHERE most_common_vals::text LIKE '%Wanted Person%'`
    expect(await rows(stats)).toEqual(['1'])
    await replay(erasures([record(1, 'public.person', 'name', ['Wanted Person'])]), [
      'never',
      'names',
    ])
    expect(await rows(stats)).toEqual(['0'])
    expect(await rows('SELECT name FROM names ORDER BY 1')).toEqual(['name 0', 'name 1', 'name 2'])
  })
})

test('what cannot be found, and another secret', async () => {
  await inDatabase(PEOPLE, async ({ replay, rows, warnings, client }) => {
    await replay(
      erasures([record(1, 'public.human', 'id', ['1']), record(2, 'public.person', 'name', ['x'])]),
    )
    expect(warnings).toEqual(['erasure-not-found', 'erasure-not-found'])
    const wrong = { ...erasures([record(1, 'public.person', 'id', ['1'])]), key: Buffer.alloc(32) }
    await expect(replay(wrong)).rejects.toMatchObject({ kind: 'key' })
    await expect(assertErased(client, wrong)).rejects.toMatchObject({ kind: 'key' })
    expect(await rows('SELECT count(*) FROM person')).toEqual(['6'])
  })
})

test('persons of another database are left alone', async () => {
  await inDatabase(PEOPLE, async ({ replay, rows }) => {
    const shop = { ...record(1, 'public.person', 'id', ['1']), name: 'shop' }
    await replay(erasures([shop, record(2, 'public.person', 'id', ['6'])]))
    expect(await rows('SELECT id FROM person ORDER BY id')).toEqual(['1', '2', '3', '4', '5'])
  })
})
