import type { Node } from 'yaml'
import { isScalar } from '../config/yaml-parser.ts'
import { didYouMean } from '../config/nearest.ts'
import type { Place } from '../config/place.ts'
import type { Problems } from '../config/problems.ts'
import { nullText, scalarText, type Entry, type YamlFile } from '../config/yaml.ts'
import type { MaskDefinition } from './mask.ts'

/** A mask with its options, as a column of the rule file asks for it. */
export interface MaskRule {
  /** Name in the registry. */
  mask: string
  /** Checked by the mask's own schema, its defaults filled in. */
  options: Record<string, unknown>
  /** Columns that share it mask equal originals equally. */
  domain?: string
  /** SQL condition; values of rows for which it is not true are kept. */
  when?: string
  /** Whether originals that differ in case, spacing or Unicode form count as equal. */
  normalize?: boolean
}

/** Short names that the rule file takes besides those of the registry. */
export const SHORT_NAMES: Readonly<Record<string, string>> = { scramble: 'text.scramble' }

/** Masks whose name may stand as the key: `{ faker: m }` is `{ mask: faker, faker: m }`. */
export const KEYED_MASKS: readonly string[] = ['faker', 'function']

/** Options of every mask; the others belong to the mask itself. */
const COMMON_OPTIONS = ['domain', 'when', 'normalize'] as const

/** What reading a rule file needs all the way down. */
export interface RuleReading {
  file: YamlFile
  masks: ReadonlyMap<string, MaskDefinition>
  problems: Problems
}

/** Reads what stands after `column:`, other than `keep`. Problems are collected, undefined is returned. */
export function parseMask(
  reading: RuleReading,
  column: string,
  value: Node | undefined,
): MaskRule | undefined {
  const { file, problems } = reading
  const entries = file.entries(value)
  if (entries) return parseMapping(reading, column, value, entries)
  const place = file.place(value)
  const name = nullText(value) ? 'null' : scalarText(value)
  if (name === undefined || (isScalar(value) && /^(boolean|number)$/.test(typeof value.value))) {
    problems.add(place, `column ${column}: expected a mask, keep, or a mapping with mask:`)
    return undefined
  }
  const definition = find(name, place, reading)
  if (!definition) return undefined
  const options = definition.options.safeParse({})
  if (options.success) return { mask: definition.name, options: options.data }
  const missing = options.error.issues.map(({ path }) => path.join('.')).filter(Boolean)
  problems.add(
    place,
    `column ${column}: mask ${name} needs options: ${missing.join(', ')}`,
    `write { mask: ${name}, … }; see pgveil masks ${definition.name}`,
  )
  return undefined
}

function parseMapping(
  reading: RuleReading,
  column: string,
  node: Node | undefined,
  entries: readonly Entry[],
): MaskRule | undefined {
  const { file, problems } = reading
  const heads = entries.filter(
    ({ key }) => key === 'mask' || key === 'json' || KEYED_MASKS.includes(key),
  )
  const json = heads.find(({ key }) => key === 'json')
  if (json) {
    problems.add(
      json.place,
      'JSON paths are not available in this version',
      'use scramble, null, fixed or keep',
    )
    return undefined
  }
  const [head, second] = heads
  if (!head) {
    const hint = didYouMean(entries[0]?.key ?? '', ['mask', ...KEYED_MASKS])
    problems.add(
      file.place(node),
      `column ${column}: mask: is missing`,
      hint ?? 'write { mask: name, … }',
    )
    return undefined
  }
  if (second) {
    problems.add(second.place, `column ${column}: ${head.key} and ${second.key} exclude each other`)
    return undefined
  }
  const name =
    head.key !== 'mask' ? head.key : nullText(head.value) ? 'null' : scalarText(head.value)
  const at = head.value ? file.place(head.value) : head.place
  if (!name || name === 'keep') {
    problems.add(
      at,
      `column ${column}: mask: expected the name of a mask`,
      name === 'keep' ? `write ${column}: keep` : undefined,
    )
    return undefined
  }
  const definition = find(name, at, reading)
  const common = parseCommon(reading, entries)
  if (!definition) return undefined
  const options: Record<string, unknown> = {}
  for (const { key, value } of entries) {
    if (key === 'mask' || (COMMON_OPTIONS as readonly string[]).includes(key)) continue
    options[key] = value === undefined ? null : file.toJS(value)
  }
  const checked = definition.options.safeParse(options)
  if (checked.success) return { mask: definition.name, options: checked.data, ...common }
  const known = [...COMMON_OPTIONS, ...optionNames(definition)]
  file.explain(checked.error, node, known, problems)
  return undefined
}

function parseCommon(
  { file, problems }: RuleReading,
  entries: readonly Entry[],
): Pick<MaskRule, 'domain' | 'when' | 'normalize'> {
  const common: Pick<MaskRule, 'domain' | 'when' | 'normalize'> = {}
  for (const { key, place, value } of entries) {
    const at = value ? file.place(value) : place
    const text = nullText(value) === undefined ? scalarText(value)?.trim() : undefined
    if (key === 'normalize') {
      if (isScalar(value) && typeof value.value === 'boolean') common.normalize = value.value
      else problems.add(at, 'normalize: expected true or false')
    } else if (key === 'domain' || key === 'when') {
      if (text) common[key] = text
      else problems.add(at, `${key}: expected ${key === 'when' ? 'an SQL condition' : 'a name'}`)
    }
  }
  return common
}

function find(
  name: string,
  place: Place,
  { masks, problems }: RuleReading,
): MaskDefinition | undefined {
  const definition = masks.get(SHORT_NAMES[name] ?? name)
  if (!definition) {
    const candidates = [...masks.keys(), ...Object.keys(SHORT_NAMES), 'keep']
    problems.add(
      place,
      `unknown mask ${JSON.stringify(name)}`,
      didYouMean(name, candidates) ?? 'pgveil masks lists them',
    )
  }
  return definition
}

/** The options of its own that a mask has. */
function optionNames({ options }: MaskDefinition): string[] {
  const shape = (options as { shape?: unknown }).shape
  return typeof shape === 'object' && shape !== null ? Object.keys(shape) : []
}
