import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { createDatabase, execute, type Server } from '../fixtures/databases.ts'
import { findDebianPostgres } from '../fixtures/debian-postgres.ts'
import { loadEveryType } from '../fixtures/every-type.mjs'
import { describeRights, describeRoles } from '../fixtures/rights.ts'
import { RoundTrips, type Trial } from '../fixtures/round-trips.ts'

/** A restored database equals its source: structure, rows, owners, privileges, settings, roles. */

type Start = NonNullable<Parameters<typeof startPostgres>[0]>

const SETTINGS = { max_prepared_transactions: 5, wal_level: 'logical' }
const ROLES = ['crm_owner', 'Analyst', 'deputy', 'crm_app', 'every_type_reader']

/** On top of the sample CRM. */
const RIGHTS = [
  `CREATE ROLE crm_owner LOGIN CREATEDB CONNECTION LIMIT 5 VALID UNTIL '2031-02-03 04:05:06+00' PASSWORD 'stays at home'`,
  'CREATE ROLE "Analyst" NOINHERIT',
  'CREATE ROLE deputy LOGIN BYPASSRLS IN ROLE "Analyst"',
  'GRANT "Analyst" TO crm_owner WITH ADMIN OPTION',
  `COMMENT ON ROLE deputy IS 'it''s the deputy'`,
  `ALTER ROLE deputy SET work_mem = '11MB'`,
  'ALTER SCHEMA billing OWNER TO crm_owner',
  'ALTER TABLE contacts OWNER TO crm_owner',
  'GRANT SELECT ON tickets TO deputy WITH GRANT OPTION',
  'GRANT SELECT (id, name), UPDATE (name) ON companies TO "Analyst"',
  'REVOKE ALL ON contacts FROM crm_owner',
  'GRANT SELECT, INSERT ON contacts TO crm_owner',
  'GRANT USAGE ON SCHEMA billing TO "Analyst"',
  'ALTER DEFAULT PRIVILEGES FOR ROLE crm_owner IN SCHEMA billing GRANT SELECT ON TABLES TO "Analyst"',
  'ALTER DEFAULT PRIVILEGES FOR ROLE crm_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC',
  `SELECT lo_from_bytea(70002, '\\x00'), lo_from_bytea(70003, decode(repeat('00ff5c27', 179200), 'hex'))`,
  'ALTER LARGE OBJECT 70002 OWNER TO deputy',
  'GRANT SELECT ON LARGE OBJECT 70003 TO deputy WITH GRANT OPTION',
  `COMMENT ON LARGE OBJECT 70003 IS E'two\\nlines'`,
  `ALTER DATABASE crm SET search_path = "$user", public, billing`,
  `ALTER DATABASE crm SET default_transaction_read_only = on`,
  `ALTER ROLE deputy IN DATABASE crm SET statement_timeout = '7s'`,
  'GRANT CONNECT ON DATABASE crm TO deputy WITH GRANT OPTION',
  'REVOKE ALL ON DATABASE crm FROM PUBLIC',
  `COMMENT ON DATABASE crm IS 'ours'`,
  'ALTER DATABASE crm CONNECTION LIMIT 42',
  'ALTER DATABASE crm OWNER TO crm_owner',
]

let target: Server
let trips: RoundTrips

beforeAll(async () => {
  target = await startPostgres({ major: 18, settings: SETTINGS })
  trips = await RoundTrips.open(target)
})
afterAll(async () => {
  await target?.stop()
  await trips?.close()
})

/** A source of both databases that hold one of everything. */
async function fillSource(start: Start, scale: number) {
  const source = await startPostgres({ ...start, settings: SETTINGS })
  const crm = await createDatabase(source, 'crm')
  await fillSampleCrm(crm, { scale })
  await execute(crm, ...RIGHTS)
  const everyType = await createDatabase(source, 'every_type')
  await loadEveryType(everyType)
  return { source, crm, everyType }
}

describe('PostgreSQL 18 to 18', () => {
  let from: Awaited<ReturnType<typeof fillSource>>
  beforeAll(async () => {
    from = await fillSource({ major: 18 }, 0.5)
  })
  afterAll(() => from?.source.stop())

  test('the sample CRM, three jobs', async () => {
    expect(await trips.differences(from.crm, { jobs: 3, dump: true })).toEqual([])
    const here = await describeRoles(from.source.url, ROLES)
    // every_type_reader is nothing to this database
    expect(await describeRoles(target.url, ROLES)).toEqual(here.slice(0, -1))
    expect(here).toHaveLength(ROLES.length)
  })

  test('every type, one job', async () => {
    expect(await trips.differences(from.everyType, { jobs: 1, dump: true })).toEqual([])
    expect(await describeRoles(target.url, ROLES)).toEqual(
      await describeRoles(from.source.url, ROLES),
    )
  })

  test('the comparison of rights sees what differs', async () => {
    const before = await describeRights(from.crm)
    await execute(
      from.crm,
      'SET default_transaction_read_only = off',
      'GRANT SELECT ON countries TO deputy',
      'ALTER TABLE teams OWNER TO deputy',
      'ALTER LARGE OBJECT 70003 OWNER TO crm_owner',
      `ALTER ROLE deputy IN DATABASE crm SET statement_timeout = '8s'`,
      'GRANT USAGE ON SCHEMA public TO "Analyst"',
      'REVOKE CONNECT ON DATABASE crm FROM deputy',
    )
    const after = await describeRights(from.crm)
    const found = [
      ...before.filter((line) => !after.includes(line)),
      ...after.filter((line) => !before.includes(line)),
    ].join('\n')
    for (const part of [
      'countries',
      'teams',
      '70003',
      '7s',
      '8s',
      'schema public',
      'database: dep',
    ]) {
      expect(found).toContain(part)
    }
  })
})

const DEBIAN = findDebianPostgres('backups by a native pg_dump')

const SOURCES: [string, Start, Trial][] = [
  ['14', { major: 14 }, { jobs: 1, args: ['--pg-dump', 'wasm'] }],
  DEBIAN === undefined
    ? ['15', { major: 15 }, { jobs: 2 }]
    : ['15 of Debian', { bin: DEBIAN }, { jobs: 2, args: ['--pg-dump', 'native'] }],
  ['16', { major: 16 }, { jobs: 3 }],
  ['17', { major: 17 }, { jobs: 3 }],
]

describe.each(SOURCES)('PostgreSQL %s', (_, start, trial) => {
  let from: Awaited<ReturnType<typeof fillSource>>
  beforeAll(async () => {
    from = await fillSource(start, 0.05)
  })
  afterAll(() => from?.source.stop())

  test('to 18', async () => {
    expect(await trips.differences(from.crm, trial)).toEqual([])
    expect(await trips.differences(from.everyType, trial)).toEqual([])
  })

  test('to its own version', async () => {
    const on = await startPostgres({ ...start, settings: SETTINGS })
    try {
      expect(await trips.differences(from.crm, { ...trial, on, dump: true })).toEqual([])
      expect(await trips.differences(from.everyType, { on, jobs: 1, dump: true })).toEqual([])
    } finally {
      await on.stop()
    }
  })
})
