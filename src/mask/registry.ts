import type { MaskDefinition } from './mask.ts'
import { INTERNET_MASKS } from './masks/definitions/internet.ts'
import { PERSON_MASKS } from './masks/definitions/person.ts'
import { SCRAMBLE_MASK } from './masks/definitions/scramble.ts'

const DEFINITIONS: readonly MaskDefinition[] = [...PERSON_MASKS, ...INTERNET_MASKS, SCRAMBLE_MASK]

/** All masks by their name in rule files, sorted. For the parent process: it loads faker and zod. */
export const MASKS: ReadonlyMap<string, MaskDefinition> = new Map(
  [...DEFINITIONS]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((definition) => [definition.name, definition]),
)

export { OPENERS, openMask } from './open.ts'
