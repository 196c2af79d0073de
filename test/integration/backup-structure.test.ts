import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { openClient, parseEndpoint } from '../../src/postgres/connect.ts'
import { chooseDumper } from '../../src/postgres/pg-dump.ts'
import { cutStatements } from '../../src/postgres/statements.ts'
import { buildConstraints, checkBuilding, TargetSessions } from '../../src/sink/finish.ts'
import { loadLargeObjects } from '../../src/sink/large-objects.ts'
import { LeftOut } from '../../src/sink/left-out.ts'
import { runRestoreSql } from '../../src/sink/restore-sql.ts'
import { planStructure } from '../../src/sink/structure-plan.ts'
import { createStructure } from '../../src/sink/structure.ts'
import { readCatalog } from '../../src/source/catalog.ts'
import { readGlobals } from '../../src/source/globals.ts'
import { largeObjectRanges, largeObjectSql } from '../../src/source/large-objects.ts'
import { readSettings, refreshSql } from '../../src/source/settings.ts'
import { openSnapshot } from '../../src/source/snapshot.ts'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, execute, query } from '../fixtures/databases.ts'
import { findDebianPostgres } from '../fixtures/debian-postgres.ts'
import { loadEveryType } from '../fixtures/every-type.mjs'

// the thread of the WebAssembly pg_dump is a file of the build
const built = new URL('../../dist/postgres/pg-dump.js', import.meta.url)
const { dumpStructure } = (await import(
  built.href
)) as typeof import('../../src/postgres/pg-dump.ts')

const PSQL = findPsql()

function findPsql(): boolean {
  try {
    execFileSync('psql', ['--version'])
    return true
  } catch {
    process.stderr.write(
      '\nSKIPPED: the SQL of a backup is not tried with psql, which is absent\n\n',
    )
    return false
  }
}

const ODD = `odd 'role' "of" $pgveil$ \\ :name %1$I\nline two`
const ODD_NAME = pg.escapeIdentifier(ODD)

/** Everything about rights that a database can hold, on top of the sample CRM. */
const RIGHTS = `
  CREATE ROLE "Crm Owner" LOGIN CREATEDB CONNECTION LIMIT 5 VALID UNTIL '2031-02-03 04:05:06+00' PASSWORD 'never in a backup';
  CREATE ROLE reporting NOLOGIN NOINHERIT;
  CREATE ROLE auditor LOGIN BYPASSRLS;
  CREATE ROLE group_of_group;
  CREATE ROLE ${ODD_NAME};
  CREATE ROLE not_referred_to;
  GRANT reporting TO auditor WITH ADMIN OPTION;
  GRANT pg_read_all_settings TO auditor;
  GRANT group_of_group TO reporting;
  COMMENT ON ROLE auditor IS E'it''s the auditor\\nof $pgveil$';
  ALTER ROLE auditor SET work_mem = '11MB';
  ALTER ROLE auditor SET search_path = "$user", "Odd, schema", billing;
  CREATE SCHEMA "Odd, schema" AUTHORIZATION ${ODD_NAME};
  ALTER SCHEMA billing OWNER TO "Crm Owner";
  ALTER TABLE contacts OWNER TO "Crm Owner";
  ALTER VIEW contact_overview OWNER TO "Crm Owner";
  ALTER FUNCTION set_updated_at() OWNER TO "Crm Owner";
  ALTER TYPE user_role OWNER TO "Crm Owner";
  GRANT SELECT ON tickets TO auditor WITH GRANT OPTION;
  SET ROLE auditor;
  GRANT SELECT ON tickets TO reporting;
  RESET ROLE;
  GRANT SELECT (id, name), UPDATE (name) ON companies TO ${ODD_NAME};
  REVOKE EXECUTE ON FUNCTION set_updated_at() FROM PUBLIC;
  REVOKE ALL ON contacts FROM "Crm Owner";
  GRANT SELECT, INSERT ON contacts TO "Crm Owner";
  GRANT USAGE ON SCHEMA public TO reporting;
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  GRANT USAGE ON TYPE user_role TO reporting;
  GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO auditor;
  ALTER DEFAULT PRIVILEGES FOR ROLE "Crm Owner" IN SCHEMA billing GRANT SELECT ON TABLES TO reporting;
  ALTER DEFAULT PRIVILEGES FOR ROLE "Crm Owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
  CREATE POLICY audits ON contacts FOR SELECT TO auditor USING (true);
  CREATE PUBLICATION crm_changes FOR TABLE contacts WHERE (id > 7), tickets WITH (publish = 'insert');
  COMMENT ON PUBLICATION crm_changes IS 'to the warehouse';
  ALTER PUBLICATION crm_changes OWNER TO "Crm Owner";
  SELECT lo_create(70001), lo_from_bytea(70002, '\\x00'),
         lo_from_bytea(70003, decode(repeat('00ff5c27', 179200), 'hex')), lo_from_bytea(4294967290, '\\x27');
  ALTER LARGE OBJECT 70002 OWNER TO ${ODD_NAME};
  GRANT SELECT ON LARGE OBJECT 70003 TO auditor WITH GRANT OPTION;
  GRANT UPDATE ON LARGE OBJECT 70003 TO PUBLIC;
  REVOKE UPDATE ON LARGE OBJECT 70002 FROM ${ODD_NAME};
  COMMENT ON LARGE OBJECT 70001 IS E'two\\nlines, ''quoted'' \\\\ and \\r :name';
  ALTER DATABASE crm SET search_path = "$user", public, "Odd, schema";
  ALTER DATABASE crm SET crm.note = E'100% "so" %1$I it''s\\n$pgveil$';
  ALTER DATABASE crm SET "TimeZone" = 'Europe/Budapest';
  ALTER ROLE auditor IN DATABASE crm SET statement_timeout = '7s';
  GRANT CONNECT, TEMPORARY ON DATABASE crm TO auditor WITH GRANT OPTION;
  REVOKE ALL ON DATABASE crm FROM PUBLIC;
  COMMENT ON DATABASE crm IS E'%1$I the ''CRM''\\nof us';
  ALTER DATABASE crm CONNECTION LIMIT 42;
  ALTER DATABASE crm OWNER TO "Crm Owner"`

/** What an extension makes is the extension's, and differs between its versions. */
const NO_MEMBER = (oid: string) =>
  `NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = ${oid} AND d.deptype = 'e')`
const SORTED = (list: string) => `(SELECT array_agg(x ORDER BY x) FROM unnest(${list}) x)`

/** One column each; what depends on names of databases or numbers is left out. */
const FACTS: Readonly<Record<string, string>> = {
  role: `SELECT format('%s super %s inherit %s createrole %s createdb %s login %s replication %s bypassrls %s limit %s until %s comment %s config %s',
      rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit,
      rolvaliduntil AT TIME ZONE 'UTC', shobj_description(oid, 'pg_authid'), ${SORTED('rolconfig')})
    FROM pg_roles WHERE oid <> 10 AND rolname !~ '^pg_' AND rolname <> 'not_referred_to'`,
  member: `SELECT format('%s in %s admin %s', member::regrole, roleid::regrole, admin_option) FROM pg_auth_members
    WHERE member >= 16384`,
  owner: `
    SELECT format('%s %s of %s', c.relkind, c.oid::regclass, c.relowner::regrole) FROM pg_class c WHERE c.oid >= 16384
      AND c.relkind <> 't' AND c.relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT format('function %s of %s', p.oid::regprocedure, p.proowner::regrole) FROM pg_proc p
      WHERE p.oid >= 16384 AND ${NO_MEMBER('p.oid')}
    UNION ALL SELECT format('type %s of %s', t.oid::regtype, t.typowner::regrole) FROM pg_type t
      JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid >= 16384 AND n.nspname <> 'pg_toast' AND ${NO_MEMBER('coalesce(nullif(t.typelem, 0), t.oid)')}
    UNION ALL SELECT format('schema %I of %s', n.nspname, n.nspowner::regrole) FROM pg_namespace n WHERE n.oid >= 16384 AND n.nspname !~ '^pg_'
    UNION ALL SELECT format('publication %I of %s %s', pubname, pubowner::regrole, (SELECT array_agg(format('%s.%s %s', schemaname, tablename, rowfilter) ORDER BY 1) FROM pg_publication_tables t WHERE t.pubname = p.pubname))
      FROM pg_publication p
    UNION ALL SELECT format('subscription %I of %s %s %s', subname, subowner::regrole, subconninfo, subenabled) FROM pg_subscription
      WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT format('event trigger %I of %s %s', evtname, evtowner::regrole, evtenabled) FROM pg_event_trigger
    UNION ALL SELECT format('server %I of %s %s', srvname, srvowner::regrole, ${SORTED('srvoptions')}) FROM pg_foreign_server
    UNION ALL SELECT format('large object %s of %s', oid, lomowner::regrole) FROM pg_largeobject_metadata
    UNION ALL SELECT format('mapping %s on %s %s', usename, srvname, ${SORTED('umoptions')}) FROM pg_user_mappings`,
  rights: `
    WITH acl(what, acl) AS (
      SELECT format('%s %s', relkind, oid::regclass), relacl FROM pg_class WHERE oid >= 16384
      UNION ALL SELECT format('column %s.%I', attrelid::regclass, attname), attacl FROM pg_attribute WHERE attrelid >= 16384
      UNION ALL SELECT format('function %s', oid::regprocedure), proacl FROM pg_proc
      UNION ALL SELECT format('schema %I', nspname), nspacl FROM pg_namespace WHERE nspname NOT IN ('pg_catalog', 'information_schema')
      UNION ALL SELECT format('type %s', oid::regtype), typacl FROM pg_type WHERE oid >= 16384
      UNION ALL SELECT format('server %I', srvname), srvacl FROM pg_foreign_server
      UNION ALL SELECT format('large object %s', oid), lomacl FROM pg_largeobject_metadata
      UNION ALL SELECT format('default %s %s %s', defaclrole::regrole, (SELECT nspname FROM pg_namespace n WHERE n.oid = defaclnamespace), defaclobjtype), defaclacl FROM pg_default_acl
      UNION ALL SELECT 'database', datacl FROM pg_database WHERE datname = current_database()
    )
    SELECT format('%s: %s may %s%s by %s', what, CASE grantee WHEN 0 THEN 'everybody' ELSE grantee::regrole::text END,
                  privilege_type, is_grantable, grantor::regrole)
    FROM acl, aclexplode(acl.acl) WHERE privilege_type <> 'MAINTAIN' AND what !~ 'pg_(?!ls_waldir)'`,
  database: `
    SELECT format('owner %s limit %s comment %s', datdba::regrole, datconnlimit, shobj_description(oid, 'pg_database'))
      FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT format('settings of %s: %s', setrole::regrole, ${SORTED('setconfig')})
      FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT format('policy %s on %s to %s', polname, polrelid::regclass, (SELECT array_agg(r::regrole ORDER BY r::regrole::text) FROM unnest(polroles) r)) FROM pg_policy`,
}

async function factsOf(url: string, kinds = Object.keys(FACTS)): Promise<string[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query("SET search_path = ''; SET timezone = 'UTC'")
    const lines: string[] = []
    for (const kind of kinds) {
      const { rows } = await client.query({ text: FACTS[kind] ?? '', rowMode: 'array' })
      lines.push(...rows.map(([line]) => `${kind}: ${line}`))
    }
    return lines.toSorted()
  } finally {
    await client.end()
  }
}

/** What of a backup is not rows. */
async function backUp(url: string, form: 'native' | 'wasm') {
  const endpoint = parseEndpoint(url, 'source')
  const snapshot = await openSnapshot(endpoint)
  try {
    const { client, facts } = snapshot
    const catalog = await readCatalog(client)
    const dumper = await chooseDumper(facts.major, form)
    const request = { endpoint, dumper, snapshot: snapshot.id, what: 'everything' } as const
    const pre = await dumpStructure({ ...request, section: 'pre-data' })
    const post = await dumpStructure({ ...request, section: 'post-data' })
    const largeObjects: Buffer[] = []
    const count = { objects: 0, bytes: 0 }
    const ranges = await largeObjectRanges(client, 500_000)
    for (const range of ranges) {
      for await (const chunk of largeObjectSql(client, range, count)) largeObjects.push(chunk)
    }
    return {
      catalog,
      pre: pre.text,
      post: post.text,
      warnings: [...pre.warnings, ...post.warnings].map(({ message }) => message),
      globals: await readGlobals(client),
      settings: await readSettings(client, catalog),
      largeObjects: Buffer.concat(largeObjects),
      ranges,
      count,
    }
  } finally {
    await snapshot.close()
  }
}

type Backup = Awaited<ReturnType<typeof backUp>>

/** @returns what is left out */
async function runSql(url: string, sql: string): Promise<string[]> {
  const client = await openClient(parseEndpoint(url, 'sink'), 'restore')
  const warnings: string[] = []
  try {
    await runRestoreSql(client, sql, 'restore', (code, message) => warnings.push(message))
    return warnings
  } finally {
    await client.end()
  }
}

/** Cuts at places that have nothing to do with lines. */
async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let i = 0; i < bytes.length; i += 70_001) yield bytes.subarray(i, i + 70_001)
}

/** As pgveil restores: without rows. */
async function restore(backup: Backup, url: string): Promise<string[]> {
  const endpoint = parseEndpoint(url, 'sink')
  const plan = await planStructure(
    cutStatements(backup.pre),
    cutStatements(backup.post),
    undefined,
    'everything',
  )
  expect(plan.dropped).toEqual([])
  const warnings: string[] = []
  const leftOut = new LeftOut((code, message) => warnings.push(`${code}: ${message}`))
  const { warn } = leftOut
  const sessions = new TargetSessions(endpoint, plan)
  try {
    await sessions.use((client) => createStructure(client, plan, warn))
    await sessions.use((client) => loadLargeObjects(client, pieces(backup.largeObjects), warn))
    const { tables, materializedViews: views } = backup.catalog
    const byOid = new Map(tables.map((table) => [table.oid, table]))
    const rootOf = (table: (typeof tables)[number]): typeof table => {
      const parent = table.isPartition ? byOid.get(table.parents[0] ?? 0) : undefined
      return parent ? rootOf(parent) : table
    }
    const finish = {
      plan,
      tables: tables.map((table) => ({ table, root: rootOf(table), complete: true })),
      views,
      sessions,
      jobs: 2,
      targetMajor: 18,
      warn,
    }
    await buildConstraints(finish)
    await checkBuilding(finish)
    leftOut.finish()
  } finally {
    await sessions.close()
  }
  return warnings
}

function psql(url: string, sql: string | Buffer): string {
  return execFileSync(
    'psql',
    ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', '-', url],
    {
      input: sql,
      encoding: 'utf8',
      // nothing of the surroundings decides how the SQL is read
      env: { PATH: process.env['PATH'], LC_ALL: 'C', PGCLIENTENCODING: 'LATIN2' },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  )
}

function psqlBackup(backup: Backup, url: string): void {
  psql(url, backup.pre)
  psql(url, backup.largeObjects)
  psql(url, backup.post)
  psql(url, refreshSql(backup.catalog.materializedViews))
  psql(url, backup.settings)
}

const WITHOUT_ROWS = { except: /^rows of / }

const DEBIAN = findDebianPostgres('structure of a backup by a native pg_dump')

describe.each([
  { name: '18, WebAssembly pg_dump', start: { major: 18 as const }, form: 'wasm' as const },
  ...(DEBIAN === undefined
    ? []
    : [{ name: '15, native pg_dump', start: { bin: DEBIAN }, form: 'native' as const }]),
])('a database on $name', ({ start, form }) => {
  let source: Server
  let target: Server
  let crm: string
  let everyType: string

  beforeAll(async () => {
    const servers = [startPostgres(start), startPostgres({ major: 18 })]
    ;[source, target] = (await Promise.all(servers)) as [Server, Server]
    crm = await createDatabase(source, 'crm')
    everyType = await createDatabase(source, 'every_type')
    await fillSampleCrm(crm, { scale: 0.02 })
    await execute(crm, RIGHTS)
    await loadEveryType(everyType)
  })
  afterAll(async () => {
    await Promise.all([source.stop(), target.stop()])
  })

  test('comes back with roles, owners, rights and settings', async () => {
    const backup = await backUp(crm, form)
    expect(backup.warnings).toEqual([])
    expect(backup.globals.roles).toEqual(
      ['Crm Owner', 'auditor', 'crm_app', 'group_of_group', ODD, 'reporting'].toSorted(),
    )
    const everything = JSON.stringify(backup)
    expect(everything).not.toMatch(/never in a backup|not_referred_to|SCRAM-SHA/)
    const url = await createDatabase(target, 'crm restored')
    expect(await runSql(url, backup.globals.sql)).toEqual([])
    expect(await restore(backup, url)).toEqual([])
    expect(await runSql(url, backup.settings)).toEqual([])
    const everyTypeRole = /every_type_reader/
    const here = (await factsOf(crm)).filter((line) => !everyTypeRole.test(line))
    expect(here.length).toBeGreaterThan(200)
    expect(await factsOf(url)).toEqual(here)
    expect(await compareDatabases(crm, url, WITHOUT_ROWS)).toEqual([])
    expect(backup.count.objects).toBe(backup.ranges.reduce((sum, { objects }) => sum + objects, 0))
    expect(backup.count.bytes).toBe(backup.ranges.reduce((sum, { bytes }) => sum + bytes, 0))
    expect(backup.ranges.length).toBeGreaterThan(1)
  })

  test('comes back with every kind of object', async () => {
    const backup = await backUp(everyType, form)
    const url = await createDatabase(target, 'every type restored')
    expect(await runSql(url, backup.globals.sql)).toEqual([])
    // rows that are not there make some unique index no less unique
    expect(await restore(backup, url)).toEqual([])
    expect(await runSql(url, backup.settings)).toEqual([])
    const kinds = ['owner', 'rights', 'database']
    expect(await factsOf(url, kinds)).toEqual(await factsOf(everyType, kinds))
    const facts = (await factsOf(everyType, ['owner'])).join('\n')
    expect(facts).toMatch(/planted-mapping-password[^]*planted-subscription-password/)
    expect(await compareDatabases(everyType, url, WITHOUT_ROWS)).toEqual([])
  })

  const describePsql = PSQL ? test : test.skip
  describePsql('comes back with psql alone', async () => {
    const elsewhere = await startPostgres({ major: 18 })
    try {
      for (const [from, name] of [
        [crm, 'by psql'],
        [everyType, 'by psql too'],
      ] as const) {
        const backup = await backUp(from, form)
        const url = await createDatabase(elsewhere, name)
        psql(url, backup.globals.sql)
        psql(url, backup.globals.sql)
        psqlBackup(backup, url)
        const kinds = ['owner', 'rights', 'database']
        expect(await factsOf(url, kinds)).toEqual(await factsOf(from, kinds))
        expect(await compareDatabases(from, url, WITHOUT_ROWS)).toEqual([])
      }
      expect(await factsOf(elsewhere.url, ['role', 'member'])).toEqual(
        await factsOf(source.url, ['role', 'member']),
      )
    } finally {
      await elsewhere.stop()
    }
  })

  test('roles that are there already stay as they are', async () => {
    const backup = await backUp(crm, form)
    await execute(
      target.url,
      'ALTER ROLE auditor NOLOGIN CONNECTION LIMIT 3; ALTER ROLE auditor RESET ALL; REVOKE reporting FROM auditor',
    )
    const before = await factsOf(target.url, ['role', 'member'])
    expect(await runSql(target.url, backup.globals.sql)).toEqual([])
    expect(await factsOf(target.url, ['role', 'member'])).toEqual(before)
  })

  test('an ordinary user restores what is permitted and is told of the rest', async () => {
    const backup = await backUp(crm, form)
    const elsewhere = await startPostgres({ major: 18 })
    try {
      await execute(elsewhere.url, 'CREATE ROLE builder LOGIN CREATEDB', 'CREATE ROLE reporting')
      await execute(elsewhere.url, 'CREATE ROLE "Crm Owner"')
      const url = new URL(await createDatabase(elsewhere, 'mine', 'OWNER builder'))
      url.username = 'builder'
      const notices = await runSql(url.href, backup.globals.sql)
      expect(notices).toHaveLength(4)
      expect(notices[0]).toMatch(/^role auditor is not created: permission denied/)
      const warnings = await restore(backup, url.href)
      expect(warnings.join('\n')).toMatch(
        /restore-left-out: 1 large objects do not come to role odd /,
      )
      const codes = warnings.map((line) => line.split(':', 1)[0])
      expect(codes.filter((code) => code === 'owner-left-out')).toHaveLength(1)
      expect(codes.filter((code) => code === 'grant-left-out')).toHaveLength(1)
      expect(warnings.filter((line) => line.startsWith('role-missing: ')).toSorted()).toEqual(
        ['auditor', 'crm_app', ODD]
          .toSorted()
          .map(
            (role) =>
              `role-missing: the target has no role ${role}: what it owns, may do or has set here is left out`,
          ),
      )
      expect(warnings.join('\n')).toMatch(/owner of .* is left out: .*; and \d+ more like it/)
      expect(await runSql(url.href, backup.settings)).not.toEqual([])
      const owners = await query(
        url.href,
        "SELECT DISTINCT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'billing'::regnamespace",
      )
      expect(owners).toEqual([{ owner: 'builder' }])
      const grants = await query(
        url.href,
        "SELECT 1 FROM pg_namespace, aclexplode(nspacl) a WHERE nspname = 'public' AND a.grantee = 'reporting'::regrole",
      )
      expect(grants).toHaveLength(1)
    } finally {
      await elsewhere.stop()
    }
  })

  test('a user who may only read backs up, and is told what it may not see', async () => {
    await execute(source.url, 'CREATE ROLE reader LOGIN; GRANT pg_read_all_data TO reader')
    const url = new URL(everyType)
    url.username = 'reader'
    const endpoint = parseEndpoint(url.href, 'source')
    const snapshot = await openSnapshot(endpoint)
    try {
      const globals = await readGlobals(snapshot.client)
      expect(globals.roles).toContain('every_type_reader')
      const catalog = await readCatalog(snapshot.client)
      expect(await readSettings(snapshot.client, catalog)).toContain('setval')
      const dumper = await chooseDumper(snapshot.facts.major, form)
      const request = { endpoint, dumper, snapshot: snapshot.id, what: 'everything' } as const
      const pre = await dumpStructure({ ...request, section: 'pre-data' })
      const post = await dumpStructure({ ...request, section: 'post-data' })
      expect([...pre.warnings, ...post.warnings]).toEqual([
        {
          code: 'user-mappings-hidden',
          message:
            'this user may not see the options of user mappings, which come without any: every_type_reader on elsewhere',
        },
        {
          code: 'subscriptions-hidden',
          message:
            'only a superuser may read subscriptions, which are left out: every_type_subscription',
        },
      ])
      expect(pre.text + post.text).not.toContain('planted')
    } finally {
      await snapshot.close()
    }
  })

  test('large objects that end too soon are refused, and leave nothing of a transaction', async () => {
    const { largeObjects } = await backUp(crm, form)
    const url = await createDatabase(target, 'torn')
    const cuts = [
      largeObjects.length - 5,
      largeObjects.lastIndexOf('COMMIT;'),
      largeObjects.indexOf('BEGIN;\n') + 7,
    ]
    const client = await openClient(parseEndpoint(url, 'sink'), 'restore')
    try {
      for (const end of cuts) {
        const torn = loadLargeObjects(client, pieces(largeObjects.subarray(0, end)))
        await expect(torn).rejects.toMatchObject({ kind: 'integrity' })
        await client.query('SELECT lo_unlink(oid) FROM pg_largeobject_metadata')
      }
      // the session is fit for use
      await loadLargeObjects(client, pieces(largeObjects))
      const { rows } = await client.query('SELECT count(*)::int AS n FROM pg_largeobject_metadata')
      expect(rows[0].n).toBeGreaterThan(4)
    } finally {
      await client.end()
    }
  })
})
