import type pg from 'pg'

/** A query that counts rows of a table which violate its constraints: a number for each of them. */
export interface RowRule {
  table: string
  names: string[]
  sql: string
}

export interface RowRules {
  rules: RowRule[]
  /** What is left to the restore, which checked it when it created it. */
  notChecked: string[]
}

/** Of no catalog; enforced; not inherited from a partitioned table's own. */
const WHICH = (major: number) => `
  k.convalidated AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  ${major >= 18 ? 'AND k.conenforced' : ''}`

const CHECKS = (major: number) => `
  SELECT k.conrelid::regclass::text AS table, format('constraint %I', k.conname) AS name,
         pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  WHERE k.contype = 'c' AND c.relkind = 'r' AND ${WHICH(major)} ORDER BY c.relpages DESC, 1, 2`

/**
 * As the server itself checks a new foreign key (RI_Initial_Check in ri_triggers.c): rows without a partner. With
 * MATCH SIMPLE a row counts only where all of its columns are set, with MATCH FULL where any is.
 */
const FOREIGN_KEYS = (major: number) => `
  SELECT k.conrelid::regclass::text AS table, format('constraint %I', k.conname) AS name,
    CASE WHEN f.relkind <> 'p' THEN 'ONLY ' ELSE '' END || k.conrelid::regclass AS referring,
    CASE WHEN p.relkind <> 'p' THEN 'ONLY ' ELSE '' END || k.confrelid::regclass AS referred,
    (SELECT string_agg(format('p.%I OPERATOR(%I.%s) f.%I', pa.attname, o.nspname, op.oprname, fa.attname), ' AND ' ORDER BY i)
     ${keyColumns()}) AS joined,
    (SELECT string_agg(format('f.%I IS NOT NULL', fa.attname), CASE k.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END ORDER BY i)
     ${keyColumns()}) AS set,
    (SELECT format('p.%I IS NULL', min(pa.attname)) ${keyColumns()}) AS alone,
    ${major >= 18 ? 'k.conperiod' : 'false'} AS period
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
  JOIN pg_catalog.pg_class f ON f.oid = k.conrelid JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND ${WHICH(major)} ORDER BY f.relpages DESC, 1, 2`

function keyColumns(): string {
  return `FROM generate_subscripts(k.conkey, 1) AS i
     JOIN pg_catalog.pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = k.conkey[i]
     JOIN pg_catalog.pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = k.confkey[i]
     JOIN pg_catalog.pg_operator op ON op.oid = k.conpfeqop[i]
     JOIN pg_catalog.pg_namespace o ON o.oid = op.oprnamespace`
}

interface CheckRow {
  table: string
  name: string
  expression: string
}

interface ForeignKeyRow {
  table: string
  name: string
  referring: string
  referred: string
  joined: string
  set: string
  alone: string
  period: boolean
}

/**
 * Queries that check each row against every validated CHECK and foreign key again.
 *
 * @param client its search path is empty, so that names are whole
 */
export async function readRules(client: pg.Client): Promise<RowRules> {
  const { rows: version } = await client.query<{ n: string }>(
    `SELECT pg_catalog.current_setting('server_version_num') AS n`,
  )
  const major = Math.floor(Number(version[0]?.n) / 10_000)
  const { rows: checks } = await client.query<CheckRow>(CHECKS(major))
  const { rows: keys } = await client.query<ForeignKeyRow>(FOREIGN_KEYS(major))
  const plain = keys.filter(({ period }) => !period)
  return {
    rules: [...checkRules(checks), ...plain.map(foreignKeyRule)],
    notChecked: keys.filter(({ period }) => period).map(({ name, table }) => `${name} of ${table}`),
  }
}

/** One pass over a table for all its checks. */
function checkRules(checks: readonly CheckRow[]): RowRule[] {
  const byTable = new Map<string, CheckRow[]>()
  for (const check of checks) byTable.set(check.table, [...(byTable.get(check.table) ?? []), check])
  return Array.from(byTable, ([table, own]) => {
    const counts = own.map(({ expression }) => `count(*) FILTER (WHERE NOT (${expression}))`)
    return {
      table,
      names: own.map(({ name }) => name),
      sql: `SELECT ${counts.join(', ')} FROM ONLY ${table}`,
    }
  })
}

function foreignKeyRule(key: ForeignKeyRow): RowRule {
  const { table, name, referring, referred, joined, set, alone } = key
  const sql = `SELECT count(*) FROM ${referring} f LEFT JOIN ${referred} p ON ${joined}
    WHERE ${alone} AND (${set})`
  return { table, names: [name], sql }
}
