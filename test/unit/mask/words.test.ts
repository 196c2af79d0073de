import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { GERMAN_PLACES, UNITED_STATES_PLACES } from '../../../src/mask/locales/foreign-places.ts'
import type { Place } from '../../../src/mask/locales/locale.ts'
import { HUNGARIAN_PLACES } from '../../../src/mask/locales/hungarian-places.ts'
import { FAMILY_NAMES, MEN, WOMEN } from '../../../src/mask/locales/hungarian-names.ts'
import { MASKS } from '../../../src/mask/registry.ts'
import { defaultDomain } from '../../../src/mask/treatment.ts'
import { maskBytes, open, rowOf, testKey } from './masking.ts'

const WORD_MASKS = [
  'person.fullName',
  'person.firstName',
  'person.lastName',
  'company.name',
  'location.city',
  'location.zipCode',
  'location.state',
  'location.streetAddress',
  'location.secondaryAddress',
  'internet.email',
  'internet.userName',
  'internet.url',
  'internet.ip',
  'phone.number',
]

/** Characters of ISO 8859-2 beyond ASCII, as far as Hungarian needs them. */
const isLatin2 = (codePoint: number) =>
  codePoint < 0x80 || 'áéíóöőúüűÁÉÍÓÖŐÚÜŰ'.includes(String.fromCodePoint(codePoint))
const isAscii = (codePoint: number) => codePoint < 0x80

describe.each(WORD_MASKS)('%s', (name) => {
  test('originals that differ in case, spacing and Unicode form get one mask', async () => {
    const { of, prepared } = await open(name)
    const mask = of('Ősi Ádám')
    expect(prepared.normalizes).toBe(true)
    expect(of('ŐSI  ádám ')).toBe(mask)
    expect(of('Ősi Ádám'.normalize('NFD'))).toBe(mask)
    expect(of('Ősi Éva')).not.toBe(mask)
  })

  test('normalize: false tells them apart', async () => {
    const { of, prepared } = await open(name, { options: { normalize: false } })
    expect(prepared.normalizes).toBe(false)
    const masks = new Set(Array.from('abcdefgh', (c) => of(`${c}X`)))
    const others = new Set(Array.from('abcdefgh', (c) => of(`${c.toUpperCase()}X`)))
    expect([...masks].join()).not.toBe([...others].join())
  })

  test.each(['hu', 'en', 'de', 'fr', 'ja', 'ru', 'no_such'])('locale %s', async (locale) => {
    const { of } = await open(name, { locale })
    expect(of('x')).toMatch(/^[^\0]+$/u)
  })

  test.each([50, 30, 20, 15])('%d characters are enough', async (maxChars) => {
    const { of, prepared } = await open(name, { maxChars })
    for (let i = 0; i < 500; i++)
      expect(Array.from(of(`v${i}`)!).length).toBeLessThanOrEqual(maxChars)
    expect(prepared.params).toBeDefined()
  })

  test.each([
    ['LATIN2', isLatin2],
    ['ASCII', isAscii],
  ])('stays within %s', async (_, encodable) => {
    for (const locale of ['hu', 'fr']) {
      const { of } = await open(name, { encodable, locale })
      for (let i = 0; i < 300; i++) {
        const mask = of(`v${i}`)!
        expect(Array.from(mask).every((char) => encodable(char.codePointAt(0)!))).toBe(true)
      }
    }
  })

  test('another key gives other masks', async () => {
    const one = await open(name)
    const two = await open(name, { key: testKey(2) })
    let equal = 0
    for (let i = 0; i < 200; i++) if (one.of(`v${i}`) === two.of(`v${i}`)) equal++
    expect(equal).toBeLessThan(40)
  })
})

test('a mask is not its original', async () => {
  for (const name of ['person.firstName', 'person.lastName', 'location.state', 'location.city']) {
    const { of } = await open(name)
    const masks = new Set(Array.from({ length: 3000 }, (_, i) => of(`v${i}`)!))
    for (const mask of masks) {
      expect(of(mask)).not.toBe(mask)
      expect(of(mask.toUpperCase())).toBe(of(mask))
    }
  }
})

test('too short a column is refused', async () => {
  await expect(open('internet.email', { maxChars: 5 })).rejects.toThrow(Failure)
  await expect(open('location.zipCode', { maxChars: 3 })).rejects.toThrow('fits into 3 characters')
  await expect(open('phone.number', { maxChars: 6 })).rejects.toThrow(Failure)
})

test.each(['person.fullName', 'company.name', 'location.city', 'location.streetAddress'])(
  '%s is refused where values must stay distinct',
  async (name) => {
    await expect(open(name, { unique: true })).rejects.toThrow(
      expect.objectContaining({ kind: 'refused' }),
    )
  },
)

describe('Hungarian', () => {
  test('the family name comes first', async () => {
    const { of } = await open('person.fullName')
    const family = new Set(FAMILY_NAMES)
    const given = new Set([...WOMEN, ...MEN])
    for (let i = 0; i < 500; i++) {
      const words = of(`v${i}`)!
        .replace(/^Dr\. /, '')
        .split(' ')
      expect([words.length, family.has(words[0]!), given.has(words[1]!)]).toEqual([2, true, true])
    }
  })

  test('lists are large and well-formed', () => {
    expect(new Set(FAMILY_NAMES).size).toBeGreaterThan(300)
    expect(new Set([...WOMEN, ...MEN]).size).toBeGreaterThan(300)
    expect(new Set(HUNGARIAN_PLACES.map(({ city }) => city)).size).toBe(HUNGARIAN_PLACES.length)
    expect(HUNGARIAN_PLACES.length).toBeGreaterThan(300)
    const codes = HUNGARIAN_PLACES.flatMap((place) => place.codes)
    expect(new Set(codes).size).toBe(codes.length)
    expect(codes.filter((code) => !/^[1-9]\d{3}$/.test(code))).toEqual([])
    expect(new Set(HUNGARIAN_PLACES.map(({ state }) => state)).size).toBe(20)
    const letters = /^[A-ZÁÉÍÓÖŐÚÜŰ][a-záéíóöőúüű]+(-[A-Z][a-z]+)*$/
    const names = [...FAMILY_NAMES, ...WOMEN, ...MEN, ...HUNGARIAN_PLACES.map(({ city }) => city)]
    expect(names.filter((name) => !letters.test(name))).toEqual([])
  })

  test('known towns have their known codes and counties', () => {
    const of = (code: string) => {
      const place = HUNGARIAN_PLACES.find(({ codes }) => codes.includes(code))
      return `${place?.city}, ${place?.state}`
    }
    expect(of('1117')).toBe('Budapest, Budapest')
    expect(of('9021')).toBe('Győr, Győr-Moson-Sopron')
    expect(of('6720')).toBe('Szeged, Csongrád-Csanád')
    expect(of('4024')).toBe('Debrecen, Hajdú-Bihar')
    expect(of('7621')).toBe('Pécs, Baranya')
    expect(of('8000')).toBe('Székesfehérvár, Fejér')
    expect(of('2100')).toBe('Gödöllő, Pest')
  })
})

const PLACES: Record<string, readonly Place[]> = {
  hu: HUNGARIAN_PLACES,
  en: UNITED_STATES_PLACES,
  de: GERMAN_PLACES,
}

describe.each(['hu', 'en', 'de'])('places of a row agree: %s', (locale) => {
  const companions = { 'location.city': 0, 'location.zipCode': 1 }
  const facts = { locale, companions }

  test('code and state are those of the masked city', async () => {
    const city = await open('location.city', facts)
    const code = await open('location.zipCode', facts)
    const state = await open('location.state', facts)
    const seen = new Map<string, Set<string>>()
    const states = new Map<string, Set<string>>()
    for (let i = 0; i < 3000; i++) {
      const row = rowOf([`City ${i % 700}`, `${1000 + i}`, 'x'])
      const town = city.of(`City ${i % 700}`, row)!
      const codes = seen.get(town) ?? new Set()
      seen.set(town, codes.add(code.of(`${1000 + i}`, row)!))
      states.set(town, (states.get(town) ?? new Set()).add(state.of('x', row)!))
    }
    const known = new Map((PLACES[locale] ?? []).map((place) => [place.city, place]))
    for (const [town, codes] of seen) {
      expect([...codes].every((each) => known.get(town)!.codes.includes(each))).toBe(true)
      expect([...states.get(town)!]).toEqual([known.get(town)!.state])
    }
    const owners = new Map<string, string>()
    for (const [town, codes] of seen) for (const each of codes) owners.set(each, town)
    expect([...owners].length).toBe([...seen.values()].reduce((sum, codes) => sum + codes.size, 0))
    expect(code.prepared.reads).toEqual([0])
  })

  test('without a city the state follows the code; without both it stands alone', async () => {
    const code = await open('location.zipCode', { locale })
    const state = await open('location.state', { locale, companions: { 'location.zipCode': 0 } })
    const row = rowOf(['1234', 'x'])
    expect(code.prepared.reads).toEqual([])
    expect(state.of('x', row)).toBe(state.of('y', row))
    expect(state.of('x', rowOf([null, 'x']))).toBe(
      (await open('location.state', { locale })).of('x'),
    )
  })
})

test('city, code and state share their default domain, others have their own', () => {
  const domains = [...MASKS.keys()].map(defaultDomain)
  expect(domains.filter((domain) => domain === 'location')).toHaveLength(3)
  expect(new Set(domains).size).toBe(MASKS.size - 2)
})

describe('distinct originals stay distinct', () => {
  /** Of the others, which share what is drawn, a quarter. */
  const MOST = 200_000

  test.each<[string, number, (i: number) => string]>([
    ['internet.email', MOST, (i: number) => `user${i}@example.hu`],
    ['internet.userName', MOST / 4, (i: number) => `user${i}`],
    ['internet.url', MOST / 4, (i: number) => `https://example.hu/${i}`],
    ['phone.number', MOST / 4, (i: number) => `+36 20 ${1_000_000 + i}`],
    ['hash', MOST / 4, (i: number) => `value ${i}`],
  ])('%s', async (name, count, original) => {
    const { mask, prepared } = await open(name, { unique: true, rows: count })
    expect(prepared.injective).toBe(true)
    expect(prepared.proof).toBeTruthy()
    const masks = new Set<string>()
    for (let i = 0; i < count; i++) masks.add(maskBytes(mask, Buffer.from(original(i)))!.toString())
    expect(masks.size).toBe(count)
  })

  test('the suffix grows with the rows and gives way to nothing', async () => {
    const proof = async (rows: number) =>
      (await open('internet.email', { unique: true, rows })).prepared.proof
    expect(await proof(120_000)).toBe('65 bits over 120,000 rows')
    expect(await proof(1_000_000_000)).toBe('90 bits over 1,000,000,000 rows')
    await expect(
      open('internet.email', { unique: true, rows: 120_000, maxChars: 19 }),
    ).rejects.toThrow('19')
    const tight = await open('internet.email', { unique: true, rows: 120_000, maxChars: 20 })
    expect(tight.of('a@b.hu')).toMatch(/^[a-z2-9]{13}@x\.test$/)
  })
})

test('mail goes to reserved domains only', async () => {
  const { of } = await open('internet.email')
  for (let i = 0; i < 500; i++) {
    expect(of(`u${i}@gmail.com`)).toMatch(
      /^[a-z]+\.[a-z]+\.[a-z2-9]{8}@(example\.(com|net|org|test)|mail\.test|x\.test)$/,
    )
  }
})

describe('telephone numbers', () => {
  test('the ways to write a Hungarian number are one', async () => {
    for (const unique of [false, true]) {
      const { of } = await open('phone.number', { unique })
      const mask = of('+36 20 123 4567')
      for (const other of ['06 20 123 4567', '0036201234567', '(06-20) 123-4567']) {
        expect(of(other)).toBe(mask)
      }
    }
  })

  test('they reach nobody', async () => {
    const plain = await open('phone.number')
    const unique = await open('phone.number', { unique: true })
    const american = await open('phone.number', { locale: 'en' })
    const elsewhere = await open('phone.number', { locale: 'ja', unique: true })
    for (let i = 0; i < 200; i++) {
      expect(plain.of(`0620${1234567 + i}`)).toMatch(/^\+36 58 \d{3} \d{4}$/)
      expect(unique.of(`0620${1234567 + i}`)).toMatch(/^\+3658\d{9}$/)
      expect(unique.of(`+4930${1234567 + i}`)).toMatch(/^\+3698\d{15}$/)
      expect(unique.of(`call ${i}`)).toMatch(/^\+3697\d{15}$/)
      expect(american.of(`212 555 ${1000 + i}`)).toMatch(/^\+1 [2-9]\d\d 555 01\d\d$/)
      expect(elsewhere.of(`0312345${100 + i}`)).toMatch(/^\+999\d{15,16}$/)
    }
  })
})
