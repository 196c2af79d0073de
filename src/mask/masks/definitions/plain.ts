import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { countChars, toEncodable } from '../../dictionary.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask, TypeClass } from '../../mask.ts'
import type { FixedParams, HashParams } from '../plain.ts'
import type { IbanParams } from '../iban.ts'
import {
  bitsFor,
  bitsProof,
  hasUnicode,
  normalizes,
  refuseLength,
  refuseUnique,
} from './request.ts'

/** Every class of types. */
export const ALL_TYPES: readonly TypeClass[] = [
  'text',
  'date',
  'timestamp',
  'timestamptz',
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'money',
  'uuid',
  'bytea',
  'inet',
  'json',
  'jsonb',
  'other',
]

/** Characters of the longest text that a tag fills. */
const TAG_DIGITS = 32
const TAG_BYTES = 16
const UUID_BITS = 122

const NULL: PreparedMask = {
  kind: 'null',
  key: new Uint8Array(0),
  params: {},
  dictionaries: {},
  reads: [],
  injective: false,
  normalizes: false,
}

const fixedOptions = z.strictObject({
  value: z
    .union([z.string(), z.number(), z.boolean(), z.null()])
    .describe('what every value becomes, as PostgreSQL would read it')
    .meta({ examples: ['unknown'] }),
})

function prepareFixed(request: MaskRequest): PreparedMask {
  const { value } = fixedOptions.parse({ value: request.options['value'] })
  if (value === null) return NULL
  refuseUnique(
    request,
    'key, hash, internet.email and internet.userName keep distinct values distinct',
  )
  const text = String(value)
  if (request.maxChars !== undefined && countChars(text) > request.maxChars) refuseLength(request)
  if (text !== '' && toEncodable(text, request.encodable) !== text.normalize('NFC')) {
    throw new Failure('refused', "the value has characters that the target's encoding lacks")
  }
  const params: FixedParams = { text }
  return { ...NULL, kind: 'fixed', params: { ...params } }
}

const hashOptions = z.strictObject({
  length: z
    .int()
    .min(1)
    .max(TAG_DIGITS)
    .optional()
    .describe(
      'hexadecimal digits of a text (32 unless given), or bytes of a bytea (16 unless given)',
    ),
})

function prepareHash(request: MaskRequest): PreparedMask {
  const { length } = hashOptions.parse({ length: request.options['length'] })
  const text = request.type === 'text'
  const room = text ? Math.min(TAG_DIGITS, request.maxChars ?? TAG_DIGITS) : TAG_BYTES
  if (length !== undefined && length > room) {
    throw new Failure('refused', `a hash of length ${length} does not fit here`, {
      hint: `at most ${room}`,
    })
  }
  const used = length ?? room
  const bits = request.type === 'uuid' ? UUID_BITS : text ? used * 4 : used * 8
  const injective = bits >= bitsFor(request.rows)
  if (request.unique && !injective) {
    throw new Failure('refused', `${bits} bits cannot keep distinct values distinct`, {
      hint: `${Math.ceil(bitsFor(request.rows) / 4)} hexadecimal digits would`,
    })
  }
  const params: HashParams = {
    // Tokens tell upper case from lower: values count as equal only where a rule says so.
    identity: text && request.options['normalize'] === true ? 'text' : 'raw',
    length: used,
  }
  return {
    kind: 'hash',
    key: deriveKey(request.key, 'hash'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective,
    normalizes: params.identity === 'text',
    ...(injective && { proof: bitsProof(bits, request.rows) }),
  }
}

function prepareIban(request: MaskRequest): PreparedMask {
  const params: IbanParams = {
    identity: normalizes(request) ? 'code' : 'raw',
    unicode: hasUnicode(request),
  }
  return {
    kind: 'iban',
    key: deriveKey(request.key, 'finance.iban'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: true,
    normalizes: normalizes(request),
    proof: 'a permutation of accounts',
  }
}

/** Masks whose value does not come from a list. */
export const PLAIN_MASKS: readonly MaskDefinition[] = [
  {
    name: 'null',
    summary: 'NULL',
    types: ALL_TYPES,
    options: z.strictObject({}),
    prepare: () => NULL,
  },
  {
    name: 'fixed',
    summary: 'one value for all',
    types: ALL_TYPES,
    options: fixedOptions,
    prepare: prepareFixed,
  },
  {
    name: 'hash',
    summary:
      'a keyed fingerprint of the value, equal for equal values and otherwise without meaning',
    types: ['text', 'uuid', 'bytea'],
    options: hashOptions,
    prepare: prepareHash,
  },
  {
    name: 'finance.iban',
    summary: 'an IBAN of the same country with valid check digits',
    types: ['text'],
    options: z.strictObject({}),
    prepare: prepareIban,
  },
]
