import { Failure } from '../errors.ts'
import { keepDictionary } from './dictionary.ts'
import type { Codec, Mask, MaskOpener, PreparedMask, TypeClass } from './mask.ts'
import { openCompose } from './masks/compose.ts'
import { openDateShift } from './masks/date-shift.ts'
import { openIban } from './masks/iban.ts'
import { openIp } from './masks/ip.ts'
import { openKey } from './masks/key.ts'
import { openNumberNoise } from './masks/number-noise.ts'
import { openPhone } from './masks/phone.ts'
import { openPlace } from './masks/place.ts'
import { openFixed, openHash, openNull } from './masks/plain.ts'
import { openScramble } from './masks/scramble.ts'
import { templateOpener } from './masks/template.ts'
import { openUserFunction } from './masks/user-function.ts'

/**
 * Openers by kind of prepared mask. Workers import this module and nothing of the definitions, which
 * would bring faker and zod into every worker.
 */
const OPENERS: ReadonlyMap<string, MaskOpener> = new Map<string, MaskOpener>([
  ['compose', openCompose],
  ['date-shift', openDateShift],
  ['fixed', openFixed],
  ['function', openUserFunction],
  ['hash', openHash],
  ['iban', openIban],
  ['ip', openIp],
  ['key', openKey],
  ['null', openNull],
  ['number-noise', openNumberNoise],
  ['phone', openPhone],
  ['place', openPlace],
  ['scramble', openScramble],
  ['template', templateOpener(openMask)],
])

/** The function that a prepared mask stands for, over values of `type` as `codec` carries them. */
export async function openMask(
  prepared: PreparedMask,
  type: TypeClass,
  codec: Codec,
): Promise<Mask> {
  const open = OPENERS.get(prepared.kind)
  if (!open) throw new Failure('bug', `no mask of kind ${prepared.kind} is known`)
  const dictionaries = Object.fromEntries(
    Object.entries(prepared.dictionaries).map(([role, list]) => [role, keepDictionary(list)]),
  )
  return open({ ...prepared, dictionaries }, type, codec)
}
