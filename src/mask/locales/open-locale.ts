import type { Faker } from '@faker-js/faker'
import { GERMAN_PLACES, UNITED_STATES_PLACES } from './foreign-places.ts'
import { HUNGARIAN } from './hungarian.ts'
import { localeFromFaker } from './from-faker.ts'
import type { Locale, Place } from './locale.ts'

const PLACES: Readonly<Record<string, readonly Place[]>> = {
  de: GERMAN_PLACES,
  en: UNITED_STATES_PLACES,
  en_US: UNITED_STATES_PLACES,
}

const fakers = new Map<string, Promise<Faker>>()
const locales = new Map<string, Promise<Locale>>()

async function importFaker(name: string): Promise<Faker> {
  // A name from a rule file: letters and underscores only, so that it names a locale and no other path.
  const exact = /^[A-Za-z_]+$/.test(name) ? name : 'en'
  const load = async (locale: string) =>
    ((await import(`@faker-js/faker/locale/${locale}`)) as { faker: Faker }).faker
  try {
    return await load(exact)
  } catch {
    return load('en')
  }
}

/** faker with the locale of this name, or with `en` where faker has none of that name. */
export function openFaker(name: string): Promise<Faker> {
  const known = fakers.get(name) ?? importFaker(name)
  fakers.set(name, known)
  return known
}

async function buildLocale(name: string): Promise<Locale> {
  if (name === 'hu') return HUNGARIAN
  const faker = await openFaker(name)
  const places =
    PLACES[name] ?? (faker.rawDefinitions.metadata?.code === 'en' ? UNITED_STATES_PLACES : [])
  return localeFromFaker(faker, places)
}

/** The lists of a locale, built once. */
export function openLocale(name: string): Promise<Locale> {
  const known = locales.get(name) ?? buildLocale(name)
  locales.set(name, known)
  return known
}
