import type pg from 'pg'
import { serverFailure } from '../postgres/connect.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.ts'
import { dollarQuote, settingSql, SQL_HEADER } from '../postgres/sql-text.ts'

/** What is of the whole server and the database cannot do without. */
export interface Globals {
  /** The roles that the database refers to, and those they are members of. */
  roles: string[]
  /** Creates those that are missing: for psql and pg, as often as one likes. */
  sql: string
}

/**
 * Owners, grantees and grantors of whatever is in the database and of the database itself, roles of policies, default
 * privileges, user mappings, subscriptions and settings; then upwards, whatever these are members of.
 *
 * pg_shdepend leaves out what no server is without: the superuser of initdb, whose number is 10, and pg_*.
 */
const ROLES = `
WITH RECURSIVE here AS (
  SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
), needed AS (
  SELECT d.refobjid AS oid FROM pg_catalog.pg_shdepend d, here
  WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (d.dbid = here.oid
         OR d.dbid = 0 AND d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = here.oid)
  UNION SELECT datdba FROM here
  UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s, here WHERE s.setdatabase = here.oid
  UNION SELECT s.subowner FROM pg_catalog.pg_subscription s, here WHERE s.subdbid = here.oid
  UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN needed n ON n.oid = m.member
)
SELECT r.rolname AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolcanlogin AS login, r.rolreplication AS replication,
       r.rolbypassrls AS bypassrls, r.rolconnlimit AS connections, r.rolvaliduntil::text AS until,
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment,
       coalesce((SELECT s.setconfig FROM pg_catalog.pg_db_role_setting s
                 WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}') AS settings,
       coalesce((SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'name', g.rolname, 'admin', m.admin, 'inherit', m.inherit, 'set', m.set) ORDER BY g.rolname)
                 FROM (SELECT x.roleid, pg_catalog.bool_or(x.admin_option) AS admin,
                              pg_catalog.bool_or((pg_catalog.to_jsonb(x) ->> 'inherit_option')::bool) AS inherit,
                              pg_catalog.bool_or((pg_catalog.to_jsonb(x) ->> 'set_option')::bool) AS set
                       FROM pg_catalog.pg_auth_members x WHERE x.member = r.oid GROUP BY x.roleid) m
                 JOIN pg_catalog.pg_roles g ON g.oid = m.roleid), '[]') AS memberships
FROM pg_catalog.pg_roles r
WHERE r.oid IN (SELECT oid FROM needed) AND r.oid <> 10 AND r.rolname !~ '^pg_'
ORDER BY r.rolname`

interface Membership {
  /** The role it is a member of. */
  name: string
  admin: boolean
  /** Null before version 16, which has no such options. */
  inherit: boolean | null
  set: boolean | null
}

interface Role extends Record<
  'superuser' | 'inherit' | 'createrole' | 'createdb' | 'login' | 'replication' | 'bypassrls',
  boolean
> {
  name: string
  /** -1: without limit. */
  connections: number
  until: string | null
  comment: string | null
  /** `name=value` */
  settings: string[]
  memberships: Membership[]
}

/**
 * Reads the roles which the database refers to, for a user who may see pg_roles. Passwords are not among
 * what is read.
 *
 * The SQL creates each role only where it is missing, with its attributes, memberships, settings and comment; a role
 * that is there already is not altered. What the target does not permit shows as a WARNING.
 *
 * @throws Failure `source`
 */
export async function readGlobals(client: pg.Client): Promise<Globals> {
  try {
    const { rows } = await client.query<Role>(ROLES)
    return { roles: rows.map(({ name }) => name), sql: globalsSql(rows) }
  } catch (error) {
    throw serverFailure('source', 'read the roles that the database refers to', error)
  }
}

/** One block, so that it knows at its end which roles it made. */
function globalsSql(roles: readonly Role[]): string {
  if (roles.length === 0) return SQL_HEADER
  const body = [
    'DECLARE',
    "  made pg_catalog.name[] := '{}';",
    "  modern CONSTANT bool := pg_catalog.current_setting('server_version_num')::int >= 160000;",
    'BEGIN',
    ...roles.map(createSql),
    ...roles.map(furnishSql),
    'END',
  ].join('\n')
  return `${SQL_HEADER}DO ${dollarQuote(`\n${body}\n`)};\n`
}

function exists(role: string): string {
  return `EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ${quoteLiteral(role)})`
}

function createSql(role: Role): string {
  const statement = `CREATE ROLE ${quoteIdentifier(role.name)} ${attributes(role)}`
  return `  IF NOT ${exists(role.name)} THEN
${attempt([statement], `role ${role.name} is not created`, `made := made || ${quoteLiteral(role.name)}::pg_catalog.name;`)}
  END IF;`
}

const FLAGS = [
  'superuser',
  'inherit',
  'createrole',
  'createdb',
  'login',
  'replication',
  'bypassrls',
] as const

function attributes(role: Role): string {
  const flags = FLAGS.map((flag) => (role[flag] ? '' : 'NO') + flag.toUpperCase())
  if (role.connections >= 0) flags.push(`CONNECTION LIMIT ${role.connections}`)
  if (role.until !== null) flags.push(`VALID UNTIL ${quoteLiteral(role.until)}`)
  return flags.join(' ')
}

/** What follows when all roles are there. */
function furnishSql({ name, memberships, settings, comment }: Role): string {
  const role = quoteIdentifier(name)
  const lines = memberships.map((membership) => membershipSql(name, membership))
  for (const setting of settings) {
    const what = setting.slice(0, setting.indexOf('='))
    const statement = `ALTER ROLE ${role} SET ${settingSql(setting)}`
    lines.push(attempt([statement], `the setting ${what} of role ${name} is left out`))
  }
  if (comment !== null) {
    const statement = `COMMENT ON ROLE ${role} IS ${quoteLiteral(comment)}`
    lines.push(attempt([statement], `the comment on role ${name} is left out`))
  }
  if (lines.length === 0) return ''
  return `  IF ${quoteLiteral(name)} = ANY (made) THEN\n${lines.join('\n')}\n  END IF;`
}

/** From version 16 on a membership has options; before, it is as the member's INHERIT says. */
function membershipSql(member: string, { name, admin, inherit, set }: Membership): string {
  const plain = `GRANT ${quoteIdentifier(name)} TO ${quoteIdentifier(member)}`
  const old = admin ? `${plain} WITH ADMIN OPTION` : plain
  const options = [`ADMIN ${admin}`, `INHERIT ${inherit}`, `SET ${set}`].join(', ')
  const left = `the membership of ${member} in ${name} is left out`
  if (inherit === null) return attempt([old], left)
  return `    IF modern THEN
${attempt([`${plain} WITH ${options}`], left)}
    ELSE
${attempt([old], left)}
    END IF;`
}

/** Statements in a subtransaction: where they fail, a warning says so, and the rest goes on. */
function attempt(statements: readonly string[], otherwise: string, done = ''): string {
  return `    BEGIN
${statements.map((statement) => `      EXECUTE ${quoteLiteral(statement)};`).join('\n')}${done && `\n      ${done}`}
    EXCEPTION WHEN OTHERS THEN
      RAISE WARNING '%: %', ${quoteLiteral(otherwise)}, SQLERRM;
    END;`
}
