import type { CommandModule } from 'yargs'
import { didYouMean } from '../config/nearest.ts'
import { Failure } from '../errors.ts'
import type { MaskDefinition } from '../mask/mask.ts'
import type { JsonSchema } from '../mask/rule-schema.ts'
import type { Context } from './context.ts'

/** `pgveil masks`: what a rule file can ask for. */
export function masksCommand({ io }: Context): CommandModule {
  return {
    command: 'masks [name]',
    describe: 'list the masks with their options',
    builder: (yargs) =>
      yargs.positional('name', { type: 'string', description: 'show this mask only' }),
    handler: async (args) => {
      const [{ MASKS }, { optionsSchema }, { KEYED_MASKS }] = await Promise.all([
        import('../mask/registry.ts'),
        import('../mask/rule-schema.ts'),
        import('../mask/rule-masks.ts'),
      ])
      const name = args['name'] as string | undefined
      const one = name === undefined ? undefined : MASKS.get(name)
      if (name !== undefined && !one) {
        throw new Failure('usage', `unknown mask ${JSON.stringify(name)}`, {
          hint: didYouMean(name, MASKS.keys()) ?? 'pgveil masks lists all',
        })
      }
      const shown = one
        ? [one]
        : [...MASKS.values()].toSorted((a, b) => a.name.localeCompare(b.name))
      const blocks = shown.map((mask) => maskText(mask, optionsSchema(mask), KEYED_MASKS))
      io.stdout.write(`${blocks.join('\n\n')}\n`)
    },
  }
}

function maskText(mask: MaskDefinition, schema: JsonSchema, keyed: readonly string[]): string {
  const types = mask.anyTypeAsText ? 'any' : mask.types.join(', ')
  const lines = [mask.name, `    ${mask.summary}`, `    types: ${types}`]
  const properties = Object.entries(schema.properties ?? {})
  for (const [name, option] of properties) {
    const facts = [typeText(option)]
    if (schema.required?.includes(name)) facts.push('required')
    if (option.default !== undefined) facts.push(`default ${JSON.stringify(option.default)}`)
    const about = option.description === undefined ? '' : `: ${option.description}`
    lines.push(`    option ${name} (${facts.join(', ')})${about}`)
  }
  lines.push(`    example: ${exampleOf(mask, schema, keyed)}`)
  return lines.join('\n')
}

function typeText(schema: JsonSchema): string {
  const { type, enum: choices, const: only, anyOf } = schema
  if (only !== undefined) return JSON.stringify(only)
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' or ')
  if (anyOf) return anyOf.map(typeText).join(' or ')
  return `${[type ?? 'any'].flat().join(' or ')}${boundsText(schema)}`
}

function boundsText({ minimum, exclusiveMinimum, maximum }: JsonSchema): string {
  const least =
    exclusiveMinimum !== undefined
      ? ` above ${exclusiveMinimum}`
      : minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER
        ? ` from ${minimum}`
        : ''
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? ` to ${maximum}` : ''
  return `${least}${most}`
}

/** A line for the rule file: the short form, or the long one with the options that must be there. */
function exampleOf(
  { name }: MaskDefinition,
  { properties, required = [] }: JsonSchema,
  keyed: readonly string[],
): string {
  if (required.length === 0) return `column: ${name}`
  const options = required.map((key) => `${key}: ${sample(properties?.[key] ?? {})}`)
  if (!keyed.includes(name)) options.unshift(`mask: ${name}`)
  return `column: { ${options.join(', ')} }`
}

function sample({ type, enum: choices, const: only, examples, minimum }: JsonSchema): string {
  const value = only ?? choices?.[0] ?? examples?.[0]
  if (value !== undefined) return flowScalar(value)
  if (type === 'integer' || type === 'number') return String(Math.max(1, minimum ?? 1))
  if (type === 'boolean') return 'true'
  return type === 'array' ? '[…]' : '…'
}

/** A value within `{ … }` of YAML, quoted only where it has to be. */
function flowScalar(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  return /^[A-Za-z./][\w./#-]*$/.test(value) ? value : `'${value.replaceAll("'", "''")}'`
}
