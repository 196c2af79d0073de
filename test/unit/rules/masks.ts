import { z } from 'zod'
import type { MaskDefinition } from '../../../src/mask/mask.ts'

function definition(
  name: string,
  options: z.ZodType<Record<string, unknown>> = z.strictObject({}),
): MaskDefinition {
  return {
    name,
    summary: `summary of ${name}`,
    types: ['text'],
    options,
    prepare() {
      throw new Error('not prepared here')
    },
  }
}

/** A registry small enough to see through. */
export const MASKS: ReadonlyMap<string, MaskDefinition> = new Map(
  [
    definition('person.fullName'),
    definition('internet.email'),
    definition('text.scramble'),
    definition('null'),
    definition('fixed', z.strictObject({ value: z.string() })),
    definition(
      'date.shift',
      z.strictObject({ days: z.int().min(1).default(30).describe('how far at most') }),
    ),
    definition(
      'faker',
      z.strictObject({ faker: z.string(), args: z.array(z.unknown()).optional() }),
    ),
  ].map((mask) => [mask.name, mask]),
)
