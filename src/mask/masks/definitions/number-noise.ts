import { z } from '../../../config/zod.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { NumberNoiseParams } from '../noise.ts'
import { refuseUnique } from './request.ts'

const USUAL_PERCENT = 10
const MILLIONTHS = 10_000

const options = z
  .strictObject({
    percent: z
      .number()
      .gt(0)
      .max(100)
      .optional()
      .describe(
        `most that a number moves either way, in per cent of itself; ${USUAL_PERCENT} unless given`,
      ),
    amount: z
      .number()
      .gt(0)
      .max(1e15)
      .optional()
      .describe('most that a number moves either way, absolute; instead of percent'),
  })
  .refine(({ percent, amount }) => percent === undefined || amount === undefined, {
    message: 'percent and amount exclude each other',
  })

/** A positive number as a plain decimal, without an exponent. */
function toDecimal(value: number): string {
  return value.toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 20 })
}

function prepareNoise(request: MaskRequest): PreparedMask {
  refuseUnique(request, 'key keeps distinct whole numbers distinct')
  const { percent = USUAL_PERCENT, amount } = options.parse({
    percent: request.options['percent'],
    amount: request.options['amount'],
  })
  const params: NumberNoiseParams =
    amount === undefined
      ? { share: Math.max(1, Math.round(percent * MILLIONTHS)) }
      : { amount: toDecimal(amount) }
  return {
    kind: 'number-noise',
    key: deriveKey(request.key, 'number.noise'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: false,
    normalizes: false,
  }
}

/** `number.noise`. */
export const NUMBER_NOISE_MASK: MaskDefinition = {
  name: 'number.noise',
  summary: 'the number moved by up to a share of itself or an amount; sign, zero and NaN stay',
  types: ['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'money'],
  options,
  prepare: prepareNoise,
}
