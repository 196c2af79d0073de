import { z } from '../../../config/zod.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { IpParams } from '../ip.ts'
import { normalizes, refuseLength, refuseUnique, textIdentity } from './request.ts'

/** `255.255.255.255`, and `2001:db8::ffff`. */
const LEAST_CHARS = 15

function prepareIp(request: MaskRequest): PreparedMask {
  refuseUnique(request, 'hash keeps distinct values distinct, in a text column')
  const { maxChars } = request
  if (maxChars !== undefined && maxChars < LEAST_CHARS) refuseLength(request, LEAST_CHARS)
  const params: IpParams = {
    identity: textIdentity(request),
    ...(maxChars !== undefined && { maxChars }),
  }
  return {
    kind: 'ip',
    key: deriveKey(request.key, 'internet.ip'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: false,
    normalizes: normalizes(request),
  }
}

/** `internet.ip`. */
export const IP_MASK: MaskDefinition = {
  name: 'internet.ip',
  summary: 'an address of the same family in 10.0.0.0/8 or 2001:db8::/32; a network stays one',
  types: ['text', 'inet'],
  options: z.strictObject({}),
  prepare: prepareIp,
}
