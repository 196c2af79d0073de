import * as lists from './lists.mjs'
import { letter, remark, subjectLine } from './prose.mjs'
import { at, moment, NULL } from './world.mjs'

/** @typedef {import('./world.mjs').Table} Table */
/** @typedef {import('./world.mjs').World} World */
/** @typedef {import('./random.mjs').Random} Random */

/** The large objects that attachments refer to have the numbers from here on. */
export const FIRST_LARGE_OBJECT = 4_100_001
export const LARGE_OBJECTS = 3

/**
 * Deals, quote lines, tickets, mails, calls and attachments.
 * @param {World} world
 * @returns {Table[]}
 */
export function workTables(world) {
  return [
    deals(world),
    quoteLines(world),
    tickets(world),
    mails(world),
    calls(world),
    attachments(world),
  ]
}

/** @type {(world: World) => Table} */
const deals = ({ counts, directory }) => ({
  name: 'deals',
  columns:
    'id, company_id, contact_id, title, value, currency, probability, stage, period, owner_id, note, created_at, closed_at',
  count: counts.deals,
  row(id, random) {
    const contact = 1 + random.below(counts.contacts)
    const company = directory.companyOf(contact)
    const person = directory.contact(contact)
    const stage = random.pick(['új', 'ajánlat', 'tárgyalás', 'megnyert', 'elveszett'])
    const closed = stage === 'megnyert' || stage === 'elveszett'
    const title = `${random.pick(lists.PRODUCTS)} – ${person.name}`
    return `${id}\t${company || 1 + random.below(counts.companies)}\t${company ? contact : NULL}\t${title}\t${random.below(
      50_000_000,
    )}.00\tHUF\t0.${random.digits(1)}\t${stage}\t[2026-${1 + random.below(6)}-1,2026-${7 + random.below(6)}-1)\t${
      1 + random.below(counts.users)
    }\t${random.chance(0.3) ? remark(person, random) : NULL}\t${moment(random)}\t${closed ? moment(random) : NULL}`
  },
})

/** @type {(world: World) => Table} */
const quoteLines = ({ counts, directory }) => ({
  name: '"Árajánlat Tételek"',
  columns: '"Azonosító", "Ajánlat", "Ügyfél Neve", "Mixed Case", "Termék", "Mennyiség", "Egységár"',
  count: counts.quoteLines,
  row(id, random) {
    const person = directory.contact(1 + random.below(counts.contacts))
    const delivery = random.chance(0.3) ? `${person.zip} ${person.city}, ${person.street}` : NULL
    return `${id}\t${1 + random.below(counts.deals)}\t${person.name}\t${delivery}\t${random.pick(lists.PRODUCTS)}\t${
      1 + random.below(50)
    }\t${1 + random.below(90_000)}.00`
  },
})

/** @type {(world: World) => Table} */
const tickets = ({ counts, directory }) => ({
  name: 'tickets',
  columns: `id, reference, contact_id, assignee_id, requester_email, subject, body, priority, tags, merged_into, search,
    created_at, updated_at, closed_at`,
  count: counts.tickets,
  row(id, random) {
    const contact = ticketContact(id, counts.contacts)
    const person = directory.contact(contact)
    const subject = subjectLine(person, random)
    const words = [...new Set(subject.toLowerCase().match(/[\p{L}\d]+/gu))].map(
      (word) => `'${word}'`,
    )
    return `${id}\tHJ-${String(id).padStart(8, '0')}\t${contact}\t${
      random.chance(0.8) ? 1 + random.below(counts.users) : NULL
    }\t${person.email}\t${subject}\t${letter(person, random)}\t${random.pick(['alacsony', 'normál', 'sürgős'])}\t${random.pick(
      ['{}', '{számla}', '{garancia,javítás}', '{belépés}'],
    )}\t${id > 1 && random.chance(0.03) ? 1 + random.below(id - 1) : NULL}\t${words.join(' ')}\t${at(id / counts.tickets)}\t${NULL}\t${
      random.chance(0.7) ? at(1) : NULL
    }`
  },
})

/**
 * Whose ticket it is: scattered over the contacts, the same for every table that asks.
 * @param {number} ticket
 * @param {number} contacts
 */
const ticketContact = (ticket, contacts) => 1 + ((ticket * 7919) % contacts)

/** @type {(world: World) => Table} */
const mails = ({ counts, directory }) => ({
  name: 'mails',
  columns:
    'id, ticket_id, contact_id, from_address, from_name, to_addresses, message_id, subject, body, headers, sent_at',
  count: counts.mails,
  row(id, random) {
    const ticket = random.chance(0.7) ? 1 + random.below(counts.tickets) : 0
    const contact = ticket
      ? ticketContact(ticket, counts.contacts)
      : 1 + random.below(counts.contacts)
    const person = directory.contact(contact)
    const user = directory.user(1 + random.below(counts.users))
    const incoming = random.chance(0.6)
    const from = incoming ? person : user
    const to = incoming ? user : person
    // people type their address in any case they like
    const address = random.chance(0.03) ? from.email.toUpperCase() : from.email
    const copied = random.chance(0.2)
      ? `,${directory.contact(1 + random.below(counts.contacts)).email}`
      : ''
    const headers = `{"From": "${from.name} <${from.email}>", "X-Originating-IP": "[${ip(random)}]"}`
    return `${id}\t${ticket || NULL}\t${contact}\t${address}\t${from.name}\t{${to.email}${copied}}\t<${random.hex(16)}.${id}@${
      from.email.split('@')[1]
    }>\t${subjectLine(person, random)}\t${letter(from, random, incoming ? undefined : to.name)}\t${headers}\t${at(id / counts.mails)}`
  },
})

/** @type {(world: World) => Table} */
const calls = ({ counts, directory }) => ({
  name: 'calls',
  columns:
    'id, contact_id, user_id, direction, phone, started_at, length, recording_url, transcript',
  count: counts.calls,
  row(id, random) {
    const known = random.chance(0.95)
    const contact = 1 + random.below(counts.contacts)
    const person = directory.contact(contact)
    const phone = known ? person.phone : `+36 1 ${random.digits(3)} ${random.digits(4)}`
    const recording = random.chance(0.4) ? `https://hang.crm.example/${random.hex(24)}.opus` : NULL
    return `${id}\t${known ? contact : NULL}\t${1 + random.below(counts.users)}\t${random.pick(['bejövő', 'kimenő'])}\t${phone}\t${at(
      id / counts.calls,
    )}\t00:${random.between(10, 59)}:${random.between(10, 59)}\t${recording}\t${
      random.chance(0.5) ? remark(person, random) : NULL
    }`
  },
})

/** @type {(world: World) => Table} */
const attachments = ({ counts, directory }) => ({
  name: 'attachments',
  columns: 'id, ticket_id, file_name, media_type, content, scan',
  count: counts.attachments,
  row(id, random) {
    const ticket = 1 + random.below(counts.tickets)
    const person = directory.contact(ticketContact(ticket, counts.contacts))
    const heading = Buffer.from(`%PDF-1.7\n% ${person.name}, ${person.email}\n`).toString('hex')
    const content = `\\\\x${heading}${random.hex(2 * random.between(500, 7000))}`
    const name = `${person.family}_${person.given}_${random.pick(['szerzodes', 'szamla', 'fenykep'])}.pdf`
    return `${id}\t${ticket}\t${name}\tapplication/pdf\t${content}\t${id <= LARGE_OBJECTS ? FIRST_LARGE_OBJECT + id - 1 : NULL}`
  },
})

/** @param {Random} random */
export const ip = (random) =>
  `${random.between(62, 95)}.${random.below(256)}.${random.below(256)}.${random.between(1, 254)}`
