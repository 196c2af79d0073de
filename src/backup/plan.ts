import type { Catalog, Table } from '../postgres/catalog.ts'
import { showName } from '../postgres/identifiers.ts'
import type { PlannedTable } from '../report/events.ts'
import { copyOutSql, pageRanges } from '../source/copy-sql.ts'
import type { RowsJob } from './job.ts'

/** A table of a backup, and the jobs that read it. */
export interface TableBackup {
  table: Table
  /** The partitioned table at the top; the table itself where it is no partition. */
  root: Table
  /** The table that rows go into when they are restored. */
  into: Table
  columns: string[]
  jobs: RowsJob[]
}

/** Bytes on the source of a job: enough of them to share the work, each worth its segment. */
const JOB_BYTES = 128 * 1024 * 1024

/**
 * What is read, largest first: every table with rows of its own, extensions' configuration among them.
 *
 * @param hashed roots of trees in which some table is partitioned by hash: hashes differ between machines
 */
export function planTables(
  { tables }: Catalog,
  hashed: ReadonlySet<number>,
  jobs: number,
): TableBackup[] {
  const byOid = new Map(tables.map((table) => [table.oid, table]))
  const wanted = tables.filter(holdsRows)
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0)
  const size = jobs === 1 ? JOB_BYTES : Math.min(JOB_BYTES, total / (jobs * 3))
  return wanted
    .toSorted((a, b) => b.bytes - a.bytes)
    .map((table, number) => {
      const root = rootOf(table, byOid)
      const columns = table.columns.filter(({ generated }) => !generated).map(({ name }) => name)
      return {
        table,
        root,
        into: hashed.has(root.oid) ? root : table,
        columns,
        jobs: pageRanges(table, size).map((range, k) => ({
          kind: 'rows' as const,
          // Given out by whoever runs them.
          id: 0,
          table: showName(table),
          of: { schema: table.schema, name: table.name },
          copyOut: copyOutSql({
            table,
            columns,
            conditions: [],
            where: configurationFilter(table),
            range,
            codec: 'text',
          }),
          stem: `tables/${number + 1}.${k + 1}`,
        })),
      }
    })
}

/** An extension brings its own tables; of their rows, those that it calls configuration are the user's. */
function holdsRows({ kind, extension, extensionFilter }: Table): boolean {
  return kind === 'table' && (extension === undefined || extensionFilter !== undefined)
}

function rootOf(table: Table, byOid: ReadonlyMap<number, Table>): Table {
  const parent = table.isPartition ? byOid.get(table.parents[0] as number) : undefined
  return parent ? rootOf(parent, byOid) : table
}

/** pg_extension_config_dump takes it with or without its WHERE. */
export function configurationFilter({ extensionFilter }: Table): string | undefined {
  return extensionFilter?.replace(/^\s*where\b/i, '').trim() || undefined
}

/** For plan and progress. */
export function plannedTable({ table, root, jobs }: TableBackup): PlannedTable {
  return {
    table: showName(table),
    ...(root !== table && { partitionOf: showName(root) }),
    action: 'rows',
    codec: 'text',
    estimatedRows: table.estimatedRows > 0 ? table.estimatedRows : Math.round(table.bytes / 100),
    bytes: table.bytes,
    jobs: jobs.length,
    columns: [],
  }
}
