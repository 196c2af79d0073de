import type pg from 'pg'
import type { Catalog, Sequence } from '../postgres/catalog.ts'
import { serverFailure } from '../postgres/connect.ts'
import { quoteLiteral, quoteQualified, type QualifiedName } from '../postgres/identifiers.ts'
import { setvalSql, type SequenceValue } from '../postgres/sequences.ts'
import { dollarQuote, settingSql, SQL_HEADER } from '../postgres/sql-text.ts'

/** Sequences read in one query. */
const BATCH = 200

/**
 * Reads where sequences stand, but for those of extensions, which make them themselves. No snapshot holds a sequence:
 * the values are those of this moment.
 *
 * @throws Failure `source`
 */
export async function readSequences(
  client: pg.Client,
  { sequences }: Pick<Catalog, 'sequences'>,
): Promise<SequenceValue[]> {
  const wanted = sequences.filter(({ skip }) => !skip)
  const values: SequenceValue[] = []
  for (let i = 0; i < wanted.length; i += BATCH) {
    const batch = wanted.slice(i, i + BATCH)
    const reads = batch.map(
      (sequence, k) =>
        `SELECT ${k} AS k, last_value::text AS value, is_called AS called FROM ${quoteQualified(sequence)}`,
    )
    const { rows } = await client
      .query<{ k: number; value: string; called: boolean }>(
        `${reads.join(' UNION ALL ')} ORDER BY k`,
      )
      .catch((error: unknown) => {
        throw serverFailure('source', 'read the sequences', error)
      })
    for (const { k, value, called } of rows) {
      const { schema, name } = batch[k] as Sequence
      values.push({ schema, name, value, called })
    }
  }
  return values
}

/** Puts sequences where they stood; for psql and pg. */
export function sequenceSql(sequences: readonly SequenceValue[]): string {
  return SQL_HEADER + sequences.map((sequence) => `SELECT ${setvalSql(sequence)};\n`).join('')
}

/**
 * Fills materialised views, which dumps of structure make empty; for psql, once rows and constraints are in.
 *
 * @param views in the order in which they can be filled, as the catalog has them
 */
export function refreshSql(views: readonly QualifiedName[]): string {
  return views.map((view) => `REFRESH MATERIALIZED VIEW ${quoteQualified(view)};\n`).join('')
}

interface DatabaseGrant {
  /** Null: everybody. */
  grantee: string | null
  privileges: string
  grantable: boolean
}

interface DatabaseRow {
  owner: string
  connections: number
  comment: string | null
  /** Null: as a new database has it. */
  grants: DatabaseGrant[] | null
  settings: { role: string | null; settings: string[] }[]
  labels: { provider: string; label: string }[]
}

/** Role 0 stands for everybody, as grantee and as the one whose settings they are. */
const DATABASE = `
SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datconnlimit AS connections,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       CASE WHEN d.datacl IS NOT NULL THEN coalesce((
         SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
           'grantee', g.rolname, 'privileges', g.privileges, 'grantable', g.is_grantable))
         FROM (SELECT r.rolname, a.is_grantable,
                      pg_catalog.string_agg(DISTINCT a.privilege_type, ', ') AS privileges
               FROM pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
               WHERE r.oid IS NOT NULL OR a.grantee = 0 GROUP BY 1, 2 ORDER BY 1, 2) g), '[]') END AS grants,
       coalesce((
         SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('role', r.rolname, 'settings', s.setconfig)
                                     ORDER BY r.rolname NULLS FIRST)
         FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
         WHERE s.setdatabase = d.oid AND (r.oid IS NOT NULL OR s.setrole = 0)), '[]') AS settings,
       coalesce((
         SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('provider', l.provider, 'label', l.label))
         FROM pg_catalog.pg_shseclabel l
         WHERE l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND l.objoid = d.oid), '[]') AS labels
FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`

/**
 * What runs at the very end, inside the restored database: sequence values, settings of the database and of
 * roles in it, its comment, labels, owner, privileges and connection limit. For psql and pg, whatever the
 * database is called. What the target does not permit or know shows as a WARNING.
 *
 * @throws Failure `source`
 */
export async function readSettings(
  client: pg.Client,
  catalog: Pick<Catalog, 'sequences'>,
): Promise<string> {
  return sequenceSql(await readSequences(client, catalog)) + (await readDatabase(client))
}

/**
 * The part of {@link readSettings} that is about the database itself.
 *
 * @throws Failure `source`
 */
export async function readDatabase(client: pg.Client): Promise<string> {
  const { rows } = await client.query<DatabaseRow>(DATABASE).catch((error: unknown) => {
    throw serverFailure('source', 'read the settings of the database', error)
  })
  const [row] = rows
  return row ? SQL_HEADER + databaseSql(row) : ''
}

/** The owner comes before the privileges, which are then the owner's to give, and the limit last. */
function databaseSql({
  owner,
  connections,
  comment,
  grants,
  settings,
  labels,
}: DatabaseRow): string {
  const steps = settings.flatMap(({ role, settings: own }) =>
    own.map((setting) => settingStep(role, setting)),
  )
  if (comment !== null) {
    steps.push(step('COMMENT ON DATABASE %1$I IS %3$s', 'its comment', '', quoteLiteral(comment)))
  }
  for (const { provider, label } of labels) {
    const form = 'SECURITY LABEL FOR %2$I ON DATABASE %1$I IS %3$s'
    steps.push(step(form, `its security label of ${provider}`, provider, quoteLiteral(label)))
  }
  steps.push(step('ALTER DATABASE %1$I OWNER TO %2$I', `its owner ${owner}`, owner))
  if (grants) steps.push(...grantSteps(owner, grants))
  if (connections >= 0) {
    steps.push(step(`ALTER DATABASE %1$I CONNECTION LIMIT ${connections}`, 'its connection limit'))
  }
  return steps.join('')
}

function settingStep(role: string | null, setting: string): string {
  const name = setting.slice(0, setting.indexOf('='))
  const sql = settingSql(setting)
  if (role === null) return step('ALTER DATABASE %1$I SET %3$s', `its setting ${name}`, '', sql)
  const what = `the setting ${name} of role ${role} in it`
  return step('ALTER ROLE %2$I IN DATABASE %1$I SET %3$s', what, role, sql)
}

/** All privileges anew: those of everybody and of the owner are there without being granted. */
function grantSteps(owner: string, grants: readonly DatabaseGrant[]): string[] {
  return [
    step('REVOKE ALL ON DATABASE %1$I FROM PUBLIC', 'what everybody may not do in it'),
    step('REVOKE ALL ON DATABASE %1$I FROM %2$I', `what ${owner} may not do in it`, owner),
    ...grants.map(({ grantee, privileges, grantable }) => {
      const to = grantee === null ? 'PUBLIC' : '%2$I'
      const form = `GRANT ${privileges} ON DATABASE %1$I TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`
      return step(form, `what ${grantee ?? 'everybody'} may do in it`, grantee ?? '')
    }),
  ]
}

/**
 * One statement about the current database, which fails by itself.
 *
 * @param form has `%1$I` for the name of the database, `%2$I` for `name`, `%3$s` for `rest`
 */
function step(form: string, what: string, name = '', rest = ''): string {
  const args = [quoteLiteral(form), 'pg_catalog.current_database()', quoteLiteral(name)]
  return `DO ${dollarQuote(`
BEGIN
  EXECUTE pg_catalog.format(${args.join(', ')}, ${quoteLiteral(rest)});
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'of database %, % is left out: %', pg_catalog.current_database(), ${quoteLiteral(what)}, SQLERRM;
END
`)};\n`
}
