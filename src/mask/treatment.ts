import { Failure } from '../errors.ts'
import type { Catalog, Column, ForeignKey, Table } from '../postgres/catalog.ts'
import { showIdentifier, showName } from '../postgres/identifiers.ts'
import type { TableDecision } from './match.ts'
import { formatPlace, type ColumnRule } from './rules.ts'

/** What happens to one column. */
export type ColumnTreatment =
  | { kind: 'keep' }
  | { kind: 'generated' }
  | { kind: 'mask'; rule: ColumnRule; follows: string | undefined }

export interface TreatedTable {
  table: Table
  /** `none`: structure only. */
  rows: 'copied' | 'none'
  where: string | undefined
  /** By column number, in the table's order. */
  columns: Map<number, ColumnTreatment>
}

/**
 * The census: every table and every column is decided, or nothing is copied. Foreign keys onto masked keys
 * take the key's mask and domain by themselves.
 *
 * @throws Failure `refused` with the lines that are missing, `config` where rules contradict each other
 */
export function decideColumns(
  catalog: Catalog,
  decisions: Map<number, TableDecision>,
  rulesPath: string,
): TreatedTable[] {
  const treated: TreatedTable[] = []
  const undecided = new Map<Table, Column[] | 'whole'>()
  for (const table of catalog.tables) {
    if (table.kind === 'foreign' || isExtensionOwned(table)) continue
    const decision = decisions.get(table.oid)
    if (!decision) {
      undecided.set(table, 'whole')
      continue
    }
    const columns = new Map<number, ColumnTreatment>()
    treated.push({
      table,
      rows: decision.kind === 'omit' ? 'none' : 'copied',
      where: decision.kind === 'columns' ? decision.where : undefined,
      columns,
    })
    for (const column of table.columns) {
      const treatment = decide(column, decision)
      if (treatment) columns.set(column.number, treatment)
    }
  }
  followForeignKeys(treated)
  for (const { table, columns } of treated) {
    const missing = table.columns.filter((column) => !columns.has(column.number))
    if (missing.length > 0) undecided.set(table, missing)
  }
  refuseUndecided(undecided, rulesPath)
  refuseContradictions(treated)
  return treated
}

/** Rows of an extension's own table come with the extension, unless it names the table as configuration. */
function isExtensionOwned(table: Table): boolean {
  return table.extension !== undefined && table.extensionFilter === undefined
}

function decide(column: Column, decision: TableDecision): ColumnTreatment | undefined {
  if (column.generated) return { kind: 'generated' }
  if (decision.kind !== 'columns') return { kind: 'keep' }
  const rule = decision.columns.get(column.name)
  if (rule) return { kind: 'mask', rule, follows: undefined }
  return decision.keep.has(column.name) ? { kind: 'keep' } : undefined
}

interface Link {
  from: TreatedTable
  column: number
  to: TreatedTable
  referenced: number
  key: ForeignKey
}

function foreignKeyLinks(treated: TreatedTable[]): Link[] {
  const byOid = new Map(treated.map((entry) => [entry.table.oid, entry]))
  return treated.flatMap((from) =>
    from.table.foreignKeys.flatMap((key) => {
      const to = byOid.get(key.referencedOid)
      if (!to) return []
      return key.columns.map((column, i) => ({
        from,
        column,
        to,
        referenced: key.referencedColumns[i] as number,
        key,
      }))
    }),
  )
}

function followForeignKeys(treated: TreatedTable[]): void {
  const links = foreignKeyLinks(treated)
  for (let changed = true; changed;) {
    changed = false
    for (const { from, column, to, referenced } of links) {
      const target = to.columns.get(referenced)
      const current = from.columns.get(column)
      if (target?.kind !== 'mask' || current?.kind === 'mask' || current?.kind === 'generated')
        continue
      from.columns.set(column, {
        kind: 'mask',
        rule: target.rule,
        follows: target.follows ?? columnLabel(to.table, referenced),
      })
      changed = true
    }
  }
}

function columnLabel(table: Table, number: number): string {
  const column = table.columns.find((other) => other.number === number)
  return `${showName(table)}.${showIdentifier(column?.name ?? '')}`
}

function refuseUndecided(undecided: Map<Table, Column[] | 'whole'>, rulesPath: string): void {
  const oids = new Set([...undecided.keys()].map((table) => table.oid))
  // What is decided for a parent reaches its partitions and children.
  const tables = [...undecided]
    .filter(([table]) => !table.parents.some((parent) => oids.has(parent)))
    .toSorted(([a], [b]) => (showName(a) < showName(b) ? -1 : 1))
  if (tables.length === 0) return
  const lines: string[] = []
  let columns = 0
  for (const [table, missing] of tables) {
    if (missing === 'whole') {
      columns += table.columns.length
      lines.push(`  ${showName(table)}: # keep, omit, or masks for ${table.columns.length} columns`)
      continue
    }
    columns += missing.length
    lines.push(`  ${showName(table)}:`)
    for (const column of missing) {
      lines.push(`    ${showIdentifier(column.name)}: # ${column.typeName}`)
    }
  }
  throw new Failure(
    'refused',
    `${columns} column${columns === 1 ? ' is' : 's are'} not decided in ${rulesPath}; missing lines:\n${lines.join('\n')}`,
    { hint: 'give each a mask, or list it under keep: once somebody looked at it' },
  )
}

/** A key and the columns that refer to it must change alike, or joins break and constraints fail. */
function refuseContradictions(treated: TreatedTable[]): void {
  for (const { from, column, to, referenced, key } of foreignKeyLinks(treated)) {
    if (from.rows === 'none' || to.rows === 'none') continue
    const here = from.columns.get(column)
    const there = to.columns.get(referenced)
    if (here?.kind !== 'mask' || here.rule.mask === 'null') continue
    if (there?.kind === 'mask' && sameMask(here.rule, there.rule)) continue
    const place = formatPlace(here.rule.place)
    const label = columnLabel(from.table, column)
    const target = columnLabel(to.table, referenced)
    throw new Failure(
      'config',
      `${place}: ${label} is masked with ${here.rule.mask}, but refers to ${target} (foreign key ${showIdentifier(key.name)}), which is ${there?.kind === 'mask' ? 'masked differently' : 'kept'}`,
      { hint: `take the rule of ${label} away: it follows the rule of ${target}` },
    )
  }
}

function sameMask(a: ColumnRule, b: ColumnRule): boolean {
  return (
    a.mask === b.mask &&
    domainOf(a) === domainOf(b) &&
    a.when === b.when &&
    JSON.stringify(a.options) === JSON.stringify(b.options)
  )
}

/** Columns of one domain give equal originals equal masks; without a name, a mask has its own. */
export function domainOf(rule: ColumnRule): string {
  return rule.domain ?? defaultDomain(rule.mask)
}

/**
 * The domain that a mask's columns belong to where the rule file names none. Masks whose values must agree
 * within a row share one, and with it `MaskRequest.key`; lengths and row counts stay per mask.
 */
export function defaultDomain(maskName: string): string {
  return /^location\.(city|zipCode|state)$/.test(maskName) ? 'location' : maskName
}
