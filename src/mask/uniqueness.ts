import { Failure } from '../errors.ts'
import type { Column, Table, UniqueIndex } from '../postgres/catalog.ts'
import { showIdentifier } from '../postgres/identifiers.ts'
import { describeColumn, type PlannedMask, type TablePlan } from './table-plan.ts'

/** A unique index whose masks are injective only for values that differ after normalisation. */
export interface NormalizedKey {
  index: string
  mask: PlannedMask
}

/**
 * Refuses masks that could make two rows equal under a unique index.
 *
 * @throws Failure `refused`
 */
export function refuseLostUniqueness(plan: TablePlan): void {
  for (const index of plan.table.uniqueIndexes) {
    const lossy = plan.masks.filter(
      (mask) =>
        index.columns.includes(mask.column.number) &&
        !keepsDistinct(mask) &&
        (mask.rule.mask !== 'null' || index.nullsNotDistinct),
    )
    const [mask] = lossy
    if (!mask || restIsUnique(plan.table, index, lossyColumns(plan))) continue
    throw new Failure(
      'refused',
      `${describeColumn(plan.table, mask.column, mask.rule)}: ${mask.rule.mask} may give two rows one value, but the column stands under unique index ${showIdentifier(index.name)}`,
      { hint: 'use a mask that keeps values apart: internet.email, phone.number, key or hash' },
    )
  }
}

function keepsDistinct(mask: PlannedMask): boolean {
  // With a condition, a mask may meet a value that was kept.
  return mask.prepared.injective && mask.condition < 0
}

function lossyColumns(plan: TablePlan): Set<number> {
  return new Set(
    plan.masks.filter((mask) => !keepsDistinct(mask)).map((mask) => mask.column.number),
  )
}

/** The columns of an index that are not `masked` already tell the rows apart. */
function restIsUnique(table: Table, index: UniqueIndex, masked: ReadonlySet<number>): boolean {
  const kept = index.columns.filter((column) => !masked.has(column))
  return table.uniqueIndexes.some(
    (other) =>
      !other.isExclusion &&
      !other.isPartial &&
      !other.hasExpression &&
      other.columns.length > 0 &&
      other.columns.every((column) => kept.includes(column)) &&
      other.columns.every((number) =>
        table.columns.some((column) => column.number === number && column.notNull),
      ),
  )
}

/** Whether some unique index holds only while the masks of this column keep values apart. */
export function needsDistinct(table: Table, column: Column, masked: ReadonlySet<number>): boolean {
  return table.uniqueIndexes.some(
    (index) => index.columns.includes(column.number) && !restIsUnique(table, index, masked),
  )
}

/** The unique keys for which distinctness after normalisation remains to be shown on the rows themselves. */
export function normalizedKeys(plan: TablePlan): NormalizedKey[] {
  return plan.table.uniqueIndexes.flatMap((index) =>
    plan.masks
      .filter((mask) => index.columns.includes(mask.column.number) && mask.prepared.normalizes)
      .map((mask) => ({ index: index.name, mask })),
  )
}
