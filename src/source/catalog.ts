import type pg from 'pg'
import type { Catalog, Column, Sequence, Table, TypeClass } from '../postgres/catalog.ts'
import type { QualifiedName } from '../postgres/identifiers.ts'

const SYSTEM = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`

const TABLES = `
SELECT c.oid::int8, n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relispartition AS is_partition,
       c.reltuples::float8 AS tuples, pg_catalog.pg_table_size(c.oid)::float8 AS bytes,
       (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int)::float8 AS pages,
       coalesce(a.amname = 'heap', false) AS is_heap, c.relrowsecurity AS row_security,
       e.extname AS extension, e.filter AS extension_filter,
       coalesce((SELECT array_agg(i.inhparent::int8 ORDER BY i.inhseqno)
                 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid), '{}') AS parents,
       (SELECT p.partattrs::int2[] FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = c.oid) AS partition_key
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
LEFT JOIN LATERAL (
  SELECT x.extname, (SELECT x.extcondition[k] FROM generate_subscripts(x.extconfig, 1) k
                     WHERE x.extconfig[k] = c.oid) AS filter
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::regclass LIMIT 1) e ON true
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ${SYSTEM}
ORDER BY n.nspname, c.relname`

/**
 * Domains resolve to their base type, arrays to their element, then through the element's domain. int2vector and
 * oidvector look like arrays, but are no type's array type.
 */
const COLUMNS = `
WITH RECURSIVE base AS (
  SELECT t.oid, t.oid AS base, NULL::int4 AS typmod, false AS constrained, false AS not_null
  FROM pg_catalog.pg_type t WHERE t.typtype <> 'd'
  UNION ALL
  SELECT t.oid, b.base, coalesce(nullif(t.typtypmod, -1), b.typmod), 
         b.constrained OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'),
         b.not_null OR t.typnotnull
  FROM pg_catalog.pg_type t JOIN base b ON b.oid = t.typbasetype WHERE t.typtype = 'd'
)
SELECT a.attrelid::int8 AS table, a.attname AS name, a.attnum AS number,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
       pg_catalog.format_type(a.atttypid, NULL) AS sql_type,
       bn.nspname AS base_schema, bt.typname AS base_name, bt.typtype AS base_kind,
       bt.is_array, bt.typdelim AS delimiter,
       en.nspname AS element_schema, et.typname AS element_name, et.typtype AS element_kind, eb.base <> bt.typelem AS element_is_domain,
       bt.typsend <> 0 AND bt.typreceive <> 0 AS has_binary,
       CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE coalesce(b.typmod, eb.typmod, -1) END AS typmod,
       a.attnotnull OR b.not_null AS not_null, a.attgenerated <> '' AS generated, a.attidentity <> '' AS identity,
       b.constrained OR coalesce(eb.constrained, false) AS constrained
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN base b ON b.oid = a.atttypid
JOIN LATERAL (
  SELECT t.*, EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) AS is_array
  FROM pg_catalog.pg_type t WHERE t.oid = b.base) bt ON true
JOIN pg_catalog.pg_namespace bn ON bn.oid = bt.typnamespace
LEFT JOIN base eb ON eb.oid = bt.typelem AND bt.is_array
LEFT JOIN pg_catalog.pg_type et ON et.oid = eb.base
LEFT JOIN pg_catalog.pg_namespace en ON en.oid = et.typnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ${SYSTEM}
ORDER BY a.attrelid, a.attnum`

const UNIQUE_INDEXES = `
SELECT i.indrelid::int8 AS table, c.relname AS name, i.indisexclusion AS is_exclusion,
       i.indexprs IS NOT NULL AS has_expression, i.indpred IS NOT NULL AS is_partial,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false) AS nulls_not_distinct,
       (SELECT coalesce(array_agg(DISTINCT k), '{}') FROM (
          SELECT unnest(i.indkey::int2[]) k
          UNION SELECT d.refobjsubid::int2 FROM pg_catalog.pg_depend d
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = i.indexrelid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = i.indrelid
            AND i.indexprs IS NOT NULL AND d.refobjsubid > 0) x WHERE k > 0) AS columns
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indisunique OR i.indisexclusion`

/** A check that was never validated, or is not enforced, does not look at the rows that are copied. */
const CONSTRAINTS = `
SELECT k.conrelid::int8 AS table, k.conname AS name, k.contype AS kind, coalesce(k.conkey, '{}') AS columns,
       k.confrelid::int8 AS referenced, coalesce(k.confkey, '{}') AS referenced_columns,
       CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression
FROM pg_catalog.pg_constraint k
WHERE (k.contype = 'f' OR k.contype = 'c' AND k.convalidated) AND k.conrelid <> 0
ORDER BY k.conrelid, k.conname`

/**
 * An extension's sequence is configuration if it or the table it belongs to is. A standby cannot read unlogged
 * sequences; those of unlogged tables are such, from version 15 on.
 */
const SEQUENCES = `
SELECT n.nspname AS schema, c.relname AS name,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension x WHERE x.oid = d.refobjid
                                 AND (c.oid = ANY (x.extconfig) OR o.refobjid = ANY (x.extconfig)))) AS skip
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend o ON o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid
  AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${SYSTEM}
  AND NOT (c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery())
ORDER BY 1, 2`

/** Depth: a view over a view over a table is refreshed after what it reads. */
const MATERIALIZED_VIEWS = `
WITH RECURSIVE reads AS (
  SELECT DISTINCT r.ev_class AS view, d.refobjid AS read
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
  JOIN pg_catalog.pg_class v ON v.oid = d.refobjid AND v.relkind IN ('v', 'm')
), depth AS (
  SELECT c.oid AS view, 0 AS depth FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm')
  UNION SELECT r.view, d.depth + 1 FROM reads r JOIN depth d ON d.view = r.read
)
SELECT n.nspname AS schema, c.relname AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN depth d ON d.view = c.oid
WHERE c.relkind = 'm' AND c.relispopulated AND ${SYSTEM}
GROUP BY 1, 2 ORDER BY max(d.depth), 1, 2`

const EXTENSIONS = `SELECT extname AS name, extversion AS version FROM pg_catalog.pg_extension`
const LARGE_OBJECTS = `SELECT count(*)::float8 AS count FROM pg_catalog.pg_largeobject_metadata`

/**
 * Reads everything that planning needs to know of the source's tables, inside the transaction `client`
 * is in, so that catalog and rows are of one moment.
 */
export async function readCatalog(client: pg.Client): Promise<Catalog> {
  const rows = async (sql: string) => (await client.query<Record<string, unknown>>(sql)).rows
  const tables = (await rows(TABLES)).map(toTable)
  const byOid = new Map(tables.map((table) => [table.oid, table]))

  for (const row of await rows(COLUMNS))
    byOid.get(Number(row['table']))?.columns.push(toColumn(row))
  for (const row of await rows(UNIQUE_INDEXES)) {
    byOid.get(Number(row['table']))?.uniqueIndexes.push({
      name: row['name'] as string,
      columns: row['columns'] as number[],
      hasExpression: row['has_expression'] as boolean,
      isExclusion: row['is_exclusion'] as boolean,
      isPartial: row['is_partial'] as boolean,
      nullsNotDistinct: row['nulls_not_distinct'] as boolean,
    })
  }
  for (const row of await rows(CONSTRAINTS)) addConstraint(byOid.get(Number(row['table'])), row)

  const extensions = await rows(EXTENSIONS)
  return {
    tables,
    sequences: (await rows(SEQUENCES)) as unknown as Sequence[],
    materializedViews: (await rows(MATERIALIZED_VIEWS)) as unknown as QualifiedName[],
    extensions: new Map(extensions.map((row) => [row['name'] as string, row['version'] as string])),
    largeObjects: (await rows(LARGE_OBJECTS))[0]?.['count'] as number,
  }
}

function toTable(row: Record<string, unknown>): Table {
  const kinds = { r: 'table', p: 'partitioned', f: 'foreign' } as const
  const key = row['partition_key'] as number[] | null
  return {
    oid: Number(row['oid']),
    schema: row['schema'] as string,
    name: row['name'] as string,
    kind: kinds[row['kind'] as 'r' | 'p' | 'f'],
    parents: (row['parents'] as string[]).map(Number),
    isPartition: row['is_partition'] as boolean,
    partitionKey: key === null ? [] : key.includes(0) ? null : key,
    columns: [],
    uniqueIndexes: [],
    foreignKeys: [],
    checks: [],
    estimatedRows: Math.max(0, Math.round(row['tuples'] as number)),
    bytes: row['bytes'] as number,
    pages: row['pages'] as number,
    isHeap: row['is_heap'] as boolean,
    rowSecurity: row['row_security'] as boolean,
    extension: (row['extension'] as string | null) ?? undefined,
    extensionFilter: (row['extension_filter'] as string | null) ?? undefined,
  }
}

function addConstraint(table: Table | undefined, row: Record<string, unknown>): void {
  const name = row['name'] as string
  const columns = row['columns'] as number[]
  if (row['kind'] === 'c') {
    table?.checks.push({ name, columns, expression: row['expression'] as string })
  } else {
    table?.foreignKeys.push({
      name,
      columns,
      referencedOid: Number(row['referenced']),
      referencedColumns: row['referenced_columns'] as number[],
    })
  }
}

const TYPE_CLASSES: Readonly<Record<string, TypeClass>> = {
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  name: 'text',
  citext: 'text',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamptz',
  int2: 'int2',
  int4: 'int4',
  int8: 'int8',
  float4: 'float4',
  float8: 'float8',
  numeric: 'numeric',
  money: 'money',
  uuid: 'uuid',
  bytea: 'bytea',
  inet: 'inet',
  cidr: 'inet',
  json: 'json',
  jsonb: 'jsonb',
}

function toColumn(row: Record<string, unknown>): Column {
  const isArray = row['is_array'] as boolean
  const schema = (isArray ? row['element_schema'] : row['base_schema']) as string
  const type = (isArray ? row['element_name'] : row['base_name']) as string
  const ours = schema === 'pg_catalog' || type === 'citext'
  const typmod = row['typmod'] as number
  const hasLimit = (type === 'varchar' || type === 'bpchar') && typmod > 4
  return {
    name: row['name'] as string,
    number: row['number'] as number,
    typeName: row['type_name'] as string,
    typeClass: (ours ? TYPE_CLASSES[type] : undefined) ?? 'other',
    // Where something else than a comma stands between elements (box, PostGIS), the array is one value.
    isArray: isArray && row['delimiter'] === ',',
    maxChars: hasLimit ? typmod - 4 : undefined,
    notNull: row['not_null'] as boolean,
    generated: row['generated'] as boolean,
    identity: row['identity'] as boolean,
    textOnly: whyTextOnly(row),
    sqlType: row['sql_type'] as string,
    ignoresCase: type === 'citext',
    constrainedDomain: row['constrained'] as boolean,
  }
}

/**
 * The binary forms of arrays and composites carry type OIDs, which differ between servers for types that users or
 * extensions made; reg* types are such OIDs; xml's carries an encoding declaration.
 */
function whyTextOnly(row: Record<string, unknown>): string | undefined {
  const type = row['base_name'] as string
  if (row['is_array']) {
    const element = row['element_name'] as string
    if (row['element_schema'] !== 'pg_catalog' || row['element_is_domain'])
      return 'array of a user type'
    if (/^(reg|xml$|aclitem$|record|tsquery$)/.test(element)) return `array of ${element}`
  } else {
    if (row['base_kind'] === 'c' || type === 'record') return 'composite type'
    if (row['base_schema'] === 'pg_catalog' && /^(reg|xml$|aclitem$|record)/.test(type)) return type
    // tsquerysend writes an empty query in a form that tsqueryrecv refuses.
    if (type === 'tsquery') return type
    if (/^[rm]$/.test(row['base_kind'] as string) && row['base_schema'] !== 'pg_catalog') {
      return 'range of a user type'
    }
  }
  return row['has_binary'] ? undefined : `${type} has no binary form`
}
