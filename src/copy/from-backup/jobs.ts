import { objectOf, type Manifest, type ManifestTable } from '../../backup/manifest.ts'
import type { TablePlan } from '../../mask/table-plan.ts'
import type { Column } from '../../postgres/catalog.ts'
import { showName, type QualifiedName } from '../../postgres/identifiers.ts'
import { copyInSql, truncateSql } from '../../sink/copy-sql.ts'
import { jobMasks, type TableJobs } from '../rows.ts'
import type { SealedJob } from './job.ts'
import { keyOf } from './plan.ts'

/** The jobs of a copy from a backup, an object each, largest table first. */
export function planSealedJobs(
  manifest: Manifest,
  plans: readonly TablePlan[],
): TableJobs<SealedJob>[] {
  const byName = new Map(manifest.tables.map((table) => [keyOf(table), table]))
  let id = 0
  return plans
    .filter((plan) => plan.rows === 'copied' && plan.table.kind === 'table')
    .toSorted((a, b) => b.table.bytes - a.table.bytes)
    .flatMap((plan) => {
      // One that only this server's version of an extension has comes with its own rows.
      const held = byName.get(keyOf(plan.table))
      if (!held) return []
      return [{ plan, jobs: tableJobs(manifest, held, plan).map((job) => ({ ...job, id: id++ })) }]
    })
}

function tableJobs(
  manifest: Manifest,
  held: ManifestTable,
  plan: TablePlan,
): Omit<SealedJob, 'id'>[] {
  const { schema, name, columns, segments, configuration } = held
  const into = isSame(held.into, held) ? plan.into : held.into
  // Only a table that this transaction truncated can be frozen, and only where rows go straight into it.
  const freeze = segments.length === 1 && isSame(into, held) && !configuration
  const job = {
    table: showName(held),
    of: { schema, name },
    copyIn: copyInSql({ table: into, columns, codec: 'text', freeze }),
    prepare: freeze ? truncateSql(held) : undefined,
    ...wireLayout(plan, columns),
  }
  return segments.map((segment) => ({ ...job, object: objectOf(manifest, segment) }))
}

function isSame(a: QualifiedName, b: QualifiedName): boolean {
  return a.schema === b.schema && a.name === b.name
}

/**
 * Masks know fields by the numbers that the plan gave them; a backup has its columns in the table's order. So the head
 * reaches to the last column that a mask reads or replaces, and `order` says which field stands where in it.
 */
export function wireLayout(
  plan: Pick<TablePlan, 'columns' | 'head' | 'masks'>,
  columns: readonly string[],
): Pick<SealedJob, 'head' | 'total' | 'order' | 'masks'> {
  const at = ({ name }: Column) => columns.indexOf(name)
  const needed = plan.columns.slice(0, plan.head)
  const head = Math.max(0, ...needed.map((column) => at(column) + 1))
  const fields = new Map(needed.map((column, field) => [column.name, field]))
  let next = needed.length
  const order = columns.slice(0, head).map((name) => fields.get(name) ?? next++)
  const masks = plan.masks.toSorted((a, b) => at(a.column) - at(b.column))
  return { head, total: columns.length, order, masks: jobMasks({ masks }) }
}
