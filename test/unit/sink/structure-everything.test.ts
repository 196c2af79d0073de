import { describe, expect, test } from '@jest/globals'
import { cutStatements } from '../../../src/postgres/statements.ts'
import { LeftOut } from '../../../src/sink/left-out.ts'
import { planStructure } from '../../../src/sink/structure-plan.ts'

function plan(preData: string, postData: string) {
  const ignore = () => {}
  return planStructure(cutStatements(preData), cutStatements(postData), ignore, 'everything')
}

describe('a plan of everything', () => {
  test('keeps owners, rights and replication, each in its phase', async () => {
    const { statements, dropped } = await plan(
      `ALTER TABLE public.t OWNER TO bob; ALTER FUNCTION public.f(integer) OWNER TO bob;
       GRANT SELECT(a) ON TABLE public.t TO ann; REVOKE USAGE ON SCHEMA public FROM PUBLIC;
       CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 'x'); SECURITY LABEL FOR p ON TABLE public.t IS 'x';`,
      `CREATE PUBLICATION p; ALTER PUBLICATION p OWNER TO bob; COMMENT ON PUBLICATION p IS 'x';
       CREATE SUBSCRIPTION s CONNECTION 'password=x' PUBLICATION p WITH (connect = false);
       ALTER SUBSCRIPTION s OWNER TO bob; COMMENT ON SUBSCRIPTION s IS 'x';
       ALTER DEFAULT PRIVILEGES FOR ROLE bob IN SCHEMA s GRANT SELECT ON TABLES TO ann;
       CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f(); ALTER EVENT TRIGGER e OWNER TO bob;`,
    )
    expect(dropped).toEqual([])
    expect(statements.map(({ phase, what, needs, right }) => [phase, what, needs, right])).toEqual([
      ['pre', 'owner of table public.t', ['bob'], 'owner'],
      ['pre', 'owner of function public.f', ['bob'], 'owner'],
      ['pre', 'privileges on table public.t', ['ann'], 'grant'],
      ['pre', 'privileges on schema public', undefined, 'grant'],
      ['pre', 'user mapping on s', ['bob'], undefined],
      ['pre', 'security label on table public.t', undefined, undefined],
      ['late', 'publication p', undefined, undefined],
      ['late', 'owner of publication p', ['bob'], 'owner'],
      ['late', 'comment on publication p', undefined, undefined],
      ['subscription', 'subscription s', undefined, undefined],
      ['subscription', 'owner of subscription s', ['bob'], 'owner'],
      ['subscription', 'comment on subscription s', undefined, undefined],
      ['late', 'default privileges on tables', ['bob', 'ann'], 'grant'],
      ['event-trigger', 'event trigger e', undefined, undefined],
      ['event-trigger', 'owner of event trigger e', ['bob'], 'owner'],
    ])
    expect(JSON.stringify(statements.map(({ what }) => what))).not.toContain('password')
  })

  test('runs what somebody else granted in that name, and never leaves the session in it', async () => {
    const { statements } = await plan(
      `CREATE SCHEMA s; SET SESSION AUTHORIZATION ann; GRANT SELECT ON TABLE public.t TO bob;
       GRANT UPDATE ON TABLE public.t TO bob; RESET SESSION AUTHORIZATION; GRANT INSERT ON TABLE public.t TO cid;`,
      '',
    )
    const inName = (sql: string) =>
      `SET SESSION AUTHORIZATION ann;\n${sql};\nRESET SESSION AUTHORIZATION`
    expect(statements.slice(1).map(({ sql, needs }) => [sql, needs])).toEqual([
      [inName('GRANT SELECT ON TABLE public.t TO bob'), ['ann', 'bob']],
      [inName('GRANT UPDATE ON TABLE public.t TO bob'), ['ann', 'bob']],
      ['GRANT INSERT ON TABLE public.t TO cid', ['cid']],
    ])
  })

  test('keeps foreign tables and what reads them', async () => {
    const { statements } = await plan(
      `CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE public.f (a int) SERVER s;
       CREATE VIEW public.v AS SELECT a FROM public.f; COMMENT ON FOREIGN TABLE public.f IS 'x';`,
      '',
    )
    expect(statements).toHaveLength(4)
  })
})

test('warnings of one kind are said once, those of many objects with their number', () => {
  const said: string[] = []
  const leftOut = new LeftOut((code, message) => said.push(`${code}: ${message}`))
  for (const table of ['a', 'b', 'c']) {
    leftOut.warn('role-missing', 'no role x')
    leftOut.warn('owner-left-out', `owner of ${table}`)
  }
  leftOut.warn('role-missing', 'no role y')
  leftOut.warn('grant-left-out', 'privileges on a')
  expect(said).toEqual(['role-missing: no role x', 'role-missing: no role y'])
  leftOut.finish()
  leftOut.finish()
  expect(said.slice(2)).toEqual([
    'owner-left-out: owner of a; and 2 more like it',
    'grant-left-out: privileges on a',
  ])
})
