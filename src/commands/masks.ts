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
      const [{ MASKS }, { optionsSchema }] = await Promise.all([
        import('../mask/registry.ts'),
        import('../mask/rule-schema.ts'),
      ])
      const name = args['name'] as string | undefined
      const one = name === undefined ? undefined : MASKS.get(name)
      if (name !== undefined && !one) {
        const hint = didYouMean(name, MASKS.keys())
        throw new Failure('usage', `unknown mask ${JSON.stringify(name)}`, hint ? { hint } : {})
      }
      const shown = one
        ? [one]
        : [...MASKS.values()].toSorted((a, b) => a.name.localeCompare(b.name))
      const blocks = shown.map((mask) => maskText(mask, optionsSchema(mask)))
      io.stdout.write(`${blocks.join('\n\n')}\n`)
    },
  }
}

function maskText(mask: MaskDefinition, schema: JsonSchema): string {
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
  lines.push(`    example: ${exampleOf(mask, schema)}`)
  return lines.join('\n')
}

function typeText({
  type,
  enum: choices,
  const: only,
  anyOf,
  minimum,
  maximum,
}: JsonSchema): string {
  if (only !== undefined) return JSON.stringify(only)
  if (choices) return choices.map((choice) => JSON.stringify(choice)).join(' or ')
  if (anyOf) return anyOf.map(typeText).join(' or ')
  const least = minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? ` from ${minimum}` : ''
  const most = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? ` to ${maximum}` : ''
  return `${[type ?? 'any'].flat().join(' or ')}${least}${most}`
}

/** A line for the rule file: the short form, or the long one with the options that must be there. */
function exampleOf({ name }: MaskDefinition, { properties, required = [], examples }: JsonSchema) {
  const given = examples?.[0]
  if (given !== undefined) return `column: { mask: ${name}, ${flow(given)} }`
  if (required.length === 0) return `column: ${name}`
  const options = required.map((key) => `${key}: ${sample(properties?.[key] ?? {})}`)
  return `column: { mask: ${name}, ${options.join(', ')} }`
}

function flow(value: unknown): string {
  return JSON.stringify(value).slice(1, -1).replaceAll('":', '": ')
}

function sample({ type, enum: choices, const: only, examples, minimum }: JsonSchema): string {
  const value = only ?? choices?.[0] ?? examples?.[0]
  if (value !== undefined) return JSON.stringify(value)
  if (type === 'integer' || type === 'number') return String(Math.max(1, minimum ?? 1))
  if (type === 'boolean') return 'true'
  return type === 'array' ? '[…]' : '…'
}
