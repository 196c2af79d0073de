import type { Faker, LocaleDefinition } from '@faker-js/faker'
import type { Locale, Place } from './locale.ts'

/** Draws for lists that faker makes by pattern rather than holds. */
const DRAWS = 4096
const SEED = 20_220_905

function texts(list: unknown): string[] {
  return Array.isArray(list)
    ? list.filter((entry): entry is string => typeof entry === 'string')
    : []
}

/** All strings of an entry that is either a list or lists by sex. */
function bySex(entry: unknown): string[] {
  if (!entry || typeof entry !== 'object') return []
  return Array.isArray(entry) ? texts(entry) : Object.values(entry).flatMap(texts)
}

/** `count` draws, the same in every run. */
export function drawn(faker: Faker, draw: (faker: Faker) => string, count = DRAWS): string[] {
  faker.seed(SEED)
  return Array.from({ length: count }, () => draw(faker))
}

function isFamilyFirst(definition: LocaleDefinition['person']): boolean {
  const patterns = definition?.name as { value: string }[] | undefined
  const pattern = patterns?.find(({ value }) => /last_?name/i.test(value))?.value ?? ''
  return /last_?name.*first_?name/i.test(pattern)
}

/** The lists of faker's locale, with `places` where towns with their codes are known. */
export function localeFromFaker(faker: Faker, places: readonly Place[]): Locale {
  const { person, company } = faker.rawDefinitions
  const given = bySex(person?.first_name)
  const family = bySex(person?.last_name)
  const located = places.length > 0
  return {
    familyFirst: isFamilyFirst(person),
    family: family.length > 0 ? family : drawn(faker, (f) => f.person.lastName()),
    given: given.length > 0 ? given : drawn(faker, (f) => f.person.firstName()),
    titles: [''],
    places,
    cities: located ? places.map(({ city }) => city) : drawn(faker, (f) => f.location.city()),
    codes: located
      ? places.flatMap(({ codes }) => codes)
      : drawn(faker, (f) => f.location.zipCode()),
    states: located ? places.map(({ state }) => state) : drawn(faker, (f) => f.location.state()),
    streets: drawn(faker, (f) => f.location.streetAddress()),
    address: '{street}',
    secondary: drawn(faker, (f) => f.location.secondaryAddress(), 512),
    companySuffixes: texts(company?.['legal_entity_type']),
  }
}
