import { describe, expect, test } from '@jest/globals'
import { describeStatement } from '../../../src/postgres/statement-names.ts'
import { cutStatements, type Statement } from '../../../src/postgres/statements.ts'

async function cut(dump: string): Promise<Statement[]> {
  const statements: Statement[] = []
  for await (const statement of cutStatements(dump)) statements.push(statement)
  return statements
}

describe('cutting a dump', () => {
  test('takes comments, semicolons and pg_dump’s psql lines off', async () => {
    const dump = `--\n-- PostgreSQL database dump\n--\n\n\\restrict aB3\n\n-- Dumped\n\nSET a = 'ő;';\n\n--\n-- Name: ő\n--\n\nCREATE TABLE public."ű;" ();\n\n\\unrestrict aB3\n\n`
    expect((await cut(dump)).map(({ kind, sql }) => [kind, sql])).toEqual([
      ['VariableSetStmt', "SET a = 'ő;'"],
      ['CreateStmt', 'CREATE TABLE public."ű;" ()'],
    ])
  })

  test('keeps lines of literals that look like those of pg_dump', async () => {
    const body = '\n\\unrestrict aB3\n--\n-- Name: x\n--\n'
    const sql = `COMMENT ON TABLE public.t IS '${body}'`
    const dump = `\\restrict aB3\n${sql};\n\\unrestrict aB3\n`
    expect((await cut(dump)).map((statement) => statement.sql)).toEqual([sql])
  })

  test('joins chunks that end inside a literal', async () => {
    const header = '\n--\n-- Name: y; Type: TABLE\n--\n\n'
    const filler = 'ő'.repeat(20_000)
    const body = `${filler}${header}${filler}${header}${filler}`
    const dump = [1, 2, 3]
      .map((i) => `${header}COMMENT ON TABLE public.t${i} IS '${body}';\n`)
      .join('')
    const statements = await cut(dump)
    expect(statements.map(describeStatement)).toEqual(
      [1, 2, 3].map((i) => `comment on table public.t${i}`),
    )
    expect(statements.every(({ sql }) => sql.endsWith(`${body}'`))).toBe(true)
  })

  test('an empty dump has no statements', async () => {
    expect(await cut('')).toEqual([])
    expect(await cut('\n-- nothing\n')).toEqual([])
  })

  test('says where a dump cannot be read, without quoting it', async () => {
    const dump =
      "\n--\n-- Name: t; Type: TABLE\n--\n\nCREATE TABEL x (a text default 'kiss@ceg.hu');\n"
    await expect(cut(dump)).rejects.toMatchObject({
      kind: 'source',
      message: 'cannot read the structure that pg_dump wrote: the parser stops at t',
    })
  })
})

test.each([
  ['CREATE INDEX "I" ON public.t (a)', 'index I of public.t'],
  ['ALTER TABLE ONLY public.t ADD CONSTRAINT c UNIQUE (a)', 'constraint c of public.t'],
  ["ALTER TABLE ONLY public.t ALTER COLUMN a SET DEFAULT 'x'", 'default of public.t.a'],
  ['ALTER TABLE public.t ENABLE ROW LEVEL SECURITY', 'table public.t'],
  ["COMMENT ON FUNCTION public.f(integer) IS 'x'", 'comment on function public.f'],
  ["COMMENT ON CONSTRAINT c ON public.t IS 'x'", 'comment on constraint public.t.c'],
  ["COMMENT ON TYPE public.e IS 'x'", 'comment on type public.e'],
  ['CREATE MATERIALIZED VIEW public.m AS SELECT 1 WITH NO DATA', 'materialized view public.m'],
  ["CREATE COLLATION public.c (provider = libc, locale = 'C')", 'collation public.c'],
  ['CREATE CAST (text AS integer) WITH INOUT', 'CreateCastStmt'],
])('%s is shown as %s', async (sql, shown) => {
  expect((await cut(`${sql};`)).map(describeStatement)).toEqual([shown])
})
