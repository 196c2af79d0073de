import type { Column, Table, TypeClass } from '../postgres/catalog.ts'
import { showIdentifier, showName } from '../postgres/identifiers.ts'
import type { PreparedMask } from './mask.ts'
import { formatPlace, type ColumnRule } from './rules.ts'
import type { ColumnTreatment } from './treatment.ts'

/** One masked column, ready for a worker. Plain data. */
export interface PlannedMask {
  column: Column
  rule: ColumnRule
  domain: string
  follows: string | undefined
  /** Field index in the row as it travels; conditions come first. */
  field: number
  /** Index into `conditions`; -1: always masked. */
  condition: number
  prepared: PreparedMask
  /** The class the mask works on: `text` where the value travels as text whatever its type. */
  typeClass: TypeClass
}

/** How one table is read, masked and written. Plain data. */
export interface TablePlan {
  table: Table
  rows: 'copied' | 'none'
  where: string | undefined
  /** SQL conditions that travel before the columns, and are dropped again. */
  conditions: string[]
  /** Columns in the order in which they travel: first those that masks read or replace. */
  columns: Column[]
  /** How many of `columns` masks read or replace. */
  head: number
  masks: PlannedMask[]
  treatments: Map<number, ColumnTreatment>
  codec: 'binary' | 'text'
  /** Why not binary. */
  codecReason: string | undefined
  /** The partitioned table at the top; the table itself where it is no partition. */
  root: Table
  /** Masked partition keys move rows: they go in through this partitioned table. */
  into: Table
}

/** For people: `rules.yaml:12:5: public.contact.email`. */
export function describeColumn(table: Table, column: Column, rule: ColumnRule): string {
  return `${formatPlace(rule.place)}: ${showName(table)}.${showIdentifier(column.name)}`
}
