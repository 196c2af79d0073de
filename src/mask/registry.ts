import type { MaskDefinition } from './mask.ts'
import { DATE_SHIFT_MASK } from './masks/definitions/date-shift.ts'
import { FAKER_MASK } from './masks/definitions/faker.ts'
import { INTERNET_MASKS } from './masks/definitions/internet.ts'
import { IP_MASK } from './masks/definitions/ip.ts'
import { KEY_MASK } from './masks/definitions/key.ts'
import { LOCATION_MASKS } from './masks/definitions/location.ts'
import { NUMBER_NOISE_MASK } from './masks/definitions/number-noise.ts'
import { PERSON_MASKS } from './masks/definitions/person.ts'
import { PHONE_MASK } from './masks/definitions/phone.ts'
import { PLAIN_MASKS } from './masks/definitions/plain.ts'
import { SCRAMBLE_MASK } from './masks/definitions/scramble.ts'
import { templateMask } from './masks/definitions/template.ts'
import { FUNCTION_MASK } from './masks/definitions/user-function.ts'

const DEFINITIONS: readonly MaskDefinition[] = [
  ...PERSON_MASKS,
  ...INTERNET_MASKS,
  ...LOCATION_MASKS,
  ...PLAIN_MASKS,
  IP_MASK,
  PHONE_MASK,
  DATE_SHIFT_MASK,
  NUMBER_NOISE_MASK,
  SCRAMBLE_MASK,
  KEY_MASK,
  FAKER_MASK,
  FUNCTION_MASK,
  templateMask((name) => MASKS.get(name)),
]

/** All masks by their name in rule files, sorted. For the parent process: it loads faker and zod. */
export const MASKS: ReadonlyMap<string, MaskDefinition> = new Map(
  DEFINITIONS.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((definition) => [
    definition.name,
    definition,
  ]),
)
