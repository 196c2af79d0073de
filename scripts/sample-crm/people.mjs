import * as lists from './lists.mjs'
import { Random } from './random.mjs'

/**
 * @typedef {object} Person
 * @property {string} given
 * @property {string} family
 * @property {string} name family name first, perhaps a title before it
 * @property {string} email
 * @property {string} phone
 * @property {string} birthDate
 * @property {string} motherName
 * @property {string} zip
 * @property {string} city
 * @property {string} county
 * @property {string} street with the house number
 */

/** @typedef {{ name: string, customerNumber: string, domain: string, taxNumber: string, town: { zip: string, city: string, county: string } }} Company */

const STREAM = { contact: 1_000_000_000, company: 2_000_000_000, user: 3_000_000_000 }

/** @param {string} text */
const ascii = (text) =>
  text
    .normalize('NFD')
    .replace(/ł/gi, 'l')
    .replace(/[^A-Za-z0-9]/g, '')
    .toLowerCase()

const givenSlugs = lists.GIVEN_NAMES.map(ascii)
const familySlugs = lists.FAMILY_NAMES.map(ascii)

/**
 * Everybody and every company, by number. A person is computed anew from the seed each time, so that
 * all tables agree on who contact 17 is and nothing is kept in memory.
 */
export class Directory {
  #seed
  #random
  /** How many companies there are; contact n belongs to company 1 + (n - 1) mod this, or to none. */
  #companies

  /**
   * @param {number} seed
   * @param {number} companies
   */
  constructor(seed, companies) {
    this.#seed = seed
    this.#companies = companies
    this.#random = new Random(seed, 0)
  }

  /**
   * @param {number} id 1 …
   * @returns {Person}
   */
  contact(id) {
    return this.#person(STREAM.contact + id, String(id))
  }

  /**
   * @param {number} id 1 …
   * @returns {Person}
   */
  user(id) {
    const person = this.#person(STREAM.user + id, '')
    const login = `${ascii(person.family)}.${ascii(person.given)}${id}`
    return { ...person, email: `${login}@crm.example` }
  }

  /**
   * @param {number} stream
   * @param {string} suffix makes the mail address unique
   * @returns {Person}
   */
  #person(stream, suffix) {
    const random = this.#random
    random.reseed(this.#seed, stream)
    const given = random.below(lists.GIVEN_NAMES.length)
    const family = random.below(lists.FAMILY_NAMES.length)
    const town = random.pick(lists.TOWNS)
    const mother = lists.GIVEN_NAMES[random.below(lists.FIRST_MALE)]
    const full = `${lists.FAMILY_NAMES[family]} ${lists.GIVEN_NAMES[given]}`
    const year = 1940 + random.below(67)
    return {
      ...town,
      given: lists.GIVEN_NAMES[given] ?? '',
      family: lists.FAMILY_NAMES[family] ?? '',
      name: random.chance(0.04) ? `Dr. ${full}` : full,
      email: `${familySlugs[family]}.${givenSlugs[given]}${suffix}@${random.pick(lists.MAIL_DOMAINS)}`,
      phone: `+36 ${random.pick(['20', '30', '70'])} ${random.digits(3)} ${random.digits(4)}`,
      birthDate: `${year}-${two(1 + random.below(12))}-${two(1 + random.below(28))}`,
      motherName: `${random.pick(lists.FAMILY_NAMES)} ${mother}`,
      street: `${random.pick(lists.STREETS)} ${1 + random.below(140)}.`,
    }
  }

  /**
   * @param {number} id 1 …
   * @returns {Company}
   */
  company(id) {
    const random = this.#random
    random.reseed(this.#seed, STREAM.company + id)
    const word = random.pick(lists.COMPANY_WORDS)
    const trade = random.pick(lists.COMPANY_TRADES)
    const family = random.chance(0.3) ? `${random.pick(lists.FAMILY_NAMES)} és Társa ` : ''
    return {
      name: `${family}${word} ${trade} ${random.pick(lists.LEGAL_FORMS)}`,
      customerNumber: String(10_000_000 + id),
      domain: `${ascii(word)}-${ascii(trade)}${id}.example`,
      taxNumber: `${1 + random.below(9)}${random.digits(7)}-2-${two(1 + random.below(44))}`,
      town: random.pick(lists.TOWNS),
    }
  }

  /**
   * The company of a contact; 0 for none. The first contacts all have one.
   * @param {number} contact
   */
  companyOf(contact) {
    if (contact > this.#companies && contact % 9 === 0) return 0
    return 1 + ((contact - 1) % this.#companies)
  }
}

/** @param {number} number */
export const two = (number) => (number < 10 ? `0${number}` : String(number))
