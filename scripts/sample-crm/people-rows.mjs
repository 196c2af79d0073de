import * as lists from './lists.mjs'
import { iban, remark } from './prose.mjs'
import { moment, NULL } from './world.mjs'

/** @typedef {import('./world.mjs').Table} Table */
/** @typedef {import('./world.mjs').World} World */

/**
 * Countries, teams, users, companies, contacts and addresses.
 * @param {World} world
 * @returns {Table[]}
 */
export function peopleTables({ counts, directory }) {
  return [
    {
      name: 'countries',
      columns: 'code, name, dial_code, eu_member',
      count: lists.COUNTRIES.length,
      row: (id) => lists.COUNTRIES[id - 1] ?? '',
    },
    {
      name: 'teams',
      columns: 'id, name, lead_id',
      count: counts.teams,
      row: (id) => `${id}\t${id}. csapat\t${id}`,
    },
    {
      name: 'users',
      columns: `id, username, first_name, last_name, email, phone, role, team_id, manager_id, password_hash,
        reset_token, totp_secret, backup_codes, last_login_at, last_login_ip, preferences, active, created_at`,
      count: counts.users,
      row(id, random) {
        const user = directory.user(id)
        const login = user.email.slice(0, user.email.indexOf('@'))
        const role = random.pick(['értékesítő', 'ügyfélszolgálat', 'vezető', 'rendszergazda'])
        const reset = random.chance(0.1) ? random.hex(40) : NULL
        const totp = random.chance(0.4) ? `\\\\x${random.hex(40)}` : NULL
        const codes = random.chance(0.3) ? `{${random.digits(8)},${random.digits(8)}}` : NULL
        const signature = `"signature": "Üdvözlettel: ${user.name}, ${user.phone}"`
        return `${id}\t${login}\t${user.given}\t${user.family}\t${user.email}\t${user.phone}\t${role}\t${
          1 + (id % counts.teams)
        }\t${id > 1 ? 1 + random.below(id - 1) : NULL}\t$2b$12$${random.hex(53)}\t${reset}\t${totp}\t${codes}\t${moment(
          random,
        )}\t81.0.${random.below(256)}.${random.below(256)}\t{"language": "hu", ${signature}}\t${
          random.chance(0.9) ? 't' : 'f'
        }\t${moment(random)}`
      },
    },
    {
      name: 'companies',
      columns: `id, customer_number, name, tax_number, bank_account, email, phones, website, country_code, parent_id,
        primary_contact_id, owner_id, employees, revenue, custom, attributes, created_at, updated_at`,
      count: counts.companies,
      row(id, random) {
        const company = directory.company(id)
        const leader = directory.contact(id)
        const phones = `{"+36 1 ${random.digits(3)} ${random.digits(4)}",${random.chance(0.5) ? `"${leader.phone}"` : 'NULL'}}`
        const custom = random.chance(0.5)
          ? `{"contact": {"name": "${leader.name}", "email": "${leader.email}"}, "credit_limit": ${1 + random.below(900)}0000}`
          : NULL
        const attributes = random.chance(0.1)
          ? `"szállító"=>"${random.pick(['igen', 'nem'])}"`
          : NULL
        return `${id}\t${company.customerNumber}\t${company.name}\t${company.taxNumber}\t${
          random.chance(0.8) ? iban(random) : NULL
        }\tinfo@${company.domain}\t${phones}\thttps://www.${company.domain}/\t${
          random.chance(0.95) ? 'HU' : random.pick(['AT', 'DE', 'SK', 'RO'])
        }\t${id > 1 && random.chance(0.05) ? 1 + random.below(id - 1) : NULL}\t${id}\t${
          1 + random.below(counts.users)
        }\t${1 + random.below(400)}\t${random.below(2_000_000_000)}.${random.digits(2)}\t${custom}\t${attributes}\t${moment(
          random,
        )}\t${random.chance(0.5) ? moment(random) : NULL}`
      },
    },
    contacts(counts, directory),
    {
      name: 'addresses',
      columns:
        'id, contact_id, company_id, kind, country_code, zip, city, street, county, latitude, longitude, valid_from',
      count: counts.addresses,
      row(id, random) {
        const ofCompany = id <= counts.companies
        const owner = ofCompany ? id : 1 + random.below(counts.contacts)
        const { zip, city, county, street } = directory.contact(owner)
        const kind = ofCompany ? 'székhely' : random.pick(['lakcím', 'levelezési', 'szállítási'])
        const latitude = `4${random.between(6, 7)}.${random.digits(6)}`
        const longitude = `${random.between(17, 21)}.${random.digits(6)}`
        const place = random.chance(0.5) ? `${latitude}\t${longitude}` : `${NULL}\t${NULL}`
        return `${id}\t${ofCompany ? NULL : owner}\t${ofCompany ? owner : NULL}\t${kind}\tHU\t${zip}\t${city}\t${street}\t${
          county
        }\t${place}\t${random.chance(0.7) ? moment(random).slice(0, 10) : NULL}`
      },
    },
  ]
}

/**
 * @param {World['counts']} counts
 * @param {World['directory']} directory
 * @returns {Table}
 */
function contacts(counts, directory) {
  return {
    name: 'contacts',
    columns: `id, company_id, name, nickname, email, mobile, phones, birth_date, birth_place, mother_name, tax_id, job_title,
      status, newsletter, unsubscribe_token, owner_id, referred_by, notes, custom, created_at, updated_at`,
    count: counts.contacts,
    row(id, random) {
      const person = directory.contact(id)
      const known = random.chance(0.4)
      const phones = random.chance(0.4) ? `{"${person.phone}","06 1 ${random.digits(7)}"}` : '{}'
      const newsletter = random.chance(0.3)
      const status = random.pick(['érdeklődő', 'ügyfél', 'ügyfél', 'inaktív'])
      const custom = random.chance(0.3)
        ? `{"spouse": "${directory.contact(1 + random.below(counts.contacts)).name}", "shirt": "${random.pick(['S', 'M', 'L'])}"}`
        : NULL
      return `${id}\t${directory.companyOf(id) || NULL}\t${person.name}\t${random.chance(0.15) ? person.given : NULL}\t${
        person.email
      }\t${random.chance(0.9) ? person.phone : NULL}\t${phones}\t${person.birthDate}\t${known ? person.city : NULL}\t${
        known ? person.motherName : NULL
      }\t${known ? `8${random.digits(9)}` : NULL}\t${random.chance(0.6) ? random.pick(lists.JOB_TITLES) : NULL}\t${status}\t${
        newsletter ? 't' : 'f'
      }\t${newsletter ? random.hex(32) : NULL}\t${1 + random.below(counts.users)}\t${
        id > 1 && random.chance(0.1) ? 1 + random.below(id - 1) : NULL
      }\t${random.chance(0.25) ? remark(person, random) : NULL}\t${custom}\t${moment(random)}\t${
        random.chance(0.3) ? moment(random) : NULL
      }`
    },
  }
}
