import { Failure } from '../errors.ts'
import type { Codec, Mask, MaskOpener, PreparedMask, TypeClass } from './mask.ts'
import { openCompose } from './masks/compose.ts'
import { openScramble } from './masks/scramble.ts'

/**
 * Openers by kind of prepared mask. Workers import this module and nothing of the definitions, which would bring
 * faker and zod into every worker.
 */
export const OPENERS: ReadonlyMap<string, MaskOpener> = new Map<string, MaskOpener>([
  ['compose', openCompose],
  ['scramble', openScramble],
])

/** The function that a prepared mask stands for, over values of `type` as `codec` carries them. */
export async function openMask(
  prepared: PreparedMask,
  type: TypeClass,
  codec: Codec,
): Promise<Mask> {
  const open = OPENERS.get(prepared.kind)
  if (!open) throw new Failure('config', `no mask of kind ${prepared.kind} is known`)
  return open(prepared, type, codec)
}
