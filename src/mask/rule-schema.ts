import { z } from '../config/zod.ts'
import type { MaskDefinition } from './mask.ts'
import { KEYED_MASKS, SHORT_NAMES } from './rule-masks.ts'

/** The part of JSON Schema that rule files and mask options use. */
export interface JsonSchema {
  $schema?: string
  $ref?: string
  title?: string
  description?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  default?: unknown
  examples?: unknown[]
  pattern?: string
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  items?: JsonSchema
  uniqueItems?: boolean
  minLength?: number
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: boolean | JsonSchema
  anyOf?: JsonSchema[]
  definitions?: Record<string, JsonSchema>
}

const COMMON: Record<string, JsonSchema> = {
  domain: {
    type: 'string',
    minLength: 1,
    description: 'columns of one domain mask equal originals equally',
  },
  when: {
    type: 'string',
    minLength: 1,
    description: 'SQL condition; values of rows for which it is not true are kept',
  },
  normalize: {
    type: 'boolean',
    description: 'whether originals that differ in case, spacing or Unicode form count as equal',
  },
}

/** JSON Schema of a mask's own options. */
export function optionsSchema({ options }: MaskDefinition): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(options, {
    target: 'draft-7',
    io: 'input',
    unrepresentable: 'any',
  }) as JsonSchema
  return schema
}

/**
 * JSON Schema (draft 7, which editors complete best) of rule files with these masks. An editor finds a
 * part of what {@link parseRules} finds.
 */
export function ruleSchema(masks: ReadonlyMap<string, MaskDefinition>): JsonSchema {
  const sorted = [...masks.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'pgveil rule file',
    type: 'object',
    required: ['version', 'tables'],
    additionalProperties: false,
    properties: {
      version: { const: 1, description: 'version of the rule file format' },
      locale: {
        type: 'string',
        pattern: '^[a-z]{2,3}(_[A-Za-z]+)*$',
        default: 'en',
        description: 'faker locale of made-up names, like hu',
      },
      large_objects: {
        enum: ['keep', 'omit'],
        description: 'whether large objects are copied; nothing masks their content',
      },
      tables: {
        type: ['object', 'null'],
        description: 'rules by table: name, schema.name, or with * for any characters',
        additionalProperties: { $ref: '#/definitions/table' },
      },
    },
    definitions: {
      table: tableSchema(),
      column: { anyOf: [...shortForms(sorted), ...longForms(sorted)] },
    },
  }
}

function tableSchema(): JsonSchema {
  const column: JsonSchema = { $ref: '#/definitions/column' }
  return {
    anyOf: [
      { const: 'omit', description: 'structure only, no rows' },
      { const: 'keep', description: 'the whole table is copied as it is' },
      { type: 'string', pattern: '^like\\s+\\S', description: 'the rules of another table' },
      {
        type: 'object',
        description: 'a rule for each column',
        properties: {
          keep: {
            type: 'array',
            items: { type: ['string', 'number', 'boolean', 'null'] },
            uniqueItems: true,
            description: 'columns that are copied as they are',
          },
          where: {
            type: 'string',
            minLength: 1,
            description: 'SQL condition; other rows are left out',
          },
          columns: {
            type: 'object',
            additionalProperties: column,
            description: 'rules for columns named keep, where or columns, or for any others',
          },
        },
        additionalProperties: column,
      },
    ],
  }
}

/** `column: mask` for the masks that need no options. */
function shortForms(masks: readonly MaskDefinition[]): JsonSchema[] {
  const forms: JsonSchema[] = [
    { const: 'keep', description: 'copied as it is' },
    { type: 'null', description: 'emptied: NULL in every row' },
  ]
  for (const { name, summary, options } of masks)
    if (options.safeParse({}).success) forms.push({ const: name, description: summary })
  for (const [short, name] of Object.entries(SHORT_NAMES))
    if (masks.some((mask) => mask.name === name))
      forms.push({ const: short, description: `short for ${name}` })
  return forms
}

/** `column: { mask: …, options }`, and the forms where the mask's name is itself the key. */
function longForms(masks: readonly MaskDefinition[]): JsonSchema[] {
  return masks.flatMap((mask) => {
    const { properties = {}, required = [] } = optionsSchema(mask)
    const form = (head: Record<string, JsonSchema>, own: typeof properties, needs: string[]) => ({
      type: 'object',
      description: mask.summary,
      properties: { ...head, ...own, ...COMMON },
      required: needs,
      additionalProperties: false,
    })
    const name: JsonSchema = mask.name === 'null' ? { enum: ['null', null] } : { const: mask.name }
    const long = form({ mask: name }, properties, ['mask', ...required])
    return KEYED_MASKS.includes(mask.name) ? [long, form({}, properties, required)] : [long]
  })
}
