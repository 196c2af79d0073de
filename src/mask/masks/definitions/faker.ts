import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { drawn } from '../../locales/from-faker.ts'
import { openFaker } from '../../locales/open-locale.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import { ALL_TYPES } from './plain.ts'
import { prepareRecipe, sorted } from './recipe.ts'
import { refuseUnique } from './request.ts'

const options = z.strictObject({
  faker: z
    .string()
    .regex(
      /^[a-z]\w*\.[a-z]\w*$/i,
      "must be a module and a method of faker, like 'commerce.productName'",
    )
    .describe('module and method of faker')
    .meta({ examples: ['commerce.productName'] }),
  args: z.array(z.unknown()).optional().describe('arguments of the method'),
})

type Method = (...args: unknown[]) => unknown

function toText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** By locale, method and arguments: to draw thousands takes its time, and columns share methods. */
const drawnBefore = new Map<string, readonly string[]>()

async function prepareFaker(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(
    request,
    'key, hash, internet.email and internet.userName keep distinct values distinct',
  )
  const { faker: path, args = [] } = options.parse({
    faker: request.options['faker'],
    args: request.options['args'],
  })
  const faker = await openFaker(request.locale)
  const [moduleName = '', methodName = ''] = path.split('.')
  const modules = faker as unknown as Record<string, Record<string, unknown> | undefined>
  const owner = Object.hasOwn(modules, moduleName) ? modules[moduleName] : undefined
  const method = owner?.[methodName]
  if (typeof method !== 'function') throw new Failure('config', `faker has no method ${path}`)
  // The arguments are part of the purpose: two rules with different ones share nothing but the method.
  const purpose = `faker ${path} ${JSON.stringify(args)}`
  const list = `${request.locale} ${purpose}`
  let value = drawnBefore.get(list)
  try {
    value ??= sorted(drawn(faker, () => toText((method as Method).apply(owner, args))))
  } catch (cause) {
    throw new Failure('config', `faker's ${path} refuses its arguments`, { cause })
  }
  drawnBefore.set(list, value)
  return prepareRecipe(request, purpose, [{ parts: [{ pick: 'value' }], lists: { value } }])
}

/** `faker`. */
export const FAKER_MASK: MaskDefinition = {
  name: 'faker',
  summary: "one of 4096 values of any of faker's methods",
  types: ALL_TYPES,
  anyTypeAsText: true,
  options,
  prepare: prepareFaker,
}
