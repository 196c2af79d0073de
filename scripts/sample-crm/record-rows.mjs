import * as lists from './lists.mjs'
import { iban } from './prose.mjs'
import { ip } from './work-rows.mjs'
import { at, moment, NULL } from './world.mjs'

/** @typedef {import('./world.mjs').Table} Table */
/** @typedef {import('./world.mjs').World} World */
/** @typedef {import('./random.mjs').Random} Random */

/**
 * Sessions, events, audit rows and billing.
 * @param {World} world
 * @returns {Table[]}
 */
export function recordTables(world) {
  return [
    sessions(world),
    events(world),
    auditLog(world),
    invoices(world),
    invoiceLines(world),
    payments(world, 'payments', world.counts.payments, 0),
    payments(world, 'refunds', world.counts.refunds, 1_000_000_000),
  ]
}

/** @type {(world: World) => Table} */
const sessions = ({ counts, directory }) => ({
  name: 'sessions',
  columns: 'token, user_id, ip, user_agent, state, started_at, expires_at',
  count: counts.sessions,
  row(_id, random) {
    const user = 1 + random.below(counts.users)
    const state = `{"email": "${directory.user(user).email}", "csrf": "${random.hex(32)}"}`
    return `${random.hex(43)}\t${user}\t${ip(random)}\t${random.pick(lists.USER_AGENTS)}\t${state}\t${moment(random)}\t${at(1)}`
  },
})

/** @type {(world: World) => Table} */
const events = ({ counts, directory }) => ({
  name: 'events',
  columns: 'id, contact_id, kind, ip, user_agent, url, payload, occurred_at',
  count: counts.events,
  row(id, random) {
    const contact = 1 + random.below(counts.contacts)
    const { email } = directory.contact(contact)
    const kind = random.pick(['oldalnézet', 'belépés', 'letöltés', 'hírlevél', 'kosár'])
    const url =
      kind === 'hírlevél'
        ? `https://www.crm.example/hirlevel?cim=${encodeURIComponent(email)}`
        : `https://www.crm.example/termek/${random.below(900)}`
    const payload = random.chance(0.4) ? `{"email": "${email}", "step": ${random.below(9)}}` : NULL
    return `${id}\t${random.chance(0.85) ? contact : NULL}\t${kind}\t${ip(random)}\t${
      random.chance(0.5) ? random.pick(lists.USER_AGENTS) : NULL
    }\t${url}\t${payload}\t${at(id / counts.events)}`
  },
})

/** @type {(world: World) => Table} */
const auditLog = ({ counts, directory }) => ({
  name: 'audit_log',
  columns: 'id, actor_id, action, table_name, row_id, old_row, new_row, ip, at',
  count: counts.auditLog,
  row(id, random) {
    const contact = 1 + random.below(counts.contacts)
    const { name, email, phone, birthDate, city } = directory.contact(contact)
    const before = `{"id": ${contact}, "name": "${name}", "email": "${email}", "mobile": null, "birth_date": "${birthDate}"}`
    const after = `{"id": ${contact}, "name": "${name}", "email": "${email}", "mobile": "${phone}", "birth_place": "${city}"}`
    const inserted = random.chance(0.3)
    return `${id}\t${1 + random.below(counts.users)}\t${inserted ? 'INSERT' : 'UPDATE'}\tcontacts\t${contact}\t${
      inserted ? NULL : before
    }\t${after}\t${ip(random)}\t${at(id / counts.auditLog)}`
  },
})

const FIRST_INVOICE = 2_025_000_000

/** @type {(world: World) => Table} */
const invoices = ({ counts, directory }) => ({
  name: 'billing.invoices',
  columns:
    'number, customer_number, buyer_name, buyer_address, buyer_tax_number, total, issued_on, due_on',
  count: counts.invoices,
  row(id, random) {
    const company = directory.company(1 + random.below(counts.companies))
    const { zip, city } = company.town
    const address = `${zip} ${city}, ${random.pick(lists.STREETS)} ${1 + random.below(99)}.`
    const month = 1 + random.below(9)
    return `${FIRST_INVOICE + id}\t${company.customerNumber}\t${company.name}\t${address}\t${company.taxNumber}\t(${random.below(
      9_000_000,
    )}.00,HUF)\t2026-0${month}-05\t2026-0${month}-20`
  },
})

/** @type {(world: World) => Table} */
const invoiceLines = ({ counts }) => ({
  name: 'billing.invoice_lines',
  columns: 'invoice_number, line_number, description, quantity, unit_price',
  count: counts.invoiceLines,
  row(id, random) {
    const invoice = FIRST_INVOICE + 1 + ((id - 1) % counts.invoices)
    const line = 1 + Math.floor((id - 1) / counts.invoices)
    return `${invoice}\t${line}\t${random.pick(lists.PRODUCTS)}\t${1 + random.below(20)}\t${1 + random.below(300_000)}.50`
  },
})

/** @type {(world: World, table: string, count: number, offset: number) => Table} */
const payments = ({ counts, directory }, table, count, offset) => ({
  name: `billing.${table}`,
  columns: 'id, invoice_number, payer_name, payer_account, amount, memo, booked_on',
  count,
  row(id, random) {
    const invoice = FIRST_INVOICE + 1 + random.below(counts.invoices)
    const { name } = directory.contact(1 + random.below(counts.contacts))
    const memo = random.chance(0.5) ? `${invoice} sz. számla, ${name}` : NULL
    return `${offset + id}\t${offset ? NULL : invoice}\t${name}\t${iban(random)}\t${random.below(9_000_000)}.00\t${memo}\t${moment(
      random,
    ).slice(0, 10)}`
  },
})
