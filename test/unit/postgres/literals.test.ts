import { expect, test } from '@jest/globals'
import { cutStatements } from '../../../src/postgres/statements.ts'
import { kindsIn } from '../../../src/source/literal-kinds.ts'
import { findLiterals } from '../../../src/source/literals.ts'

test.each([
  ['write to kovács.béla@cégünk.hu;', ['e-mail address']],
  ['a@mail.example.com b@x.test c@localhost', []],
  ['example@myexample.com', ['e-mail address']],
  ['+36 20 123 4567', ['phone number']],
  ['call 06-20/123-4567 now', ['phone number']],
  ['(20) 123-4567', ['phone number']],
  ['2024-01-01 00:00:00+00', []],
  ['^\\+?[0-9]{7,15}$', []],
  ['version 10.0.12-4567 of 2024-10-10', []],
  ['HU42 1177 3016 1111 1018 0000 0000', ['IBAN']],
  ['HU43 1177 3016 1111 1018 0000 0000', []],
  ['4111 1111 1111 1111', ['card number']],
  ['4111 1111 1111 1112', []],
  ['postgres://u:p@host/db', ['password']],
  ['host=a dbname=b password=c', ['password']],
  ["update users set password = crypt('x')", []],
  ['-----BEGIN RSA PRIVATE KEY-----', ['private key']],
  ['d41d8cd98f00b204e9800998ecf8427e', ['token']],
  ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0.x', ['token']],
  ['123e4567-e89b-12d3-a456-426614174000', []],
  ['customer_address_import_2024_batch_of_may', []],
  ['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', []],
])('%s holds %j', (text, kinds) => {
  expect(kindsIn(text)).toEqual(kinds)
})

test.each([
  ["CREATE TABLE public.t (a text DEFAULT 'x@ceg.hu'::text)", 'default of public.t.a'],
  ["CREATE TABLE public.t (a text, CONSTRAINT c CHECK (a <> 'x@ceg.hu'))", 'check c of public.t'],
  [
    "CREATE TABLE public.t (a text GENERATED ALWAYS AS (b || 'x@ceg.hu') STORED)",
    'expression of public.t.a',
  ],
  ["ALTER TABLE ONLY public.t ALTER COLUMN a SET DEFAULT 'x@ceg.hu'", 'default of public.t.a'],
  [
    "ALTER TABLE ONLY public.p ATTACH PARTITION public.q FOR VALUES IN ('x@ceg.hu')",
    'partition bounds of public.q',
  ],
  ["COMMENT ON COLUMN public.t.a IS 'x@ceg.hu'", 'comment on column public.t.a'],
  ["CREATE TYPE public.e AS ENUM ('x@ceg.hu')", 'type public.e'],
  [
    "CREATE DOMAIN public.d AS text CONSTRAINT c CHECK (VALUE <> 'x@ceg.hu')",
    'check c of public.d',
  ],
  ["CREATE VIEW public.v AS SELECT 'x@ceg.hu'", 'view public.v'],
  [
    'CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$ -- x@ceg.hu $$',
    'function public.f',
  ],
  [
    "CREATE FUNCTION public.f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 'x@ceg.hu'; END",
    'function public.f',
  ],
  [
    "CREATE TRIGGER r AFTER INSERT ON public.t EXECUTE FUNCTION public.f('x@ceg.hu')",
    'trigger r of public.t',
  ],
  ["CREATE POLICY p ON public.t USING (a = 'x@ceg.hu')", 'policy p of public.t'],
  ["CREATE INDEX i ON public.t (a) WHERE a <> 'x@ceg.hu'", 'index i of public.t'],
])('%s is reported as %s', async (sql, place) => {
  for await (const statement of cutStatements(`${sql};`)) {
    expect(findLiterals(statement)).toEqual([{ place, kind: 'e-mail address' }])
  }
})

test('names are not looked at', async () => {
  const sql = 'CREATE TABLE public."a@ceg.hu" ("b@ceg.hu" text, CHECK ("b@ceg.hu" <> \'\'))'
  for await (const statement of cutStatements(`${sql};`))
    expect(findLiterals(statement)).toEqual([])
})
