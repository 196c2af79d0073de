import { z } from '../../../config/zod.ts'
import { deriveKey } from '../../keyed.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { Part } from '../compose.ts'
import type { PhoneNumbering } from '../identity.ts'
import type { PhoneParams } from '../phone.ts'
import { prepareRecipe, type Recipe } from './recipe.ts'
import { normalizes, refuseLength } from './request.ts'

interface Country {
  numbering: PhoneNumbering
  /** Forms, the longest first. `#` is a digit; in braces, alternatives to choose from. */
  forms: readonly string[]
  /** For columns that must stay unique; by default the unassigned country code 999. */
  unique?: Pick<PhoneParams, 'own' | 'foreign' | 'other'>
}

/** 999 is assigned to no country (ITU-T E.164). */
const UNASSIGNED: Pick<PhoneParams, 'own' | 'foreign' | 'other'> = {
  foreign: { prefix: '+999', digits: 15 },
  other: { prefix: '+999', digits: 16 },
}

/**
 * Hungary reserves no numbers for fiction. Its plan of area codes leaves 58, 97 and 98 unassigned (fixed
 * lines have 1, 22-29, 32-37, 42-49, 52-57, 59, 62-69, 72-79, 82-89, 92-96, 99; mobiles 20, 30, 31, 50, 70),
 * so numbers there reach nobody.
 */
const HUNGARY: Country = {
  numbering: { country: '36', trunk: '06', nationalDigits: 9 },
  forms: ['+36 58 ### ####', '+3658#######', '58#######'],
  unique: {
    own: { prefix: '+3658', digits: 9 },
    foreign: { prefix: '+3698', digits: 15 },
    other: { prefix: '+3697', digits: 15 },
  },
}

/**
 * North America keeps 555-0100 to 555-0199 of every area code for fiction; area codes 555, 37x and
 * 96x are not assigned at all.
 */
const NORTH_AMERICA: Country = {
  numbering: { country: '1', trunk: '', nationalDigits: 10 },
  forms: [
    '+1 {202|206|212|213|214|215|216|303|305|312|313|314|404|412|415|502|503|504|512|602|612|615|617|702|713|801|808|901|907|919} 555 01##',
    '+1{202|206|212|213|214|215|216|303|305|312|313|314|404|412|415|502|503|504|512|602|612|615|617|702|713|801|808|901|907|919}55501##',
    '55501##',
  ],
  unique: {
    own: { prefix: '+1555', digits: 10 },
    foreign: { prefix: '+1960', digits: 15 },
    other: { prefix: '+1370', digits: 15 },
  },
}

/** Set aside for film and television by Ofcom. */
const BRITAIN: Country = {
  numbering: { country: '44', trunk: '0', nationalDigits: 10 },
  forms: ['+44 7700 900###', '+447700900###', '07700900###'],
}

/** Set aside for media by the Bundesnetzagentur. */
const GERMANY: Country = {
  numbering: { country: '49', trunk: '0', nationalDigits: 11 },
  forms: [
    '+49 {30 23125|40 66969|69 90009|89 99998|221 4710} ###',
    '+49{3023125|4066969|6990009|8999998}###',
    '0{3023125|4066969|6990009|8999998}###',
  ],
}

/** Set aside for works of fiction by Arcep. */
const FRANCE: Country = {
  numbering: { country: '33', trunk: '0', nationalDigits: 9 },
  forms: [
    '+33 {1 99 00|2 61 91|3 53 01|4 65 71|5 36 49|6 39 98} ## ##',
    '+33{19900|26191|35301|46571|53649|63998}####',
    '0{19900|26191|35301|46571|53649|63998}####',
  ],
}

const ELSEWHERE: Country = {
  numbering: { country: '', trunk: '', nationalDigits: 15 },
  forms: ['+999 ### ### ####', '+999##########', '999#######'],
}

const COUNTRIES: Readonly<Record<string, Country>> = {
  hu: HUNGARY,
  en: NORTH_AMERICA,
  en_US: NORTH_AMERICA,
  en_CA: NORTH_AMERICA,
  fr_CA: NORTH_AMERICA,
  en_GB: BRITAIN,
  de: GERMANY,
  fr: FRANCE,
}

/** Parts of a form: `+1 {a|b} 01##`. */
function readForm(form: string): Recipe {
  const lists: Record<string, readonly string[]> = {}
  const parts = form.split(/(#+|\{[^}]*\})/).flatMap((piece): Part[] => {
    if (piece === '') return []
    if (piece.startsWith('#')) return [{ digits: piece.length }]
    if (!piece.startsWith('{')) return [{ literal: piece }]
    lists['range'] = piece.slice(1, -1).split('|')
    return [{ pick: 'range' }]
  })
  return { parts, lists }
}

function prepareUnique(request: MaskRequest, country: Country): PreparedMask {
  const { own, foreign, other } = country.unique ?? UNASSIGNED
  const least = Math.max(...[foreign, other].map(({ prefix, digits }) => prefix.length + digits))
  if (request.maxChars !== undefined && request.maxChars < least) refuseLength(request, least)
  const params: PhoneParams = { numbering: country.numbering, foreign, other, ...(own && { own }) }
  return {
    kind: 'phone',
    key: deriveKey(request.key, 'phone.number'),
    params: { ...params },
    dictionaries: {},
    reads: [],
    injective: true,
    normalizes: true,
    proof: 'a permutation of numbers of up to 15 digits',
  }
}

function preparePhone(request: MaskRequest): PreparedMask {
  const country = COUNTRIES[request.locale] ?? ELSEWHERE
  if (request.unique) return prepareUnique(request, country)
  const identity = normalizes(request) ? country.numbering : 'raw'
  return prepareRecipe(request, 'phone.number', country.forms.map(readForm), identity)
}

/** `phone.number`. */
export const PHONE_MASK: MaskDefinition = {
  name: 'phone.number',
  summary: 'a telephone number in international form that reaches nobody',
  types: ['text'],
  options: z.strictObject({}),
  prepare: preparePhone,
}
