import { z } from '../../../config/zod.ts'
import { buildDictionary, countChars, toEncodable } from '../../dictionary.ts'
import { deriveKey } from '../../keyed.ts'
import type { Locale, Place } from '../../locales/locale.ts'
import { openLocale } from '../../locales/open-locale.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import type { Part } from '../compose.ts'
import type { PlaceParams } from '../place.ts'
import { prepareRecipe, sorted, type Recipe } from './recipe.ts'
import { normalizes, refuseLength, refuseUnique, textIdentity } from './request.ts'

type Role = PlaceParams['role']

const UNIQUE_HINT = 'hash and key keep distinct values distinct'
const HIGHEST_HOUSE = 180
const HOUSE_SUFFIXES = [...Array<string>(12).fill(''), '/A', '/B', '/C', ' A', ' B']

const noOptions = z.strictObject({})

const MASK_NAMES: Readonly<Record<Role, string>> = {
  city: 'location.city',
  code: 'location.zipCode',
  state: 'location.state',
}

/**
 * Towns whose masked column has room for them. All columns of a row draw from the same towns as long as the
 * longest name fits; a city column too short for some towns draws from fewer, and its codes do not follow.
 */
function fitPlaces(places: readonly Place[], role: Role, request: MaskRequest): Place[] {
  const fits = (text: string) =>
    request.maxChars === undefined || countChars(text) <= request.maxChars
  return places.flatMap((place) => {
    const city = toEncodable(place.city, request.encodable)
    const state = toEncodable(place.state, request.encodable)
    if (!city || !state) return []
    const asked = { city: [city], code: place.codes, state: [state] }[role]
    return asked.every(fits) ? [{ city, state, codes: place.codes }] : []
  })
}

function preparePlace(request: MaskRequest, role: Role, all: readonly Place[]): PreparedMask {
  const places = fitPlaces(all, role, request)
  if (places.length === 0) return refuseLength(request)
  const states = sorted(places.map(({ state }) => state))
  const codeStart = new Uint32Array(places.length + 1)
  places.forEach(({ codes }, i) => (codeStart[i + 1] = codeStart[i]! + codes.length))
  const { 'location.city': city, 'location.zipCode': code } = request.companions
  const usesCity = role !== 'city' && city !== undefined
  const usesCode = role === 'state' && !usesCity && code !== undefined
  const params: PlaceParams = {
    identity: textIdentity(request),
    role,
    codeStart,
    stateOf: Uint32Array.from(places, ({ state }) => states.indexOf(state)),
    cityOf: Uint32Array.from(places.flatMap(({ codes }, i) => codes.map(() => i))),
    cityKey: deriveKey(request.key, 'location.city'),
    codeKey: deriveKey(request.key, 'location.zipCode'),
    ...(usesCity && { city }),
    ...(usesCode && { code }),
  }
  return {
    kind: 'place',
    key: deriveKey(request.key, MASK_NAMES[role]),
    params: { ...params },
    dictionaries: {
      city: buildDictionary(places.map((place) => place.city)),
      code: buildDictionary(places.flatMap(({ codes }) => codes)),
      state: buildDictionary(states),
    },
    reads: usesCity ? [city] : usesCode ? [code] : [],
    injective: false,
    normalizes: normalizes(request),
  }
}

async function prepareRole(request: MaskRequest, role: Role): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const locale = await openLocale(request.locale)
  if (locale.places.length > 0) return preparePlace(request, role, locale.places)
  const list = { city: locale.cities, code: locale.codes, state: locale.states }[role]
  return prepareRecipe(request, MASK_NAMES[role], [
    { parts: [{ pick: role }], lists: { [role]: sorted(list) } },
  ])
}

/** Parts of an address like `{street} {number}`. */
function addressParts(locale: Locale): Part[] {
  return locale.address.split(/(\{\w+\})/).flatMap((piece): Part[] => {
    if (piece === '') return []
    if (piece === '{street}') return [{ pick: 'street' }]
    if (piece === '{number}') return [{ integer: [1, HIGHEST_HOUSE] }, { pick: 'house' }]
    return [{ literal: piece }]
  })
}

async function prepareStreet(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const locale = await openLocale(request.locale)
  const parts = addressParts(locale)
  const street = { street: locale.streets }
  const numbered = parts.some((part) => 'pick' in part && part.pick === 'house')
  const recipes: Recipe[] = [
    { parts, lists: numbered ? { ...street, house: HOUSE_SUFFIXES } : street },
    { parts: [{ pick: 'street' }], lists: street },
  ]
  return prepareRecipe(request, 'location.streetAddress', recipes)
}

async function prepareSecondary(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const { secondary } = await openLocale(request.locale)
  return prepareRecipe(request, 'location.secondaryAddress', [
    { parts: [{ pick: 'secondary' }], lists: { secondary: sorted(secondary) } },
    { parts: [{ integer: [1, 99] }], lists: {} },
  ])
}

/** Masks for places and addresses. */
export const LOCATION_MASKS: readonly MaskDefinition[] = [
  {
    name: MASK_NAMES.city,
    summary: 'a town of the locale',
    types: ['text'],
    options: noOptions,
    prepare: (request) => prepareRole(request, 'city'),
  },
  {
    name: MASK_NAMES.code,
    summary: "a postal code: one of the row's masked town, where the table has one",
    types: ['text'],
    options: noOptions,
    prepare: (request) => prepareRole(request, 'code'),
  },
  {
    name: MASK_NAMES.state,
    summary:
      "a state, county or land: that of the row's masked town or postal code, where the table has one",
    types: ['text'],
    options: noOptions,
    prepare: (request) => prepareRole(request, 'state'),
  },
  {
    name: 'location.streetAddress',
    summary: 'a street with a house number',
    types: ['text'],
    options: noOptions,
    prepare: prepareStreet,
  },
  {
    name: 'location.secondaryAddress',
    summary: 'floor and door, or whatever the locale adds to a house number',
    types: ['text'],
    options: noOptions,
    prepare: prepareSecondary,
  },
]
