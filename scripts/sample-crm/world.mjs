import { Directory } from './people.mjs'

/** @typedef {import('./random.mjs').Random} Random */

/**
 * @typedef {object} Table
 * @property {string} name as SQL
 * @property {string} columns as SQL
 * @property {number} count
 * @property {(id: number, random: Random) => string} row a line of COPY's text format without its end, for id 1 … count
 */

/** Rows at scale 1, about 10 MB on disk without indexes. */
const ROWS = {
  users: 12,
  companies: 500,
  contacts: 5000,
  addresses: 4000,
  deals: 2400,
  tickets: 1800,
  mails: 2300,
  calls: 5000,
  attachments: 50,
  sessions: 400,
  events: 6000,
  auditLog: 2200,
  quoteLines: 3000,
  invoices: 1200,
  invoiceLines: 3600,
  payments: 1000,
  refunds: 50,
}

/** @typedef {keyof typeof ROWS | 'teams'} Counted */

/** @typedef {{ directory: Directory, counts: Record<Counted, number> }} World */

/**
 * @param {number} scale 1: about 10 MB; may be a fraction
 * @param {number} seed
 * @returns {World}
 */
export function makeWorld(scale, seed) {
  const least = { users: 12, companies: 5, contacts: 20 }
  const entries = Object.entries({ ...ROWS, ...least }).map(([name]) => {
    const rows = Math.round(ROWS[/** @type {keyof typeof ROWS} */ (name)] * scale)
    return [name, Math.max(rows, least[/** @type {keyof typeof least} */ (name)] ?? 3)]
  })
  const counts = /** @type {World['counts']} */ (Object.fromEntries(entries))
  counts.teams = Math.min(12, Math.ceil(counts.users / 6))
  return { directory: new Directory(seed, counts.companies), counts }
}

/** NULL in COPY's text format. */
export const NULL = '\\N'

const FIRST = Date.UTC(2024, 11, 10)
const LAST = Date.UTC(2026, 10, 3)

/**
 * A time between December 2024 and the beginning of November 2026, as ISO 8601.
 * @param {Random} random
 */
export function moment(random) {
  return at(random.uint32() / 4294967296)
}

/**
 * @param {number} fraction 0: the beginning of the time that the sample spans, 1: its end
 */
export function at(fraction) {
  return new Date(FIRST + Math.floor((LAST - FIRST) * fraction)).toISOString()
}
