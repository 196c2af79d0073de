import { createHmac } from 'node:crypto'
import type pg from 'pg'

/** Of no catalog, no TOAST, no session's own. */
const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`

/** Belongs to an extension, which brings it by itself. */
const extensionOwns = (catalog: string, oid: string) => `EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`

/**
 * What makes up a database besides rows, owners and privileges: for each kind a query whose lines are the same on
 * every server of one major version that holds the same structure.
 */
const KINDS: Readonly<Record<string, string>> = {
  schemas: `SELECT quote_ident(nspname) FROM pg_catalog.pg_namespace n WHERE ${OURS}`,
  extensions: `SELECT format('%I in %I', extname, nspname)
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`,
  relations: `
    SELECT format('%s %s %s %s %s %s of %s %s %s %s', c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
      c.relforcerowsecurity, c.relreplident,
      (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
      pg_get_expr(c.relpartbound, c.oid), c.reloptions, CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid)
      WHEN 'v' THEN md5(pg_get_viewdef(c.oid)) WHEN 'm' THEN c.relispopulated || md5(pg_get_viewdef(c.oid)) END)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't' AND ${OURS}`,
  columns: `
    SELECT format('%s.%I %s %s %s %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
      a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage,
      CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation END)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
      AND c.relpersistence <> 't' AND ${OURS}`,
  constraints: `
    SELECT format('%s: %I %s %s', CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text ELSE k.conrelid::regclass::text END,
      k.conname, pg_get_constraintdef(k.oid), k.convalidated)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
    WHERE k.contype NOT IN ('n', 't') AND ${OURS}`,
  indexes: `
    SELECT format('%s %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  triggers: `
    SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND ${OURS}`,
  'event triggers': `SELECT format('%I %s %s %s %s', evtname, evtevent, evttags, evtfoid::regproc, evtenabled)
    FROM pg_catalog.pg_event_trigger e WHERE NOT ${extensionOwns('pg_event_trigger', 'e.oid')}`,
  rules: `
    SELECT format('%s: %I %s %s', r.ev_class::regclass, r.rulename, r.ev_enabled, md5(pg_get_ruledef(r.oid)))
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND ${OURS}`,
  policies: `
    SELECT format('%s: %I %s %s using %s check %s', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive,
      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_catalog.pg_policy p`,
  functions: `
    SELECT format('%s %s', p.oid::regprocedure, CASE WHEN p.prokind <> 'a' THEN md5(pg_get_functiondef(p.oid)) END)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE ${OURS} AND NOT ${extensionOwns('pg_proc', 'p.oid')}`,
  types: `
    SELECT format('%s %s %s %s %s %s', t.oid::regtype, t.typtype, format_type(nullif(t.typbasetype, 0), t.typtypmod),
      t.typnotnull, t.typdefault,
      (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'c' AND t.typcategory <> 'A' AND ${OURS} AND NOT ${extensionOwns('pg_type', 't.oid')}`,
  publications: `SELECT format('%I %s %s %s %s', pubname, puballtables, pubinsert, pubupdate, pubdelete)
    FROM pg_catalog.pg_publication`,
  statistics: `SELECT pg_get_statisticsobjdef(oid) FROM pg_catalog.pg_statistic_ext`,
  comments: `
    SELECT format('%s: %s', pg_identify_object(d.classoid, d.objoid, d.objsubid), md5(d.description))
    FROM pg_catalog.pg_description d
    WHERE pg_identify_object(d.classoid, d.objoid, d.objsubid)::text !~ '(pg_catalog|information_schema|pg_toast)'
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                      WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype IN ('e', 'p'))
      AND d.classoid NOT IN ('pg_catalog.pg_extension'::regclass, 'pg_catalog.pg_language'::regclass,
                             'pg_catalog.pg_largeobject'::regclass)`,
}

/** What a database's structure is, without saying it. */
export interface StructureFacts {
  /** Major version whose way of printing definitions went in. */
  major: number
  /** HMAC-SHA-256 over all lines, hexadecimal. */
  digest: string
  /** Kind → number of lines. */
  counts: Record<string, number>
}

/**
 * Describes the structure of the database that `client` is connected to, inside its transaction.
 *
 * @param key of the HMAC: names, defaults and labels cannot be guessed from the digest without it
 */
export async function readStructureFacts(
  client: pg.Client,
  major: number,
  key: Buffer,
): Promise<StructureFacts> {
  const hmac = createHmac('sha256', key)
  const counts: Record<string, number> = {}
  for (const [kind, sql] of Object.entries(KINDS)) {
    const { rows } = await client.query<[string]>({ text: sql, rowMode: 'array' })
    counts[kind] = rows.length
    hmac.update(`${kind}\n`)
    // By bytes, whatever the collation of the database.
    for (const line of rows.map(([text]) => text).sort()) hmac.update(`${line}\0`)
  }
  return { major, digest: hmac.digest('hex'), counts }
}
