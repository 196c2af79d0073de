import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { DateShiftParams } from '../date-shift.ts'
import { refuseUnique } from './request.ts'

const MOST_DAYS = 36_500
const USUAL_DAYS = 30

const options = z.strictObject({
  days: z
    .int()
    .min(1)
    .max(MOST_DAYS)
    .optional()
    .describe(`most days that a date moves either way; ${USUAL_DAYS} unless given`),
  by: z
    .string()
    .min(1)
    .optional()
    .describe(
      'column of the table whose value decides the shift, so that all dates of one person move alike',
    ),
})

function prepareDateShift(request: MaskRequest): PreparedMask {
  refuseUnique(request, 'leave the dates as they are, or mask another column of the index')
  const { days = USUAL_DAYS, by } = options.parse({
    days: request.options['days'],
    by: request.options['by'],
  })
  const index = by === undefined ? undefined : request.column(by)
  if (by !== undefined && index === undefined) {
    throw new Failure('refused', `there is no column ${by} to shift dates by`)
  }
  const params: DateShiftParams = { days, ...(index !== undefined && { by: index }) }
  return {
    kind: 'date-shift',
    key: deriveKey(request.key, 'date.shift'),
    params: { ...params },
    dictionaries: {},
    reads: index === undefined ? [] : [index],
    injective: false,
    normalizes: false,
  }
}

/** `date.shift`. */
export const DATE_SHIFT_MASK: MaskDefinition = {
  name: 'date.shift',
  summary: 'the date moved by up to so many days; the time of day stays',
  types: ['date', 'timestamp', 'timestamptz'],
  options,
  prepare: prepareDateShift,
}
