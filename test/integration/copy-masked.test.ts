import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readFile } from 'node:fs/promises'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { HUNGARIAN_PLACES } from '../../src/mask/locales/hungarian-places.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { runCopy } from '../fixtures/run-pgveil.ts'

const SECRET = 'correct horse battery staple 2026'

let production: Server
let dev: Server
let source: string
let rules: string

beforeAll(async () => {
  ;[production, dev] = await Promise.all([startPostgres(), startPostgres()])
  source = await createDatabase(production, 'crm')
  await fillSampleCrm(source, { scale: 1, seed: 11 })
  await execute(dev.url, 'CREATE ROLE crm_app')
  rules = await readFile(new URL('../../masking-rules/crm.yaml', import.meta.url), 'utf8')
})

afterAll(async () => {
  await Promise.all([production?.stop(), dev?.stop()])
})

async function copy(
  name: string,
  run: { jobs?: number; args?: string[]; secret?: string; rules?: string } = {},
) {
  const target = databaseUrl(dev, name)
  const { code, stderr } = await runCopy({
    source,
    target,
    rules: run.rules ?? rules,
    args: ['--jobs', `${run.jobs ?? 2}`, ...(run.args ?? [])],
    ...(run.secret && { env: { PGVEIL_SECRET: run.secret } }),
  })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return target
}

const digestOf = async (url: string) =>
  (
    await query(
      url,
      `SELECT md5(string_agg(c::text, ',' ORDER BY id)) AS contacts,
              (SELECT md5(string_agg(a::text, ',' ORDER BY id)) FROM addresses a) AS addresses
       FROM contacts c`,
    )
  )[0]

/** Values of both databases, side by side by key. */
async function pairs(target: string, sql: string): Promise<[before: string, after: string][]> {
  const [before, after] = await Promise.all([query(source, sql), query(target, sql)])
  expect(after.map((row) => row['k'])).toEqual(before.map((row) => row['k']))
  return before.map((row, i) => [row['v'] as string, after[i]?.['v'] as string])
}

describe('the sample CRM, masked', () => {
  let target: string
  beforeAll(async () => {
    target = await copy('crm')
  })

  test.each([
    ['names', 'SELECT id AS k, name AS v FROM contacts ORDER BY id'],
    ['mail addresses', 'SELECT id AS k, email::text AS v FROM contacts ORDER BY id'],
    [
      'telephone numbers',
      'SELECT id AS k, mobile AS v FROM contacts WHERE mobile <> $$$$ ORDER BY id',
    ],
    [
      'birth dates',
      'SELECT id AS k, birth_date::text AS v FROM contacts WHERE birth_date IS NOT NULL ORDER BY id',
    ],
    ['streets', 'SELECT id AS k, street AS v FROM addresses ORDER BY id'],
    ['mail texts', 'SELECT id AS k, body AS v FROM mails ORDER BY id'],
    [
      'accounts',
      'SELECT id AS k, bank_account AS v FROM companies WHERE bank_account IS NOT NULL ORDER BY id',
    ],
    [
      'noted rows',
      'SELECT id AS k, new_row::text AS v FROM audit_log WHERE new_row IS NOT NULL ORDER BY id',
    ],
  ])('%s: none is what it was', async (_, sql) => {
    const values = await pairs(target, sql)
    expect(values.length).toBeGreaterThan(100)
    expect(values.filter(([before, after]) => before === after)).toEqual([])
  })

  test('equal mail addresses are equal in all tables, and only those', async () => {
    const sql = `
      SELECT * FROM (
        SELECT 'contact ' || id AS k, lower(email::text) AS v FROM contacts
        UNION ALL SELECT 'from ' || id, lower(trim(from_address)) FROM mails
        UNION ALL SELECT 'to ' || id || ' ' || n, lower(trim(a))
          FROM mails, unnest(to_addresses) WITH ORDINALITY t(a, n)
        UNION ALL SELECT 'ticket ' || id, lower(trim(requester_email)) FROM tickets
      ) x WHERE v IS NOT NULL ORDER BY k`
    const masks = new Map<string, Set<string>>()
    const originals = new Map<string, Set<string>>()
    for (const [before, after] of await pairs(target, sql)) {
      masks.set(before, (masks.get(before) ?? new Set()).add(after))
      originals.set(after, (originals.get(after) ?? new Set()).add(before))
    }
    expect(masks.size).toBeGreaterThan(4000)
    expect([...masks.values()].filter((each) => each.size !== 1)).toEqual([])
    expect([...originals.values()].filter((each) => each.size !== 1)).toEqual([])
  })

  test('mail goes to reserved domains, telephone numbers are assigned to nobody', async () => {
    const [mail] = await query(
      target,
      `SELECT count(*)::int AS n FROM contacts
       WHERE email::text !~ '^[a-z0-9.]+@(example\\.(com|org|net)|[a-z.]*\\.?(test|example\\.test))$'`,
    )
    expect(mail).toEqual({ n: 0 })
    const [phone] = await query(
      target,
      "SELECT count(*)::int AS n FROM contacts WHERE mobile !~ '^\\+36 58 '",
    )
    expect(phone).toEqual({ n: 0 })
  })

  test('postal code, town and county of a row agree, and are real', async () => {
    const rows = await query(
      target,
      "SELECT DISTINCT zip || ' ' || city || ', ' || county AS place FROM addresses",
    )
    expect(rows.length).toBeGreaterThan(30)
    const known = new Set(
      HUNGARIAN_PLACES.flatMap(({ city, codes, state }) =>
        codes.map((zip) => `${zip} ${city}, ${state}`),
      ),
    )
    const wrong = rows.filter(({ place }) => place !== null && !known.has(place as string))
    expect(wrong).toEqual([])
  })

  test('account numbers have the right check digits', async () => {
    const rows = await query(
      target,
      'SELECT bank_account AS iban FROM companies WHERE bank_account IS NOT NULL',
    )
    const remainder = (iban: string) => {
      const moved = iban.slice(4) + iban.slice(0, 4)
      const digits = moved.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
      return BigInt(digits) % 97n
    }
    expect(rows.length).toBeGreaterThan(100)
    expect(rows.filter(({ iban }) => remainder(String(iban).replaceAll(' ', '')) !== 1n)).toEqual(
      [],
    )
  })

  test('joins over masked keys find as much as before', async () => {
    const sql = `SELECT count(*)::int AS n, sum(i.number % 97)::int AS s
                 FROM billing.invoices i JOIN companies USING (customer_number)`
    expect(await query(target, sql)).toEqual(await query(source, sql))
    const keys = await pairs(
      target,
      'SELECT id AS k, customer_number AS v FROM companies ORDER BY id',
    )
    expect(keys.filter(([before, after]) => before === after).length).toBeLessThan(3)
  })

  test('what repeats names follows: generated columns, views, materialised views', async () => {
    const [row] = await query(
      target,
      `SELECT (SELECT count(*) FROM contacts WHERE search <> to_tsvector('simple', name || ' ' || coalesce(nickname, '')))::int AS stale,
              (SELECT count(*) FROM contacts WHERE birth_year <> extract(year FROM birth_date))::int AS years`,
    )
    expect(row).toEqual({ stale: 0, years: 0 })
    const [view] = await query(
      target,
      `SELECT count(*)::int AS n FROM contact_directory d
       WHERE NOT EXISTS (SELECT FROM contacts c WHERE c.id = d.id AND d::text LIKE '%' || c.name || '%')`,
    )
    expect(view).toEqual({ n: 0 })
  })
})

describe('the key', () => {
  test('is drawn anew for each run; a named secret makes masks stable', async () => {
    const first = await digestOf(await copy('stable', { secret: SECRET }))
    const second = await digestOf(await copy('stable', { secret: SECRET, jobs: 1 }))
    expect(second).toEqual(first)
    const other = await digestOf(await copy('other', { secret: `${SECRET} too` }))
    const random = await digestOf(await copy('random'))
    expect(new Set([first, other, random].map((each) => JSON.stringify(each))).size).toBe(3)
  })
})

describe('some of the rows', () => {
  test('--only copies rows of these tables; foreign keys to the others are not valid', async () => {
    const target = await copy('some', { args: ['--only', 'addresses,contacts'] })
    const [counts] = await query(
      target,
      `SELECT (SELECT count(*) FROM contacts)::int AS contacts, (SELECT count(*) FROM companies)::int AS companies,
              (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated
               AND conrelid = 'contacts'::regclass AND confrelid = 'companies'::regclass)::int AS dangling,
              (SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated
               AND conrelid = 'addresses'::regclass AND confrelid = 'contacts'::regclass)::int AS whole`,
    )
    expect(counts).toEqual({ contacts: 5000, companies: 0, dangling: 1, whole: 1 })
  })

  test('where: is a filter in SQL', async () => {
    const some = rules.replace('  public.calls:\n', '  public.calls:\n    where: id % 10 = 0\n')
    expect(some).not.toBe(rules)
    const target = await copy('filtered', { rules: some })
    const [calls] = await query(
      target,
      'SELECT count(*)::int AS n, bool_and(id % 10 = 0) AS all FROM calls',
    )
    expect(calls).toEqual({ n: 500, all: true })
  })
})
