import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { parse } from 'yaml'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'

type Server = Awaited<ReturnType<typeof startPostgres>>

const TABLES = `
  select c.oid::regclass::text as name from pg_class c
  where c.relnamespace in ('public'::regnamespace, 'billing'::regnamespace)
    and c.relkind in ('r', 'p') and not c.relispartition
  order by c.oid::regclass::text collate "C"`

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** A new database on the server, filled. */
async function filled(server: Server, name: string, seed: number): Promise<string> {
  await withClient(server.url, (client) => client.query(`create database ${name}`))
  const url = server.url.replace(/postgres$/, name)
  await fillSampleCrm(url, { scale: 0.05, seed })
  return url
}

/** SHA-256 of each table as COPY writes it. */
async function digests(url: string): Promise<Map<string, string>> {
  return withClient(url, async (client) => {
    const found = new Map<string, string>()
    const { rows } = await client.query<{ name: string }>(TABLES)
    for (const { name } of rows) {
      const hash = createHash('sha256')
      const copy = client.query(copyTo(`copy (select * from ${name}) to stdout`))
      for await (const chunk of copy) hash.update(chunk as Buffer)
      found.set(name, hash.digest('hex'))
    }
    return found
  })
}

describe.each([14, 18] as const)('the sample CRM on PostgreSQL %i', (major) => {
  let server: Server
  let url: string
  let first: Map<string, string>

  beforeAll(async () => {
    server = await startPostgres({ major })
    url = await filled(server, 'first', 7)
    first = await digests(url)
  })
  afterAll(() => server?.stop())

  test('equal seeds give equal rows in every table', async () => {
    expect(await digests(await filled(server, 'second', 7))).toEqual(first)
    expect(first.size).toBeGreaterThan(18)
  })

  test('another seed gives other people', async () => {
    const others = await digests(await filled(server, 'third', 8))
    for (const table of ['contacts', 'mails', 'tickets', 'calls']) {
      expect(others.get(table)).not.toBe(first.get(table))
    }
  })

  test('mails, tickets and calls name the contacts they belong to', async () => {
    const { rows } = await withClient(url, (client) =>
      client.query(`select
        (select count(*) from tickets t join contacts c on c.email = t.requester_email)
          = (select count(*) from tickets) as tickets,
        (select count(*) from calls l join contacts c on c.id = l.contact_id and c.mobile = l.phone) > 0 as calls,
        (select count(*) from mails m where not exists (
          select from contacts c where lower(c.email) in (lower(m.from_address), m.to_addresses[1]))) = 0 as mails`),
    )
    expect(rows).toEqual([{ tickets: true, calls: true, mails: true }])
  })

  test('the rules decide every column', async () => {
    const rules = parse(await readFile('masking-rules/crm.yaml', 'utf8')) as {
      tables: Record<string, string | (Record<string, unknown> & { keep: string[] })>
    }
    const { rows } = await withClient(url, (client) =>
      client.query<{ name: string; columns: string[] }>(`
        select n.nspname || '.' || c.relname as name, array_agg(a.attname::text) as columns
        from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
        where n.nspname in ('public', 'billing') and c.relkind in ('r', 'p') and a.attnum > 0 and a.attgenerated = ''
          and not exists (select from pg_inherits where inhrelid = c.oid)
        group by 1`),
    )
    expect(Object.keys(rules.tables).sort()).toEqual(rows.map(({ name }) => name).sort())
    for (const { name, columns } of rows) {
      const rule = rules.tables[name]
      if (typeof rule !== 'object') continue
      const { keep, ...masked } = rule
      expect([...keep, ...Object.keys(masked)].sort()).toEqual(columns.sort())
    }
  })
})
