import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, databaseUrl, execute, type Server } from '../fixtures/databases.ts'
import { loadEveryType } from '../fixtures/every-type.mjs'
import { keepEverything, WAYS, type Way } from '../fixtures/keep-everything.ts'
import { runCopy } from '../fixtures/run-pgveil.ts'

/** A copy under rules that change nothing equals its source, whichever way the rows travel. */

const MAJORS = [14, 18] as const
type Major = (typeof MAJORS)[number]

const sources = new Map<Major, Server>()
const targets = new Map<Major, Server>()

beforeAll(async () => {
  await Promise.all(
    MAJORS.map(async (major) => {
      const settings = { max_prepared_transactions: 5 }
      const [source, target] = await Promise.all([
        startPostgres({ major, settings: { ...settings, wal_level: 'logical' } }),
        startPostgres({ major, settings }),
      ])
      sources.set(major, source)
      targets.set(major, target)
      await fillSampleCrm(await createDatabase(source, 'crm'), { scale: 0.5 })
      await loadEveryType(await createDatabase(source, 'every_type'))
      // policies name them
      await execute(target.url, 'CREATE ROLE crm_app', 'CREATE ROLE every_type_reader')
    }),
  )
})
afterAll(() => Promise.all([...sources.values(), ...targets.values()].map((each) => each.stop())))

/** Copies, and tells how the copy differs. */
async function differences(database: string, from: Major, to: Major, way: Way, jobs: number) {
  const source = databaseUrl(sources.get(from) as Server, database)
  const target = databaseUrl(targets.get(to) as Server, `${database}_${from}_${way}`)
  const rules = await keepEverything(source, way)
  const { code, stderr } = await runCopy({ source, target, rules, args: ['--jobs', `${jobs}`] })
  if (code !== 0) throw new Error(stderr)
  return compareDatabases(source, target, {
    dump: from === to && way === 'relay',
    except: STAYS_BEHIND,
  })
}

/** What a copy leaves out on purpose: foreign servers, user mappings, foreign tables. */
const STAYS_BEHIND =
  /^(dump .*Type: (SERVER|USER MAPPING|FOREIGN TABLE)|(column|relation) shapes\.foreign_file)/

const PAIRS: [Major, Major][] = [
  [18, 18],
  [14, 14],
  [14, 18],
]

describe.each(PAIRS)('PostgreSQL %i to %i', (from, to) => {
  describe.each(['crm', 'every_type'])('%s', (database) => {
    // How an old server's rows are read shows on the way to a new one, too.
    const ways = to === 18 ? WAYS : (['relay', 'same'] as const)
    test.each(ways)('%s', async (way) => {
      const jobs = way === 'relay' || way === 'same' ? 3 : 1
      expect(await differences(database, from, to, way, jobs)).toEqual([])
    })
  })
})

test('the comparison sees what differs', async () => {
  const source = databaseUrl(sources.get(18) as Server, 'crm')
  const copy = databaseUrl(targets.get(18) as Server, 'crm_18_relay')
  await execute(
    copy,
    `UPDATE teams SET name = name || ' ' WHERE id = 1`,
    'DELETE FROM billing.refunds WHERE id = (SELECT min(id) FROM billing.refunds)',
    `SELECT nextval('customer_number_seq')`,
    'ALTER TABLE contacts DISABLE TRIGGER contacts_audit',
    'ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY',
    'ALTER POLICY open_tickets ON tickets TO crm_app',
    'DROP INDEX contacts_mobile',
    'ALTER TABLE teams ALTER name DROP NOT NULL',
    'ALTER TABLE teams REPLICA IDENTITY FULL',
    'REFRESH MATERIALIZED VIEW contact_directory WITH NO DATA',
    'COMMENT ON SCHEMA billing IS NULL',
    `SELECT lo_put(4100001, 0, 'x')`,
    'CREATE CAST (oid AS text) WITH INOUT',
  )
  const found = await compareDatabases(source, copy, { dump: true })
  for (const place of [
    'rows of public.teams',
    'rows of billing.refunds',
    'rows of public.contact_directory',
    'sequence public.customer_number_seq',
    'trigger CREATE TRIGGER contacts_audit',
    'relation public.tickets',
    'relation public.teams',
    'relation public.contact_directory',
    'policy public.tickets: open_tickets',
    'index CREATE INDEX contacts_mobile',
    'column public.teams.name',
    'comment (schema,,billing',
    'large object 4100001',
    'dump Name: CAST',
  ]) {
    expect(found.filter((line) => line.slice(2).startsWith(place))).not.toEqual([])
  }
})
