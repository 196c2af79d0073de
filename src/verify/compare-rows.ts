import type pg from 'pg'
import type { Manifest, ManifestTable } from '../backup/manifest.ts'
import type { Catalog, Table } from '../postgres/catalog.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { Loaded } from '../backup/loading.ts'
import { configurationFilter } from '../backup/plan.ts'
import { together } from '../jobs/together.ts'
import { copyOutSql, pageRanges } from '../source/copy-sql.ts'
import { addDigests, NO_ROWS } from '../stream/rows.ts'
import type { Checker } from './checker.ts'
import type { CheckResult } from './job.ts'
import type { StepRecord } from './step.ts'

/** Bytes of a table that one job reads. */
const JOB_BYTES = 128 * 1024 * 1024

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

export interface RowsRequest {
  manifest: Manifest
  /** Of the restored database. */
  catalog: Catalog
  /** Tables at the top of trees in which rows may have moved. */
  moving: ReadonlySet<string>
  /** Table at the top of a tree → digest of the tree's rows, as they were put in. */
  trees: Loaded['trees']
}

/**
 * Reads every table of the restored database again, the largest first, and compares number and digest of its rows with
 * the manifest.
 *
 * @throws Failure `sink` where the server is in trouble
 */
export async function compareRows(
  record: StepRecord,
  request: RowsRequest,
  checker: Checker,
): Promise<void> {
  const { manifest, catalog, moving } = request
  const restored = new Map(catalog.tables.map((table) => [showName(table), table]))
  const reads = manifest.tables
    .toSorted((a, b) => b.bytes - a.bytes)
    .map((table) => readTable(record, table, restored.get(showName(table)), checker))
  const found = (await together(reads)).filter((one) => one !== undefined)
  const wrong = found.filter(
    ({ table, rows, digest }) => rows !== table.rows || digest !== table.digest,
  )
  const moved = movedRoots(found, wrong, moving)
  for (const root of moved) {
    const leaves = found.filter(({ table }) => showName(table.root) === root)
    await compareTree(record, request, { root, leaves, restored }, checker)
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
  const of = { schema: expected.schema, name: expected.name }
  const results = await readRows({ table, columns, of }, checker)
  const refused = results.find((result) => result.refused)?.refused
  if (!refused) return { table: expected, ...sum(results) }
  record.fail(`${name} cannot be read: ${refused.message}`)
  return undefined
}

/** @param of whose digest the rows add to */
function readRows(
  { table, columns, of }: { table: Table; columns: readonly string[]; of: QualifiedName },
  checker: Checker,
): Promise<CheckResult[]> {
  const name = showName(table)
  const where = configurationFilter(table)
  const jobs = pageRanges(table, JOB_BYTES).map((range) =>
    checker.run({
      kind: 'read',
      table: name,
      of,
      copyOut: copyOutSql({ table, columns, conditions: [], where, range, codec: 'text' }),
    }),
  )
  return Promise.all(jobs)
}

/**
 * The digest of each partition has a key of its own, and says nothing where rows have moved between them. So the tree
 * is read again as if all of its rows were of the table at its top, and compared with what was put into it.
 */
async function compareTree(
  record: StepRecord,
  { trees }: RowsRequest,
  tree: { root: string; leaves: readonly Read[]; restored: ReadonlyMap<string, Table> },
  checker: Checker,
): Promise<void> {
  const { root, leaves, restored } = tree
  const moved = `rows of ${root}, which is partitioned by hash, lie in other partitions than on the source`
  const columns = leaves[0]?.table.columns ?? []
  const expected = trees.get(root)
  // A row prints otherwise in a partition whose columns have another order.
  const isSame = leaves.every(({ table }) => table.columns.join('\0') === columns.join('\0'))
  if (!isSame || expected === undefined) {
    record.warn(`${moved}: only their number was compared`)
    return
  }
  const results = await Promise.all(
    leaves.map(async ({ table: { root: of, ...leaf } }) => {
      const table = restored.get(showName(leaf))
      return table ? readRows({ table, columns, of }, checker) : []
    }),
  )
  const { rows, digest } = sum(results.flat())
  record.checks++
  if (digest === expected) record.note(`${moved}; all of its ${rows} rows are there`)
  else record.fail(`${root}: ${rows} rows as expected, but not the same rows: their digest differs`)
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
