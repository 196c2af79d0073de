import type { Node } from 'yaml'
import { formatPlace, type Place } from '../config/place.ts'
import type { Problems } from '../config/problems.ts'
import { nullText, scalarText, type Entry } from '../config/yaml.ts'
import { parseMask, type MaskRule, type RuleReading } from './rule-masks.ts'

export interface ColumnRule extends MaskRule {
  /** As the catalog holds it. */
  column: string
  place: Place
}

export interface KeptColumn {
  column: string
  place: Place
}

interface Columns {
  kind: 'columns'
  columns: ColumnRule[]
  keep: KeptColumn[]
  /** SQL condition; rows for which it is not true are left out. */
  where?: string
}

/**
 * The rules of one table: `keep:` and `where:` are words of the rule file, any other key is a column.
 * Under `columns:` every key is a column, so that columns named `keep`, `where` or `columns` have a place.
 */
export function parseColumns(reading: RuleReading, entries: readonly Entry[]): Columns {
  const { file, problems } = reading
  const rules: Columns = { kind: 'columns', columns: [], keep: [] }
  const decided = new Map<string, Place>()
  const decide = (column: string, place: Place): void => {
    const before = decided.get(column)
    if (before) problems.add(place, `column ${column} is decided already at ${formatPlace(before)}`)
    else decided.set(column, place)
  }
  const column = ({ key, place, value }: Entry): void => {
    decide(key, place)
    const rule = parseColumn(reading, key, place, value)
    if (rule === 'keep') rules.keep.push({ column: key, place })
    else if (rule) rules.columns.push({ ...rule, column: key, place })
  }
  for (const entry of entries) {
    if (entry.key === 'keep') {
      for (const kept of parseKeep(reading, entry)) {
        decide(kept.column, kept.place)
        rules.keep.push(kept)
      }
    } else if (entry.key === 'where') {
      const where = parseWhere(entry, problems)
      if (where !== undefined) rules.where = where
    } else if (entry.key === 'columns') {
      const inner = file.entries(entry.value)
      if (inner) inner.forEach(column)
      else reserved(entry, 'a mapping of columns', problems)
    } else {
      column(entry)
    }
  }
  return rules
}

function parseKeep({ file, problems }: RuleReading, entry: Entry): KeptColumn[] {
  const items = file.items(entry.value)
  if (!items) {
    reserved(entry, 'a list of columns', problems)
    return []
  }
  const kept: KeptColumn[] = []
  for (const item of items) {
    const column = scalarText(item)
    if (column) kept.push({ column, place: file.place(item) })
    else problems.add(file.place(item), 'expected the name of a column')
  }
  return kept
}

function parseWhere(entry: Entry, problems: Problems): string | undefined {
  const where = scalarText(entry.value)?.trim()
  if (where && nullText(entry.value) === undefined) return where
  reserved(entry, 'an SQL condition', problems)
  return undefined
}

function reserved({ key, place }: Entry, expected: string, problems: Problems): void {
  problems.add(
    place,
    `${key}: expected ${expected}`,
    `a column named ${key} is decided under columns: { ${key}: … }`,
  )
}

function parseColumn(
  reading: RuleReading,
  column: string,
  place: Place,
  value: Node | undefined,
): MaskRule | 'keep' | undefined {
  const empty = nullText(value)
  if (empty === '') {
    reading.problems.add(
      place,
      `column ${column} has no rule`,
      'write a mask, keep, or null to empty the column',
    )
    return undefined
  }
  if (scalarText(value) === 'keep') return 'keep'
  return parseMask(reading, column, value)
}
