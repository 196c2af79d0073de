import { Failure } from '../../../errors.ts'
import type { MaskRequest } from '../../mask.ts'
import type { IdentityKind } from '../identity.ts'

/** Two different originals share a mask with at most this probability, over the whole domain. */
const COLLISION_BITS = Math.log2(1e9)

/** Whether originals that differ only in case, spacing or Unicode form are one; on unless switched off. */
export function normalizes(request: MaskRequest): boolean {
  return request.options['normalize'] !== false
}

/** The identity that a mask of words hashes. */
export function textIdentity(request: MaskRequest): IdentityKind {
  return normalizes(request) ? 'text' : 'raw'
}

/** Bits of the tag that keep `rows` originals distinct but for one chance in a billion. */
export function bitsFor(rows: number): number {
  return Math.ceil(2 * Math.log2(Math.max(rows, 2)) - 1 + COLLISION_BITS)
}

/** `45 bits over 120,000 rows`. */
export function bitsProof(bits: number, rows: number): string {
  return `${bits} bits over ${rows.toLocaleString('en-US')} rows`
}

/** @throws Failure `refused` where the column must stay unique and the mask draws from a short list */
export function refuseUnique(request: MaskRequest, hint: string): void {
  if (!request.unique) return
  throw new Failure('refused', 'the mask cannot keep distinct values distinct', { hint })
}

/** @throws Failure `refused`: no masked value is short enough */
export function refuseLength(request: MaskRequest, least?: number): never {
  throw new Failure('refused', `no masked value fits into ${request.maxChars} characters`, {
    hint:
      least === undefined
        ? 'use a mask with shorter values, or null'
        : `the mask needs at least ${least} characters here`,
  })
}

const SNOWMAN = 0x2603
const EMOJI = 0x1f600

/** Whether the target's encoding has all of Unicode. */
export function hasUnicode(request: MaskRequest): boolean {
  return request.encodable(SNOWMAN) && request.encodable(EMOJI)
}
