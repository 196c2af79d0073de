import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask, TypeClass } from '../../mask.ts'
import type { KeyParams } from '../key.ts'

type Range = readonly [bigint, bigint]

const TYPE_BITS: Partial<Record<TypeClass, bigint>> = { int2: 15n, int4: 31n, int8: 63n }

const wholeNumber = z.union([z.int(), z.string().regex(/^-?\d+$/, 'must be a whole number')])

const options = z.strictObject({
  min: wholeNumber.optional().describe('least masked value; originals below it stay below it'),
  max: wholeNumber.optional().describe('greatest masked value; originals above it stay above it'),
  digits: z
    .literal('keep')
    .optional()
    .describe('`keep`: whole numbers keep their number of digits'),
})

/** Ranges of numbers with equally many digits, over the non-negative numbers up to `top`. */
function digitRanges(top: bigint): Range[] {
  const ranges: Range[] = []
  for (let low = 0n; low <= top;) {
    const next = low === 0n ? 10n : low * 10n
    const last = next - 1n < top ? next - 1n : top
    ranges.push([low, last])
    low = next
  }
  return ranges
}

/** Cuts ranges at `least` and behind `most`, so that no permutation crosses either. */
function cut(ranges: readonly Range[], least: bigint, most: bigint): Range[] {
  return ranges.flatMap(([low, high]) => {
    const starts = [low, least, most + 1n].filter((at) => at >= low && at <= high)
    const sorted = [...new Set(starts)].sort((a, b) => (a < b ? -1 : 1))
    return sorted.map((start, i): Range => [start, (sorted[i + 1] ?? high + 1n) - 1n])
  })
}

function rangesFor(request: MaskRequest, bits: bigint): Range[] {
  const { min, max, digits } = options.parse({
    min: request.options['min'],
    max: request.options['max'],
    digits: request.options['digits'],
  })
  const top = (1n << bits) - 1n
  const positive: Range[] = digits ? digitRanges(top) : [[0n, top]]
  const negative = digits
    ? digitRanges(top + 1n).map(([low, high]): Range => [-high, low === 0n ? -1n : -low])
    : [[-top - 1n, -1n] as Range]
  const least = min === undefined ? -top - 1n : BigInt(min)
  const most = max === undefined ? top : BigInt(max)
  if (least > most) throw new Failure('refused', 'min is greater than max')
  return cut([...positive, ...negative], least, most)
}

function prepareKey(request: MaskRequest): PreparedMask {
  const bits = TYPE_BITS[request.type]
  const ranges = bits === undefined ? undefined : rangesFor(request, bits)
  const params: KeyParams = ranges
    ? { ranges: ranges.map(([low, high]) => [String(low), String(high)] as const) }
    : {}
  return {
    kind: 'key',
    key: deriveKey(request.key, 'key'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: true,
    normalizes: false,
    proof: 'a permutation',
  }
}

/** `key`. */
export const KEY_MASK: MaskDefinition = {
  name: 'key',
  summary:
    'a permutation of identifiers: distinct stays distinct; in text the digits change and the rest stays',
  types: ['int2', 'int4', 'int8', 'uuid', 'text'],
  options,
  prepare: prepareKey,
}
