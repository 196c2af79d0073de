import type pg from 'pg'
import type { Manifest, ManifestTable } from '../backup/manifest.ts'
import type { Catalog, Table } from '../postgres/catalog.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import { configurationFilter } from '../backup/plan.ts'
import { copyOutSql, pageRanges } from '../source/copy-sql.ts'
import { addDigests } from '../stream/rows.ts'
import type { Checker } from './checker.ts'
import type { CheckResult } from './job.ts'
import type { StepRecord } from './step.ts'

/** Bytes of a table that one job reads. */
const JOB_BYTES = 128 * 1024 * 1024
const NO_ROWS = '0'.repeat(32)

/** A table that was read again. */
interface Read {
  table: ManifestTable
  rows: number
  digest: string
}

/** Trees with a level that is partitioned by the hash of something else than a plain base type. */
const MOVING = `
  SELECT DISTINCT n.nspname AS schema, r.relname AS name
  FROM pg_catalog.pg_partitioned_table p
  JOIN pg_catalog.pg_class r ON r.oid = pg_catalog.pg_partition_root(p.partrelid)
  JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs::int2[])
  LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE p.partstrat = 'h' AND (0 = ANY (p.partattrs::int2[]) OR t.typtype <> 'b' OR t.typcategory = 'A')`

/**
 * Tables at the top of trees in which rows may lie in other partitions than on the source: enums hash by a number that
 * each database gives them anew.
 */
export async function readMovingTrees(client: pg.Client): Promise<Set<string>> {
  const { rows } = await client.query<QualifiedName>(MOVING)
  return new Set(rows.map(showName))
}

/**
 * Reads every table of the restored database again, the largest first, and compares number and digest of its rows with
 * the manifest.
 *
 * @throws Failure `sink` where the server is in trouble
 */
export async function compareRows(
  record: StepRecord,
  manifest: Manifest,
  { catalog, moving }: { catalog: Catalog; moving: ReadonlySet<string> },
  checker: Checker,
): Promise<void> {
  const restored = new Map(catalog.tables.map((table) => [showName(table), table]))
  const reads = manifest.tables
    .toSorted((a, b) => b.bytes - a.bytes)
    .map((table) => readTable(record, table, restored.get(showName(table)), checker))
  const settled = await Promise.allSettled(reads)
  const broken = settled.find((one) => one.status === 'rejected')
  if (broken) throw broken.reason
  const found = settled.flatMap((one) =>
    one.status === 'fulfilled' && one.value ? [one.value] : [],
  )
  const wrong = found.filter(
    ({ table, rows, digest }) => rows !== table.rows || digest !== table.digest,
  )
  const moved = movedRoots(found, wrong, moving)
  for (const root of moved) {
    record.warn(
      `rows of ${root}, which is partitioned by hash, lie in other partitions than on the source: only their number was compared`,
    )
  }
  for (const { table, rows } of wrong) {
    if (moved.has(showName(table.root))) continue
    const name = showName(table)
    if (rows === table.rows) {
      record.fail(`${name}: ${rows} rows as expected, but not the same rows: their digest differs`)
    } else record.fail(`${name} has ${rows} rows, the manifest says ${table.rows}`)
  }
  const rows = found.reduce((sum, read) => sum + read.rows, 0)
  record.note(`${found.length} tables read again: ${rows} rows`)
}

async function readTable(
  record: StepRecord,
  expected: ManifestTable,
  table: Table | undefined,
  checker: Checker,
): Promise<Read | undefined> {
  const name = showName(expected)
  record.checks++
  if (!table || table.kind !== 'table') {
    record.fail(`table ${name} is missing`)
    return undefined
  }
  const { columns } = expected
  const where = configurationFilter(table)
  const of = { schema: expected.schema, name: expected.name }
  const jobs = pageRanges(table, JOB_BYTES).map((range) =>
    checker.run({
      kind: 'read',
      table: name,
      of,
      copyOut: copyOutSql({ table, columns, conditions: [], where, range, codec: 'text' }),
    }),
  )
  const results = await Promise.all(jobs)
  const refused = results.find((result) => result.refused)?.refused
  if (!refused) return { table: expected, ...sum(results) }
  record.fail(`${name} cannot be read: ${refused.message}`)
  return undefined
}

function sum(results: readonly CheckResult[]): Pick<Read, 'rows' | 'digest'> {
  return {
    rows: results.reduce((total, { rows }) => total + rows, 0),
    digest: results.reduce((total, { digest }) => addDigests(total, digest), NO_ROWS),
  }
}

/**
 * Trees partitioned by hash whose rows are all there, though not where they were: hashes differ between machines. The
 * digest of each partition has a key of its own, and so says nothing then.
 */
function movedRoots(
  found: readonly Read[],
  wrong: readonly Read[],
  moving: ReadonlySet<string>,
): Set<string> {
  const roots = new Set<string>()
  for (const { table } of wrong) {
    const isHashed = table.into.schema !== table.schema || table.into.name !== table.name
    if (isHashed) roots.add(showName(table.root))
  }
  for (const root of roots) {
    const tree = found.filter(({ table }) => showName(table.root) === root)
    const isMoved = tree.filter(({ table, rows }) => rows !== table.rows).length > 1
    const total = tree.reduce((difference, { table, rows }) => difference + rows - table.rows, 0)
    if ((!isMoved && !moving.has(root)) || total !== 0) roots.delete(root)
  }
  return roots
}
