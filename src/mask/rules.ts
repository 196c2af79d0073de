import { readFile } from 'node:fs/promises'
import type { Node } from 'yaml'
import { Failure, systemReason } from '../errors.ts'
import { didYouMean } from '../config/nearest.ts'
import { formatPlace, type Place } from '../config/place.ts'
import { Problems } from '../config/problems.ts'
import { nullText, scalarText, unknownKey, YamlFile, type Entry } from '../config/yaml.ts'
import type { MaskDefinition } from './mask.ts'
import { parseTableName } from './rule-names.ts'
import { parseColumns, type ColumnRule, type KeptColumn } from './rule-columns.ts'
import type { RuleReading } from './rule-masks.ts'

export { formatPlace, type Place } from '../config/place.ts'
export type { ColumnRule, KeptColumn } from './rule-columns.ts'

/** A rule file, checked by itself; nothing in it has been compared with a database yet. */
export interface RuleFile {
  path: string
  /** faker locale, like `hu`. */
  locale: string
  /** Whether large objects are copied, whose content nobody masks; undefined: nobody decided. */
  largeObjects: 'keep' | 'omit' | undefined
  tables: TableRule[]
}

export interface TableRule {
  /** As the catalog holds it: letter case counts, there is no folding. */
  schema: string
  /** As the catalog holds it; where `wildcard`, each `*` stands for any characters. */
  table: string
  wildcard: boolean
  place: Place
  treatment: Treatment
}

export type Treatment =
  | { kind: 'omit' }
  | { kind: 'keep' }
  | { kind: 'like'; schema: string; table: string; place: Place }
  | { kind: 'columns'; columns: ColumnRule[]; keep: KeptColumn[]; where?: string }

const TOP_KEYS = ['version', 'locale', 'large_objects', 'tables']

/**
 * Reads and checks a rule file.
 *
 * @throws Failure `config` with all that is wrong in the file, each with its place
 */
export async function readRules(
  path: string,
  masks: ReadonlyMap<string, MaskDefinition>,
): Promise<RuleFile> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const message = `cannot read the rule file ${path}: ${systemReason(cause)}`
    throw new Failure('config', message, { cause })
  }
  return parseRules(text, path, masks)
}

/**
 * Checks the text of a rule file: its form, the names of masks, their options. Column names and SQL
 * expressions are taken as they are.
 *
 * @throws Failure `config` with all that is wrong in the file, each with its place
 */
export function parseRules(
  text: string,
  path: string,
  masks: ReadonlyMap<string, MaskDefinition>,
): RuleFile {
  const problems = new Problems()
  const file = new YamlFile(text, path, problems)
  problems.raise()
  const top = file.entries(file.root)
  if (!top) {
    problems.add(file.place(file.root), 'a rule file is a mapping with version: and tables:')
    problems.raise()
  }
  const rules: RuleFile = { path, locale: 'en', largeObjects: undefined, tables: [] }
  for (const { key, place } of top ?? [])
    if (!TOP_KEYS.includes(key)) problems.add(place, ...unknownKey(key, [], TOP_KEYS))
  const at = (name: string) => top?.find(({ key }) => key === name)
  checkVersion(file, at('version'), problems)
  rules.locale = localeOf(file, at('locale'), problems)
  rules.largeObjects = largeObjectsOf(file, at('large_objects'), problems)
  rules.tables = parseTables({ file, masks, problems }, at('tables'))
  problems.raise()
  return rules
}

function checkVersion(file: YamlFile, entry: Entry | undefined, problems: Problems): void {
  const text = scalarText(entry?.value)
  if (!entry) problems.add(file.place(file.root), 'version is missing', 'begin with version: 1')
  else if (text !== '1')
    problems.add(
      entry.value ? file.place(entry.value) : entry.place,
      'this version of pgveil reads rule files of version 1 only',
    )
}

function localeOf(file: YamlFile, entry: Entry | undefined, problems: Problems): string {
  if (!entry) return 'en'
  const text = scalarText(entry.value)
  if (text !== undefined && /^[a-z]{2,3}(_[A-Za-z]+)*$/.test(text)) return text
  problems.add(
    entry.value ? file.place(entry.value) : entry.place,
    'expected a faker locale, like hu or pt_BR',
  )
  return 'en'
}

function largeObjectsOf(
  file: YamlFile,
  entry: Entry | undefined,
  problems: Problems,
): RuleFile['largeObjects'] {
  if (!entry) return undefined
  const text = scalarText(entry.value)
  if (text === 'keep' || text === 'omit') return text
  problems.add(entry.value ? file.place(entry.value) : entry.place, 'expected keep or omit')
  return undefined
}

function parseTables(reading: RuleReading, entry: Entry | undefined): TableRule[] {
  const { file, problems } = reading
  if (!entry) {
    problems.add(
      file.place(file.root),
      'tables is missing',
      'write tables: with a rule for each table',
    )
    return []
  }
  if (nullText(entry.value) !== undefined) return []
  const entries = file.entries(entry.value)
  if (!entries) {
    problems.add(file.place(entry.value), 'tables is a mapping from table names to rules')
    return []
  }
  const tables: TableRule[] = []
  const seen = new Map<string, Place>()
  for (const { key, place, value } of entries) {
    const name = parseTableName(key)
    if ('error' in name) {
      problems.add(place, name.error, name.hint)
      continue
    }
    const identity = JSON.stringify([name.schema, name.table, name.wildcard])
    const before = seen.get(identity)
    if (before) problems.add(place, `table ${key} has rules already at ${formatPlace(before)}`)
    seen.set(identity, place)
    const treatment = parseTreatment(reading, key, place, value)
    if (treatment) tables.push({ ...name, place, treatment })
  }
  checkLikes(tables, entries, problems)
  return tables
}

function parseTreatment(
  reading: RuleReading,
  key: string,
  place: Place,
  value: Node | undefined,
): Treatment | undefined {
  const { file, problems } = reading
  const choices = 'write omit, keep, like another.table, or a mapping of columns'
  if (nullText(value) !== undefined) {
    problems.add(place, `table ${key} has no rule`, choices)
    return undefined
  }
  const text = scalarText(value)
  if (text === undefined) {
    const entries = file.entries(value)
    if (entries) return parseColumns(reading, entries)
    problems.add(file.place(value), `table ${key}: expected one word or a mapping`, choices)
    return undefined
  }
  if (text === 'omit' || text === 'keep') return { kind: text }
  const like = /^like\s+(.+)$/.exec(text)?.[1]
  if (like === undefined) {
    problems.add(file.place(value), `table ${key}: ${JSON.stringify(text)} is no rule`, choices)
    return undefined
  }
  const name = parseTableName(like.trim())
  if (!('error' in name) && !name.wildcard)
    return { kind: 'like', schema: name.schema, table: name.table, place: file.place(value) }
  if ('error' in name) problems.add(file.place(value), name.error, name.hint)
  else problems.add(file.place(value), 'like names one table, without *')
  return undefined
}

/** `like` leads to a table with rules of its own in this file, in one step. */
function checkLikes(tables: readonly TableRule[], entries: readonly Entry[], problems: Problems) {
  for (const { treatment } of tables) {
    if (treatment.kind !== 'like') continue
    const { schema, table, place } = treatment
    const model = tables.find((t) => !t.wildcard && t.schema === schema && t.table === table)
    if (!model) {
      const written = entries.some(({ key }) => {
        const name = parseTableName(key)
        return !('error' in name) && name.schema === schema && name.table === table
      })
      // Its own rules were refused above: one problem is enough.
      if (written) continue
      const names = tables.filter((t) => !t.wildcard).map((t) => `${t.schema}.${t.table}`)
      problems.add(
        place,
        `like ${schema}.${table}: that table has no rules in this file`,
        didYouMean(`${schema}.${table}`, names),
      )
    } else if (model.treatment.kind === 'like') {
      problems.add(place, `like ${schema}.${table}: that table is itself like another`)
    }
  }
}
