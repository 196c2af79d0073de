import { z } from '../../../config/zod.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { ScrambleParams } from '../scramble.ts'
import { bitsFor, bitsProof, hasUnicode, refuseUnique, textIdentity } from './request.ts'

const UUID_BITS = 122

function prepareScramble(request: MaskRequest): PreparedMask {
  const { type } = request
  const injective = type === 'uuid' && bitsFor(request.rows) <= UUID_BITS
  if (!injective) refuseUnique(request, 'hash and key keep distinct values distinct')
  const bytes = type === 'uuid' || type === 'bytea'
  const params: ScrambleParams = {
    identity: bytes ? 'raw' : textIdentity(request),
    unicode: hasUnicode(request),
  }
  return {
    kind: 'scramble',
    key: deriveKey(request.key, 'text.scramble'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective,
    // Case and spacing of the original stay visible in the result.
    normalizes: false,
    ...(injective && { proof: bitsProof(UUID_BITS, request.rows) }),
  }
}

/** `text.scramble`. */
export const SCRAMBLE_MASK: MaskDefinition = {
  name: 'text.scramble',
  summary:
    'random letters for letters, random digits for digits, the rest as it is; JSON keeps its keys and structure',
  types: ['text', 'json', 'jsonb', 'uuid', 'bytea'],
  options: z.strictObject({}),
  prepare: prepareScramble,
}
