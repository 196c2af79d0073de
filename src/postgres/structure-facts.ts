import { createHmac } from 'node:crypto'
import type pg from 'pg'

/** Of no catalog, no TOAST, no session's own. */
const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'`

/** Belongs to an extension, which brings it by itself. */
const extensionOwns = (catalog: string, oid: string) => `EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`

const RELATION_KIND = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
  WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END`

/**
 * What makes up a database besides rows, owners and privileges: for each kind a query whose first column, the lines, is
 * the same on every server of one major version that holds the same structure. The second names the object for people.
 */
const KINDS: Readonly<Record<string, string>> = {
  schemas: `SELECT quote_ident(nspname), format('schema %I', nspname) FROM pg_catalog.pg_namespace n WHERE ${OURS}`,
  extensions: `SELECT format('%I in %I', extname, nspname), format('extension %I', extname)
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`,
  relations: `
    SELECT format('%s %s %s %s %s %s of %s %s %s %s', c.oid::regclass, c.relkind, c.relpersistence, c.relrowsecurity,
      c.relforcerowsecurity, c.relreplident,
      (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
      pg_get_expr(c.relpartbound, c.oid), c.reloptions, CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid)
      WHEN 'v' THEN md5(pg_get_viewdef(c.oid)) WHEN 'm' THEN c.relispopulated || md5(pg_get_viewdef(c.oid)) END),
      format('%s %s', ${RELATION_KIND}, c.oid::regclass)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't' AND ${OURS}`,
  columns: `
    SELECT format('%s.%I %s %s %s %s %s %s %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
      a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage,
      CASE WHEN a.attcollation <> 0 THEN a.attcollation::regcollation END),
      format('column %I of %s', a.attname, a.attrelid::regclass)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
      AND c.relpersistence <> 't' AND ${OURS}`,
  constraints: `
    SELECT format('%s: %I %s %s', CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text ELSE k.conrelid::regclass::text END,
      k.conname, pg_get_constraintdef(k.oid), k.convalidated),
      format('constraint %I of %s', k.conname, CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text ELSE k.conrelid::regclass::text END)
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
    WHERE k.contype NOT IN ('n', 't') AND ${OURS}`,
  indexes: `
    SELECT format('%s %s %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered),
      format('index %I of %s', c.relname, i.indrelid::regclass)
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  triggers: `
    SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled),
      format('trigger %I of %s', t.tgname, t.tgrelid::regclass)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND ${OURS}`,
  'event triggers': `SELECT format('%I %s %s %s %s', evtname, evtevent, evttags, evtfoid::regproc, evtenabled),
      format('event trigger %I', evtname)
    FROM pg_catalog.pg_event_trigger e WHERE NOT ${extensionOwns('pg_event_trigger', 'e.oid')}`,
  rules: `
    SELECT format('%s: %I %s %s', r.ev_class::regclass, r.rulename, r.ev_enabled, md5(pg_get_ruledef(r.oid))),
      format('rule %I of %s', r.rulename, r.ev_class::regclass)
    FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND ${OURS}`,
  policies: `
    SELECT format('%s: %I %s %s using %s check %s', p.polrelid::regclass, p.polname, p.polcmd, p.polpermissive,
      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
      format('policy %I of %s', p.polname, p.polrelid::regclass) FROM pg_catalog.pg_policy p`,
  functions: `
    SELECT format('%s %s', p.oid::regprocedure, CASE WHEN p.prokind <> 'a' THEN md5(pg_get_functiondef(p.oid)) END),
      format('function %s', p.oid::regprocedure)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE ${OURS} AND NOT ${extensionOwns('pg_proc', 'p.oid')}`,
  types: `
    SELECT format('%s %s %s %s %s %s', t.oid::regtype, t.typtype, format_type(nullif(t.typbasetype, 0), t.typtypmod),
      t.typnotnull, t.typdefault,
      (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)),
      format('type %s', t.oid::regtype)
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype <> 'c' AND t.typcategory <> 'A' AND ${OURS} AND NOT ${extensionOwns('pg_type', 't.oid')}`,
  publications: `SELECT format('%I %s %s %s %s', pubname, puballtables, pubinsert, pubupdate, pubdelete),
      format('publication %I', pubname)
    FROM pg_catalog.pg_publication`,
  statistics: `SELECT pg_get_statisticsobjdef(oid), format('statistics %I', stxname) FROM pg_catalog.pg_statistic_ext`,
  comments: `
    SELECT format('%s: %s', pg_identify_object(d.classoid, d.objoid, d.objsubid), md5(d.description)),
      format('comment on %s %s', o.type, o.identity)
    FROM pg_catalog.pg_description d
    CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o
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
  /** HMAC-SHA-256 of the text of {@link Structure}, hexadecimal. */
  digest: string
  /** Kind → number of lines. */
  counts: Record<string, number>
}

/** One object of a structure. */
export interface Definition {
  kind: string
  /** How the server prints it. */
  line: string
  /** For people: `function public.touch()`. */
  what: string
}

/** What a database's structure is. */
export interface Structure {
  facts: StructureFacts
  definitions: Definition[]
  /** For each kind its name and a line feed, then each line and a byte 0. */
  text: string
}

/**
 * Describes the structure of the database that `client` is connected to, inside its transaction.
 *
 * @param key of the HMAC: names, defaults and labels cannot be guessed from the digest without it
 */
export async function readStructure(
  client: pg.Client,
  major: number,
  key: Buffer,
): Promise<Structure> {
  const definitions: Definition[] = []
  const counts: Record<string, number> = {}
  let text = ''
  for (const [kind, sql] of Object.entries(KINDS)) {
    const { rows } = await client.query<[string, string]>({ text: sql, rowMode: 'array' })
    counts[kind] = rows.length
    definitions.push(...rows.map(([line, what]) => ({ kind, line, what })))
    // By code units, whatever the collation of the database.
    const lines = rows.map(([line]) => line).sort()
    text += [`${kind}\n`, ...lines.map((line) => `${line}\0`)].join('')
  }
  const digest = createHmac('sha256', key).update(text).digest('hex')
  return { facts: { major, digest, counts }, definitions, text }
}

/**
 * The definitions that a text of {@link Structure} does not have as they are, sorted by kind as they come.
 *
 * @param text of another database
 * @param counts number of its lines of each kind
 * @throws RangeError where they do not belong together
 */
export function changedDefinitions(
  definitions: readonly Definition[],
  text: string,
  counts: Readonly<Record<string, number>>,
): Definition[] {
  const known = new Set<string>()
  let at = 0
  for (const [kind, count] of Object.entries(counts)) {
    if (!text.startsWith(`${kind}\n`, at)) throw new RangeError(`no ${kind} in the structure`)
    at += kind.length + 1
    for (let i = 0; i < count; i++) {
      const end = text.indexOf('\0', at)
      if (end < 0) throw new RangeError(`too few ${kind} in the structure`)
      known.add(`${kind}\n${text.slice(at, end)}`)
      at = end + 1
    }
  }
  return definitions.filter(({ kind, line }) => !known.has(`${kind}\n${line}`))
}
