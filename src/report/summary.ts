import { visible, width } from './display.ts'
import type { CopyReport, PlanEvent, PlannedColumn, PlannedTable, TableEvent } from './events.ts'
import { grid, type GridColumn } from './grid.ts'
import { count, duration, plural, size } from './numbers.ts'
import type { Style } from './style.ts'

const SHOWN_WARNINGS = 10

/** The plan in full: a line for each table, below it one for each column. */
export function planText(plan: PlanEvent, style: Style): string {
  const lines = [planLine(plan), '']
  for (const table of foldPlanned(plan.tables)) {
    lines.push(style.bold(visible(table.table)) + style.dim(`  ${actionOf(table)}`))
    if (table.action === 'omit') continue
    const rows = table.columns.map((column) => [
      visible(column.column),
      column.type,
      column.treatment,
      notesOf(column),
    ])
    const [, ...body] = grid([{ title: '' }, { title: '' }, { title: '' }, { title: '' }], rows)
    for (const line of body) lines.push(`  ${line}`)
  }
  return `${lines.join('\n')}\n`
}

/** One line on what is about to be copied; a census has no target. */
export function planLine({ source, target, serverVersion, structureBy, tables }: PlanEvent) {
  const copied = tables.filter(({ action }) => action === 'rows')
  const omitted = tables.length - copied.length
  const bytes = copied.reduce((sum, table) => sum + table.bytes, 0)
  const what = [plural(copied.length, 'table'), size(bytes)]
  if (omitted > 0) what.push(`${count(omitted)} without rows`)
  const where = target === '' ? source : `${source} → ${target}`
  const by = structureBy === '' ? '' : `, structure by ${structureBy}`
  return visible(`${where}: ${what.join(', ')}; PostgreSQL ${serverVersion}${by}`)
}

/** The report of a finished copy; the table of tables is made to fit `columns` where it can. */
export function reportText(report: CopyReport, style: Style, columns: number): string {
  const lines = [
    style.bold(
      visible(`copied ${report.source} → ${report.target} in ${duration(report.seconds)}`),
    ),
    '',
    ...tablesOf(report, style, columns),
  ]
  if (report.omitted.length > 0)
    lines.push('', `without rows: ${report.omitted.map(visible).join(', ')}`)
  lines.push('', phasesLine(report.phases))
  if (report.previous !== undefined)
    lines.push('', `previous database kept as ${visible(report.previous)}`)
  lines.push(...warningsOf(report.warnings, style))
  return `${lines.join('\n')}\n`
}

export function phasesLine(phases: CopyReport['phases']): string {
  const parts = Object.entries(phases).map(([name, s]) => `${name} ${duration(s)}`)
  return `phases: ${parts.join(', ')}`
}

/** One line a table and their sum; what was masked only where something was. */
export function tablesOf(
  { tables, rows, bytes, seconds }: Pick<CopyReport, 'tables' | 'rows' | 'bytes' | 'seconds'>,
  style: Style,
  columns: number,
): string[] {
  const titles: GridColumn[] = [
    { title: 'table' },
    { title: 'rows', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'seconds', align: 'right' },
    { title: 'codec' },
  ]
  const folded = foldTables(tables)
  const cells = folded.map((table) => [
    visible(table.table),
    count(table.rows),
    size(table.bytes),
    table.seconds.toFixed(1),
    table.codec,
  ])
  cells.push([plural(tables.length, 'table'), count(rows), size(bytes), seconds.toFixed(1), ''])
  const masked = folded.map((table) =>
    Object.entries(table.masked).map(([mask, values]) => `${mask} ${count(values)}`),
  )
  if (masked.every((masks) => masks.length === 0)) {
    const [title = '', ...body] = grid(titles, cells)
    const total = style.bold(body.pop() ?? '')
    return [style.dim(title), ...body, total]
  }
  const [title = '', ...body] = grid(
    [...titles, { title: 'masked values' }],
    cells.map((row, i) => [...row, masked[i]?.join(', ') ?? '']),
  )
  const total = style.bold(body.pop() ?? '')
  if (Math.max(...body.map(width)) <= columns) return [style.dim(title), ...body, total]
  // Too wide: what was masked goes below each table.
  const [narrowTitle = '', ...narrow] = grid(titles, cells)
  const lines = masked.flatMap((masks, i) => [
    narrow[i] ?? '',
    ...listLines(masks, '    ', columns).map((line) => style.dim(line)),
  ])
  return [style.dim(narrowTitle), ...lines, style.bold(narrow.at(-1) ?? '')]
}

/** Items with commas between, in lines of at most `columns` where that can be. */
function listLines(items: readonly string[], indent: string, columns: number): string[] {
  const lines: string[] = []
  for (const [i, item] of items.entries()) {
    const text = i < items.length - 1 ? `${item},` : item
    const line = lines.at(-1)
    if (line !== undefined && width(`${line} ${text}`) <= columns)
      lines[lines.length - 1] = `${line} ${text}`
    else lines.push(`${indent}${text}`)
  }
  return lines
}

/** Members of one group in the place of its first; what belongs to no group stays alone. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => string | undefined): T[][] {
  const groups = new Map<unknown, T[]>()
  for (const item of items) {
    const key = keyOf(item) ?? item
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return [...groups.values()]
}

function partitionsName(root: string, partitions: number): string {
  return `${root} (${plural(partitions, 'partition')})`
}

/** Partitions of one table that are treated alike, as one. */
function foldPlanned(tables: readonly PlannedTable[]): PlannedTable[] {
  const alike = ({ partitionOf, action, codec, columns }: PlannedTable) =>
    partitionOf && JSON.stringify([partitionOf, action, codec, columns])
  return grouped(tables, alike).map((group) => {
    const [first] = group as [PlannedTable]
    if (first.partitionOf === undefined) return first
    return {
      ...first,
      table: partitionsName(first.partitionOf, group.length),
      estimatedRows: group.reduce((sum, table) => sum + table.estimatedRows, 0),
      bytes: group.reduce((sum, table) => sum + table.bytes, 0),
      jobs: group.reduce((sum, table) => sum + table.jobs, 0),
    }
  })
}

/** Partitions of one table, summed up. */
function foldTables(tables: readonly TableEvent[]): TableEvent[] {
  return grouped(tables, ({ partitionOf }) => partitionOf).map((group) => {
    const [first] = group as [TableEvent]
    if (first.partitionOf === undefined) return first
    const masked: Record<string, number> = {}
    for (const table of group) {
      for (const [mask, values] of Object.entries(table.masked)) {
        masked[mask] = (masked[mask] ?? 0) + values
      }
    }
    return {
      ...first,
      table: partitionsName(first.partitionOf, group.length),
      rows: group.reduce((sum, table) => sum + table.rows, 0),
      bytes: group.reduce((sum, table) => sum + table.bytes, 0),
      seconds: group.reduce((sum, table) => sum + table.seconds, 0),
      masked,
    }
  })
}

export function warningsOf(warnings: CopyReport['warnings'], style: Style): string[] {
  const byCode = new Map<string, Set<string>>()
  for (const { code, message } of warnings) {
    const messages = byCode.get(code) ?? new Set()
    byCode.set(code, messages.add(message))
  }
  const lines: string[] = []
  for (const [code, messages] of byCode) {
    lines.push('', style.yellow(`${plural(messages.size, 'warning')}: ${code}`))
    const shown = [...messages].slice(0, SHOWN_WARNINGS)
    lines.push(...shown.map((message) => `  ${visible(message)}`))
    if (messages.size > shown.length) lines.push(`  and ${messages.size - shown.length} more`)
  }
  return lines
}

function actionOf(table: PlannedTable): string {
  if (table.action === 'omit') return 'structure only'
  const codec = table.codecReason ? `${table.codec} (${visible(table.codecReason)})` : table.codec
  const rows = `about ${plural(table.estimatedRows, 'row')}, ${size(table.bytes)}`
  return `${rows}, ${codec}${table.jobs > 1 ? `, ${plural(table.jobs, 'job')}` : ''}`
}

function notesOf({ domain, follows, proof }: PlannedColumn): string {
  const notes: string[] = []
  if (follows !== undefined) notes.push(`follows ${visible(follows)}`)
  else if (domain !== undefined) notes.push(`domain ${visible(domain)}`)
  if (proof !== undefined) notes.push(visible(proof))
  return notes.join(', ')
}
