import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { countChars, toEncodable } from '../../dictionary.ts'
import { deriveKey } from '../../keyed.ts'
import type { Dictionary, MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { TemplateParams, TemplatePart } from '../template.ts'
import { ALL_TYPES } from './plain.ts'
import { bitsFor, bitsProof, normalizes, refuseLength, textIdentity } from './request.ts'

/** Masks by name, as far as a template may use them. */
export type MaskLookup = (name: string) => MaskDefinition | undefined

const options = z.strictObject({
  template: z
    .string()
    .min(1)
    .describe('text with names of other masks in braces, and {hash8} for 8 digits of a fingerprint')
    .meta({ examples: ['{person.lastName} {hash4}'] }),
})

/** Text and placeholders in turn: the odd ones are placeholders. */
function split(template: string): string[] {
  return template.split(/\{([^{}]*)\}/)
}

function hashDigits(name: string): number | undefined {
  const digits = /^hash([1-9]|[12]\d|3[0-2])$/.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** A mask inside: distinct if it can be, where the column asks for that. */
async function prepareInside(
  request: MaskRequest,
  definition: MaskDefinition,
): Promise<PreparedMask> {
  try {
    return await definition.prepare(request)
  } catch (error) {
    if (!request.unique || !(error instanceof Failure)) throw error
    return definition.prepare({ ...request, unique: false })
  }
}

interface Budget {
  /** Characters for each mask inside; undefined: no limit. */
  each: number | undefined
}

/** What literals and fingerprints leave of the length, shared equally among the masks inside. */
function share(pieces: readonly string[], request: MaskRequest): Budget {
  if (request.maxChars === undefined) return { each: undefined }
  let fixed = 0
  let masks = 0
  pieces.forEach((piece, i) => {
    if (i % 2 === 0) fixed += countChars(piece)
    else if (hashDigits(piece) !== undefined) fixed += hashDigits(piece)!
    else masks++
  })
  if (fixed + masks > request.maxChars) refuseLength(request)
  return { each: masks === 0 ? undefined : Math.floor((request.maxChars - fixed) / masks) }
}

function findMask(name: string, lookup: MaskLookup): MaskDefinition {
  const definition = lookup(name)
  if (!definition?.types.includes('text') || definition.anyTypeAsText) {
    throw new Failure('config', `the template names {${name}}, which is no mask for texts`)
  }
  return definition
}

async function prepareTemplate(request: MaskRequest, lookup: MaskLookup): Promise<PreparedMask> {
  const { template } = options.parse({ template: request.options['template'] })
  const pieces = split(template)
  const { each } = share(pieces, request)
  const parts: TemplatePart[] = []
  const dictionaries: Record<string, Dictionary> = {}
  const reads = new Set<number>()
  const needed = bitsFor(request.rows)
  let proof: string | undefined
  for (const [i, piece] of pieces.entries()) {
    const digits = i % 2 === 1 ? hashDigits(piece) : undefined
    if (i % 2 === 0) {
      const literal = piece === '' ? '' : toEncodable(piece, request.encodable)
      if (literal === undefined) {
        throw new Failure('refused', "the template has characters that the target's encoding lacks")
      }
      if (literal !== '') parts.push({ literal })
    } else if (digits !== undefined) {
      parts.push({ hash: digits })
      if (digits * 4 >= needed) proof = bitsProof(digits * 4, request.rows)
    } else {
      const inside = {
        ...request,
        type: 'text' as const,
        maxChars: each,
        options: withoutTemplate(request),
      }
      const prepared = await prepareInside(inside, findMask(piece, lookup))
      const { dictionaries: own, ...mask } = prepared
      const prefix = `${i}.`
      for (const [role, entry] of Object.entries(own)) dictionaries[prefix + role] = entry
      for (const column of mask.reads) reads.add(column)
      parts.push({ mask, prefix })
      if (mask.injective) proof ??= mask.proof ?? 'a mask inside keeps values distinct'
    }
  }
  if (request.unique && proof === undefined) {
    throw new Failure('refused', 'the template cannot keep distinct values distinct', {
      hint: `add {hash${Math.min(32, Math.ceil(needed / 4))}}`,
    })
  }
  const params: TemplateParams = { identity: textIdentity(request), parts }
  return {
    kind: 'template',
    key: deriveKey(request.key, 'template'),
    params: { ...params },
    dictionaries,
    reads: [...reads],
    injective: proof !== undefined,
    normalizes: normalizes(request),
    ...(proof !== undefined && { proof }),
  }
}

function withoutTemplate({ options: given }: MaskRequest): Record<string, unknown> {
  const { normalize } = given
  return normalize === undefined ? {} : { normalize }
}

/** `template`, over the masks that `lookup` finds. */
export function templateMask(lookup: MaskLookup): MaskDefinition {
  return {
    name: 'template',
    summary: 'a text put together from other masks of the same value',
    types: ALL_TYPES,
    anyTypeAsText: true,
    options,
    prepare: (request) => prepareTemplate(request, lookup),
  }
}
