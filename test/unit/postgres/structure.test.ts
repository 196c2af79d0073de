import { describe, expect, test } from '@jest/globals'
import { cutStatements } from '../../../src/postgres/statements.ts'
import { planStructure, type StructurePlan } from '../../../src/sink/structure-plan.ts'
import {
  foreignKeys,
  indexGroups,
  inPhase,
  runWithoutConflict,
} from '../../../src/sink/structure.ts'

function plan(preData: string, postData: string): Promise<StructurePlan> {
  return planStructure(cutStatements(preData), cutStatements(postData))
}

const TREE = `
  CREATE TABLE public.p (a int) PARTITION BY RANGE (a);
  CREATE TABLE public.p1 (a int); ALTER TABLE ONLY public.p ATTACH PARTITION public.p1 DEFAULT;
  CREATE TABLE public.t (a int);`

function foreignKey(table: string, refers: string, more = ''): string {
  return `ALTER TABLE public.${table} ADD CONSTRAINT ${table}_${refers} FOREIGN KEY (a) REFERENCES public.${refers}(a)${more};`
}

describe('a plan', () => {
  test('takes the leading settings as the session’s', async () => {
    const { session, statements } = await plan(
      "SET transaction_timeout = 0; SET client_encoding = 'UTF8'; SELECT pg_catalog.set_config('search_path', '', false); CREATE SCHEMA s; SET default_table_access_method = heap;",
      'SET transaction_timeout = 0; CREATE INDEX i ON public.t (a);',
    )
    expect(session).toEqual([
      { name: 'transaction_timeout', value: '0' },
      { name: 'search_path', value: '' },
    ])
    expect(statements.map(({ what, phase }) => [what, phase])).toEqual([
      ['schema s', 'pre'],
      ['VariableSetStmt', 'pre'],
      ['index i of public.t', 'index'],
    ])
  })

  test('keeps indexes of partitioned tables for the end, those of late views with them', async () => {
    const { statements } = await plan(
      TREE,
      `CREATE INDEX ip ON ONLY public.p (a); CREATE INDEX ip1 ON public.p1 (a); ALTER INDEX public.ip ATTACH PARTITION public.ip1;
       CREATE MATERIALIZED VIEW public.m AS SELECT 1 AS a WITH NO DATA; CREATE INDEX im ON public.m (a);
       CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f(); ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;`,
    )
    const phases = statements.slice(4).map(({ what, phase }) => `${phase}: ${what}`)
    expect(phases).toEqual([
      'attach: index ip of public.p',
      'index: index ip1 of public.p1',
      'attach: index public.ip',
      'late: materialized view public.m',
      'late: index im of public.m',
      'event-trigger: event trigger e',
      'late: table public.t',
    ])
  })

  test('drops what is of owners, rights, replication and other servers, even unasked', async () => {
    const { statements, dropped } = await plan(
      `ALTER TABLE public.t OWNER TO bob; GRANT SELECT ON public.t TO bob; CREATE ROLE bob PASSWORD 'x';
       CREATE SUBSCRIPTION s CONNECTION 'password=x' PUBLICATION p; SECURITY LABEL ON TABLE public.t IS 'x';
       SELECT pg_catalog.setval('s', 1); COPY public.t FROM stdin; COMMENT ON PUBLICATION p IS 'x';
       CREATE FOREIGN TABLE public.f (a int) SERVER s; CREATE FUNCTION public.g() RETURNS SETOF public.f LANGUAGE sql AS 'x';
       CREATE SEQUENCE public.q; ALTER SEQUENCE public.q OWNED BY public.f.a;`,
      '',
    )
    expect(statements.map(({ what }) => what)).toEqual(['sequence public.q'])
    expect(dropped).toHaveLength(11)
  })
})

describe('foreign keys', () => {
  test('to rows that are not copied become NOT VALID where the target can', async () => {
    const whole = await plan(
      TREE,
      foreignKey('p', 't') +
        foreignKey('p1', 't', ' ON DELETE CASCADE DEFERRABLE') +
        foreignKey('t', 't', ' NOT VALID'),
    )
    const incomplete = [{ schema: 'public', name: 't' }]
    const at = (targetMajor: number) => foreignKeys(whole, { incomplete, targetMajor }, () => {})
    expect(at(18).map(({ sql }) => /( NOT VALID)+$/.exec(sql)?.[0])).toEqual([
      ' NOT VALID',
      ' NOT VALID',
      ' NOT VALID',
    ])
    expect(at(17).map(({ what }) => what)).toEqual([
      'constraint p1_t of public.p1',
      'constraint t_t of public.t',
    ])
    expect(foreignKeys(whole, { incomplete: [], targetMajor: 17 }, () => {})).toEqual(
      inPhase(whole, 'foreign-key'),
    )
  })

  test('that lock one table, or partitions of one, do not run at once', async () => {
    const whole = await plan(
      TREE,
      [
        foreignKey('p1', 'a'),
        foreignKey('p', 'b'),
        foreignKey('t', 'c'),
        foreignKey('d', 't'),
      ].join(''),
    )
    const begun: string[] = []
    const release: (() => void)[] = []
    const tasks = inPhase(whole, 'foreign-key').map(({ what, foreignKey: key }) => ({
      locks: key?.locks ?? [],
      after: [],
      run: () => {
        begun.push(what)
        return new Promise<void>((resolve) => release.push(resolve))
      },
    }))
    const done = runWithoutConflict(tasks, 4)
    expect(begun).toEqual(['constraint p1_a of public.p1', 'constraint t_c of public.t'])
    while (release.length > 0) {
      release.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await done
    expect(begun).toHaveLength(4)
  })

  test('stop at the first failure', async () => {
    const whole = await plan(TREE, foreignKey('a', 'b') + foreignKey('a', 'c'))
    const begun: string[] = []
    const tasks = inPhase(whole, 'foreign-key').map(({ what, foreignKey: key }) => ({
      locks: key?.locks ?? [],
      after: [],
      run: async () => {
        begun.push(what)
        throw new Error('refused')
      },
    }))
    await expect(runWithoutConflict(tasks, 2)).rejects.toThrow('refused')
    expect(begun).toHaveLength(1)
  })
})

test('indexes are grouped by table, in order', async () => {
  const whole = await plan(
    '',
    'CREATE INDEX a ON public.t (a); CREATE INDEX b ON public.u (a); ALTER TABLE ONLY public.t ADD CONSTRAINT c UNIQUE (a);',
  )
  expect(
    indexGroups(whole).map(({ table, statements }) => [table.name, statements.length]),
  ).toEqual([
    ['t', 2],
    ['u', 1],
  ])
})
