import { Failure } from '../errors.ts'
import type { Catalog, Table } from '../postgres/catalog.ts'
import { showIdentifier, showName } from '../postgres/identifiers.ts'
import {
  formatPlace,
  type ColumnRule,
  type KeptColumn,
  type RuleFile,
  type TableRule,
} from './rules.ts'

/** What the rule file says of one table, patterns, `like` and parents resolved. */
export type TableDecision =
  | { kind: 'omit' }
  | { kind: 'keep' }
  | {
      kind: 'columns'
      columns: Map<string, ColumnRule>
      keep: Map<string, KeptColumn>
      where: string | undefined
    }

type Treatment = TableRule['treatment']

/**
 * Finds the rule of each table: its own (an exact name before patterns, narrow patterns before wide
 * ones), else that of its partitioned or inheritance parent. Foreign tables and tables an extension
 * fills itself need none.
 *
 * @returns decisions by table oid; a table without one is absent
 * @throws Failure `config` for rules that match nothing, match ambiguously, or name columns that are not there
 */
export function matchRules(rules: RuleFile, catalog: Catalog): Map<number, TableDecision> {
  const problems: string[] = []
  const used = new Set<TableRule>()
  const own = new Map<number, TableRule>()
  for (const table of catalog.tables) {
    const candidates = rules.tables.filter((rule) => matches(rule, table))
    candidates.sort((a, b) => wildcards(a) - wildcards(b) || literals(b) - literals(a))
    for (const rule of candidates) used.add(rule)
    if (candidates[0]) own.set(table.oid, candidates[0])
  }
  for (const rule of rules.tables) {
    if (!used.has(rule)) problems.push(unknownTable(rule, catalog))
  }

  const byOid = new Map(catalog.tables.map((table) => [table.oid, table]))
  const decisions = new Map<number, TableDecision>()
  const usedColumns = new Set<ColumnRule | KeptColumn>()
  for (const table of catalog.tables) {
    const treatments = lineage(table, byOid)
      .map((relative) => own.get(relative.oid))
      .filter((rule) => rule !== undefined)
      .map((rule) => follow(rule, rules, problems))
    if (treatments.length > 0) decisions.set(table.oid, merge(treatments, table, usedColumns))
  }
  for (const rule of new Set(own.values())) reportUnknownColumns(rule, usedColumns, problems)
  for (const table of catalog.tables) {
    const rule = own.get(table.oid)
    if (rule && wildcards(rule) === 0) reportGenerated(rule, table, problems)
  }

  if (problems.length > 0) {
    const [first, ...rest] = problems
    throw new Failure('config', [first, ...rest.map((line) => `  ${line}`)].join('\n'), {
      hint: 'rules name tables and columns exactly as the catalog stores them',
    })
  }
  return decisions
}

function matches(rule: TableRule, table: Table): boolean {
  if (rule.schema !== table.schema) return false
  return rule.wildcard ? globMatches(rule.table, table.name) : rule.table === table.name
}

/** `*` stands for any run of characters. */
export function globMatches(glob: string, name: string): boolean {
  if (!glob.includes('*')) return glob === name
  const pattern = glob.split('*').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${pattern.join('.*')}$`, 'su').test(name)
}

function wildcards(rule: TableRule): number {
  return rule.wildcard ? rule.table.split('*').length - 1 : 0
}

function literals(rule: TableRule): number {
  return rule.schema.length + rule.table.length
}

/** The table, then its parents, nearest first. */
function lineage(table: Table, byOid: Map<number, Table>): Table[] {
  const found = [table]
  for (const relative of found) {
    for (const oid of relative.parents) {
      const parent = byOid.get(oid)
      if (parent && !found.includes(parent)) found.push(parent)
    }
  }
  return found
}

function follow(rule: TableRule, rules: RuleFile, problems: string[]): Treatment {
  let current = rule
  for (let steps = 0; current.treatment.kind === 'like'; steps++) {
    const { schema, table } = current.treatment
    const next = rules.tables.find((other) => other.schema === schema && other.table === table)
    if (!next || steps > rules.tables.length) {
      problems.push(
        `${formatPlace(current.place)}: like ${schema}.${table} names no other rule of this file`,
      )
      return { kind: 'omit' }
    }
    current = next
  }
  return current.treatment
}

function merge(
  treatments: Treatment[],
  table: Table,
  used: Set<ColumnRule | KeptColumn>,
): TableDecision {
  const nearest = treatments[0] as Treatment
  if (nearest.kind === 'omit' || nearest.kind === 'keep') return { kind: nearest.kind }
  const columns = new Map<string, ColumnRule>()
  const keep = new Map<string, KeptColumn>()
  const names = new Set(table.columns.map((column) => column.name))
  let where: string | undefined
  for (const treatment of treatments) {
    if (treatment.kind === 'keep') {
      for (const name of names) {
        if (!columns.has(name) && !keep.has(name)) {
          keep.set(name, { column: name, place: { file: '', line: 0, column: 0 } })
        }
      }
    }
    if (treatment.kind !== 'columns') continue
    where ??= treatment.where
    for (const rule of [...treatment.columns, ...treatment.keep]) {
      if (names.has(rule.column)) used.add(rule)
    }
    for (const rule of treatment.columns) {
      if (names.has(rule.column) && !columns.has(rule.column) && !keep.has(rule.column)) {
        columns.set(rule.column, rule)
      }
    }
    for (const kept of treatment.keep) {
      if (names.has(kept.column) && !columns.has(kept.column)) keep.set(kept.column, kept)
    }
  }
  return { kind: 'columns', columns, keep, where }
}

function unknownTable(rule: TableRule, catalog: Catalog): string {
  const name = showName({ schema: rule.schema, name: rule.table })
  const what =
    wildcards(rule) > 0
      ? `pattern ${rule.schema}.${rule.table} matches no table`
      : `no table ${name}`
  const twin = catalog.tables.find(
    (table) =>
      `${table.schema}.${table.name}`.toLowerCase() ===
      `${rule.schema}.${rule.table}`.toLowerCase(),
  )
  const isView = catalog.materializedViews.some(
    (view) => view.schema === rule.schema && view.name === rule.table,
  )
  const more = twin ? ` (there is ${showName(twin)})` : isView ? ' (views need no rules)' : ''
  return `${formatPlace(rule.place)}: ${what}${more}`
}

function reportUnknownColumns(
  rule: TableRule,
  used: Set<ColumnRule | KeptColumn>,
  problems: string[],
): void {
  if (rule.treatment.kind !== 'columns') return
  for (const column of [...rule.treatment.columns, ...rule.treatment.keep]) {
    if (used.has(column)) continue
    const table = showName({ schema: rule.schema, name: rule.table })
    problems.push(
      `${formatPlace(column.place)}: no column ${showIdentifier(column.column)} in ${table}`,
    )
  }
}

function reportGenerated(rule: TableRule, table: Table, problems: string[]): void {
  if (rule.treatment.kind !== 'columns') return
  for (const column of rule.treatment.columns) {
    if (!table.columns.some((other) => other.name === column.column && other.generated)) continue
    problems.push(
      `${formatPlace(column.place)}: ${showIdentifier(column.column)} is a generated column; it follows its inputs, so mask those`,
    )
  }
}
