import {
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  showName,
  type QualifiedName,
} from '../postgres/identifiers.ts'
import {
  COPY_KEY_SQL,
  COPY_RECORDS_SQL,
  DERIVE_SQL,
  READ_SQL,
  REPLAY_SQL,
  SETUP_SQL,
} from '../erasure/replay-sql.ts'
import type { Manifest, ManifestSource, ManifestTable } from './manifest.ts'
import { ERASURE_SHELL } from './restore-shell-erasures.ts'
import { LOAD_SHELL } from './restore-shell-load.ts'
import { OPEN_SHELL } from './restore-shell-open.ts'
import { forTerminal, localeClause, quoteForShell } from './restore-text.ts'

export { restoreReadme } from './restore-readme.ts'

/**
 * restore.sh of a backup: restores it with gpg, zstd and psql alone. It begins with what is particular to this
 * backup; the rest is the same in each.
 *
 * @param manifest with all objects but restore.sh and RESTORE.md
 */
export function restoreScript(manifest: Manifest): string {
  return [
    '#!/bin/sh',
    `# Restores the sealed backup ${manifest.label} with gpg, zstd and psql; pgveil is not needed.`,
    '# Begin with RESTORE.md: it says how to find out that this script is the one that was signed.',
    '{ set +ax; } 2>/dev/null # a trace would show the passphrase, and exporting would hand it to every child',
    'set -eu',
    'umask 077',
    ...facts(manifest),
    '',
    '# Object, rows, name for people, COPY.',
    'restore_rows() {',
    ...restoreRows(manifest),
    '}',
    OPEN_SHELL.trimEnd(),
    ERASURE_SHELL.trimEnd(),
    LOAD_SHELL,
  ].join('\n')
}

/** What is set empty; a variable that came with the environment would be exported to every child. */
const VARIABLES = [
  'CDPATH',
  'half',
  'passphrase',
  'signer',
  'database',
  'server',
  'check_only',
  'half_file_1',
  'half_file_2',
  'erasures',
  'erasure_secret',
  'erased',
  'terminal',
  'created',
  'missing',
  'unfilled',
]

function facts({ label, name, seal, source, views, erasures }: Manifest): string[] {
  const [first, second] = seal.sides
  const values: Record<string, string> = {
    label,
    side_1: first?.name ?? '',
    digest_1: first?.half ?? '',
    side_2: second?.name ?? '',
    digest_2: second?.half ?? '',
    source_version: String(source.versionNumber),
    client_encoding: source.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8',
    extensions: missingExtensions(Object.keys(source.extensions)),
    encoding_clause: `ENCODING ${quoteLiteral(source.encoding)}`,
    old_clause: localeClause(source, 14),
    clause_15: localeClause(source, 15),
    clause_16: localeClause(source, 16),
    session: session(source),
    money: source.lcMonetary === null ? '' : `SET lc_monetary = ${quoteLiteral(source.lcMonetary)}`,
    after: after(views),
    chain: name,
    ledger_number: String(erasures?.number ?? 0),
    ledger_digest: erasures?.sha256 ?? '',
    erasure_setup: SETUP_SQL,
    erasure_copy_records: COPY_RECORDS_SQL,
    erasure_copy_key: COPY_KEY_SQL,
    erasure_derive: DERIVE_SQL,
    erasure_read: READ_SQL,
    erasure_replay: REPLAY_SQL,
  }
  return [
    `unset ${VARIABLES.join(' ')} || :`,
    ...VARIABLES.map((name) => `${name}=`),
    ...Object.entries(values).map(([name, value]) => `${name}=${quoteForShell(value)}`),
  ]
}

/** A query for those that the server cannot create. */
function missingExtensions(names: readonly string[]): string {
  if (names.length === 0) return ''
  return `SELECT pg_catalog.string_agg(wanted, ', ') FROM pg_catalog.unnest(ARRAY[${names
    .map(quoteLiteral)
    .join(', ')}]::pg_catalog.text[]) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = wanted)`
}

/** Settings under which the rows were written as text; nothing that the server is set to ends a long load. */
function session({ encoding }: ManifestSource): string {
  const clientEncoding = encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
  return `SET client_encoding = '${clientEncoding}'; SET standard_conforming_strings = on;
SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET xmloption = 'content';
SET array_nulls = on; SET search_path = ''; SET row_security = off; SET synchronous_commit = off;
SET default_transaction_read_only = off; SET client_min_messages = warning;
DO 'BEGIN PERFORM pg_catalog.set_config(name, ''0'', false) FROM pg_catalog.pg_settings WHERE name IN (
''statement_timeout'', ''lock_timeout'', ''idle_in_transaction_session_timeout'', ''idle_session_timeout'',
''transaction_timeout''); END'`
}

/**
 * What is left when the structure is complete: views and statistics. Event triggers of the backed up database, which
 * are there by now, do not fire for that; only a superuser could have made any.
 */
function after(views: readonly QualifiedName[]): string {
  return [
    "DO 'BEGIN",
    "PERFORM pg_catalog.set_config(''session_replication_role'', ''replica'', false);",
    "PERFORM pg_catalog.set_config(name, ''off'', false) FROM pg_catalog.pg_settings WHERE name = ''event_triggers'';",
    "EXCEPTION WHEN insufficient_privilege THEN END';",
    ...views.map(fill),
    'ANALYZE;',
    ...(views.length > 0 ? [countUnfilled(views)] : []),
  ].join('\n')
}

/**
 * Fills a materialized view. Where the server, which is well, refuses to, the view stays empty, as in a restore by
 * pgveil; what the server said may quote a row, so only its code is shown.
 */
function fill(view: QualifiedName): string {
  const name = quoteLiteral(forTerminal(showName(view)))
  return `DO ${quoteLiteral(`BEGIN REFRESH MATERIALIZED VIEW ${quoteQualified(view)};
EXCEPTION WHEN OTHERS THEN
IF pg_catalog.left(SQLSTATE, 2) IN ('53', '57', '58', 'XX') THEN RAISE; END IF;
RAISE WARNING 'materialized view % could not be filled (SQLSTATE %); it has no rows', ${name}, SQLSTATE; END`)};`
}

/** Says a number for restore.sh to find, where it is not 0. */
function countUnfilled(views: readonly QualifiedName[]): string {
  const names = views.map(({ schema, name }) => `(${quoteLiteral(schema)}, ${quoteLiteral(name)})`)
  return `SELECT 'not filled: ' || pg_catalog.count(*) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT c.relispopulated AND (n.nspname, c.relname) IN (${names.join(', ')}) HAVING pg_catalog.count(*) > 0;`
}

/** The calls that load tables, then large objects. */
function restoreRows({ tables, objects }: Manifest): string[] {
  const rows = new Map(objects.map((object) => [object.name, object.rows ?? 0]))
  const largeObjects = objects
    .map(({ name }) => /^large-objects\.(\d+)\.sql\.pgp$/.exec(name))
    .filter((match) => match !== null)
    .toSorted((a, b) => Number(a[1]) - Number(b[1]))
  return [
    '  :',
    ...tables.flatMap((table) => {
      const end = `${quoteForShell(forTerminal(showName(table)))} ${quoteForShell(copySql(table))}`
      return table.segments.map((segment) => `  rows ${segment} ${rows.get(segment) ?? 0} ${end}`)
    }),
    ...largeObjects.map(([name]) => `  large_objects ${name}`),
  ]
}

/** Without its list where it has no columns; generated ones are not in the list. */
function copySql({ into, columns }: ManifestTable): string {
  const list = columns.length > 0 ? ` (${columns.map(quoteIdentifier).join(', ')})` : ''
  return `COPY ${quoteQualified(into)}${list} FROM STDIN`
}
