import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { cutStatements } from '../../src/postgres/statements.ts'
import { checkSettings } from '../../src/sink/foreign-key-check.ts'
import { runStatement } from '../../src/sink/structure.ts'
import { planStructure, type StructureStatement } from '../../src/sink/structure-plan.ts'
import type { Server } from '../fixtures/databases.ts'

const HASH_OFF = 'SET LOCAL enable_hashjoin = off; '
const BOTH_OFF = 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; '

/** Tables as they are when foreign keys come: rows and indexes are there, statistics are not. */
const TABLES = `
  CREATE TABLE parent (id int PRIMARY KEY, "Group" int, UNIQUE ("Group", id));
  INSERT INTO parent SELECT i, i % 7 FROM generate_series(1, 120000) i;
  REINDEX TABLE parent;
  CREATE TABLE small (id int PRIMARY KEY);
  INSERT INTO small SELECT generate_series(1, 100);
  REINDEX TABLE small;
  CREATE TABLE indexed (id int PRIMARY KEY, parent int, "Group" int, small int);
  INSERT INTO indexed SELECT i, 1 + i % 120000, (1 + i % 120000) % 7, 1 + i % 100 FROM generate_series(1, 130000) i;
  CREATE INDEX ON indexed (parent, id);
  CREATE INDEX ON indexed (parent, "Group");
  CREATE INDEX ON indexed (small) WHERE small > 7;
  REINDEX TABLE indexed;
  CREATE TABLE plain (id int PRIMARY KEY, parent int);
  INSERT INTO plain SELECT i, 1 + i % 120000 FROM generate_series(1, 119000) i;
  REINDEX TABLE plain;
  CREATE TABLE larger (id int PRIMARY KEY, parent int);
  INSERT INTO larger SELECT i, 1 + i % 120000 FROM generate_series(1, 130000) i;
  REINDEX TABLE larger;
  CREATE TABLE unknown (parent int);
  INSERT INTO unknown SELECT generate_series(1, 100);
  CREATE TABLE parts (parent int, part int) PARTITION BY LIST (part);
  CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
  CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
  INSERT INTO parts SELECT i, 1 + i % 2 FROM generate_series(1, 20000) i;
  CREATE INDEX ON parts (parent);`

async function foreignKey(sql: string): Promise<StructureStatement> {
  const nothing = cutStatements('')
  const plan = await planStructure(
    nothing,
    cutStatements(`ALTER TABLE ONLY public.${sql.replace('FOREIGN', 'ADD CONSTRAINT fk FOREIGN')}`),
  )
  return plan.statements[0]!
}

describe.each([14, 18] as const)('PostgreSQL %i', (major) => {
  let server: Server
  let client: pg.Client

  beforeAll(async () => {
    server = await startPostgres({ major })
    client = new pg.Client(server.url)
    await client.connect()
    await client.query(TABLES)
  })
  afterAll(async () => {
    await client?.end()
    await server?.stop()
  })

  test.each([
    ['few keys are hashed', 'indexed FOREIGN KEY (small) REFERENCES public.small(id);', ''],
    [
      'an index to go along',
      'indexed FOREIGN KEY (parent) REFERENCES public.parent(id);',
      HASH_OFF,
    ],
    [
      'an index over both columns, in whatever order',
      'indexed FOREIGN KEY ("Group", parent) REFERENCES public.parent("Group", id);',
      HASH_OFF,
    ],
    ['no index, fewer rows', 'plain FOREIGN KEY (parent) REFERENCES public.parent(id);', HASH_OFF],
    ['no index, more rows', 'larger FOREIGN KEY (parent) REFERENCES public.parent(id);', ''],
    ['nobody knows how many', 'unknown FOREIGN KEY (parent) REFERENCES public.parent(id);', ''],
    [
      'far fewer rows in each partition',
      'parts FOREIGN KEY (parent) REFERENCES public.parent(id);',
      BOTH_OFF,
    ],
    ['a table that is not there', 'gone FOREIGN KEY (parent) REFERENCES public.parent(id);', ''],
    ['not checked', 'indexed FOREIGN KEY (parent) REFERENCES public.parent(id) NOT VALID;', ''],
  ])('%s', async (_, sql, expected) => {
    const statement = await foreignKey(sql)
    expect(await checkSettings(client, statement)).toBe(expected)
  })

  test('a connection that is gone is the target’s failure', async () => {
    const statement = await foreignKey('plain FOREIGN KEY (parent) REFERENCES public.parent(id);')
    const lost = new pg.Client(server.url)
    await lost.connect()
    await lost.end()
    await expect(checkSettings(lost, statement)).rejects.toMatchObject({ kind: 'sink' })
  })

  test('a row without its key is found, and settings are as before', async () => {
    await client.query('INSERT INTO plain VALUES (0, 0)')
    const statement = await foreignKey('plain FOREIGN KEY (parent) REFERENCES public.parent(id);')
    const settings = await checkSettings(client, statement)
    expect(settings).toBe(HASH_OFF)
    const run = () =>
      runStatement(client, { ...statement, sql: settings + statement.sql }, () => {})
    await expect(run()).rejects.toThrow(/a row refers to one that is not there|23503/)
    await client.query('DELETE FROM plain WHERE id = 0')
    await run()
    const { rows } = await client.query(
      `SELECT current_setting('enable_hashjoin') AS hashjoin, convalidated FROM pg_constraint WHERE conname = 'fk'`,
    )
    expect(rows).toEqual([{ hashjoin: 'on', convalidated: true }])
  })
})
