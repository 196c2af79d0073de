import type pg from 'pg'
import type { StructurePlan } from '../sink/structure-plan.ts'

const SHOWN = 10

/** Everything that can stand below a table, as `describeStatement` words it. */
const THERE = `
  SELECT format('index %I of %s', c.relname, i.indrelid::regclass) FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  UNION ALL SELECT format('constraint %I of %s', conname, conrelid::regclass) FROM pg_catalog.pg_constraint
    WHERE conrelid <> 0
  UNION ALL SELECT format('trigger %I of %s', tgname, tgrelid::regclass) FROM pg_catalog.pg_trigger
  UNION ALL SELECT format('rule %I of %s', rulename, ev_class::regclass) FROM pg_catalog.pg_rewrite
  UNION ALL SELECT format('policy %I of %s', polname, polrelid::regclass) FROM pg_catalog.pg_policy
  UNION ALL SELECT format('%s %s', CASE relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
      WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END, oid::regclass)
    FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'S', 'v', 'm', 'f')
  UNION ALL SELECT format('schema %I', nspname) FROM pg_catalog.pg_namespace
  UNION ALL SELECT format('extension %I', extname) FROM pg_catalog.pg_extension`

const KINDS =
  /^(index|constraint|trigger|rule|policy|table|sequence|view|materialized view|foreign table|schema|extension) /

/**
 * Names of what the backup creates and the database lacks: the first few, of the kinds that can be told by their name.
 *
 * @param client its search path is empty, so that names are whole
 */
export async function missingObjects(client: pg.Client, plan: StructurePlan): Promise<string[]> {
  const { rows } = await client.query<[string]>({ text: THERE, rowMode: 'array' })
  const there = new Set(rows.map(([text]) => bare(text)))
  const wanted = plan.statements
    .filter(
      ({ sql, what }) =>
        /^\s*(CREATE|ALTER TABLE .* ADD CONSTRAINT)\b/s.test(sql) && KINDS.test(what),
    )
    .map(({ what }) => what)
  return [...new Set(wanted)].filter((what) => !there.has(bare(what))).slice(0, SHOWN)
}

/** The server quotes more names than messages do. */
function bare(text: string): string {
  return text.replaceAll('"', '')
}
