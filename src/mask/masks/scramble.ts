import type { Mask, MaskOpener } from '../mask.ts'
import { Original, type IdentityKind } from './identity.ts'
import { openScrambledBytea, openScrambledUuid } from './scramble-bytes.ts'
import { openScrambledJson } from './scramble-json.ts'
import { scrambleValue } from './scramble-text.ts'

/** `params` of a prepared mask of kind `scramble`. */
export interface ScrambleParams {
  identity: IdentityKind
  /** The target's encoding has all of Unicode; if not, what is neither ASCII nor a letter becomes `?`. */
  unicode: boolean
}

/** Every letter a random letter of the same case, every digit a random digit, the rest as it is. */
export const openScramble: MaskOpener = (prepared, type, codec): Mask => {
  const { identity, unicode } = prepared.params as unknown as ScrambleParams
  const original = new Original(prepared.key, identity)
  if (type === 'uuid') return openScrambledUuid(original.hash, codec)
  if (type === 'bytea') return openScrambledBytea(original, codec)
  if (type === 'json' || type === 'jsonb') {
    return openScrambledJson(original, unicode, type === 'jsonb' && codec === 'binary')
  }
  return (bytes, start, end, out) => {
    scrambleValue(bytes, start, end, out, original, unicode)
    return true
  }
}
