import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { peopleTables } from './people-rows.mjs'
import { Random } from './random.mjs'
import { recordTables } from './record-rows.mjs'
import { FIRST_LARGE_OBJECT, LARGE_OBJECTS, workTables } from './work-rows.mjs'
import { makeWorld } from './world.mjs'

/** @typedef {import('./world.mjs').Table} Table */

/**
 * @typedef {object} FillOptions
 * @property {number} [scale] 1 (unless told) fills about 10 MB without indexes, 100 about 1 GB; fractions are fine
 * @property {number} [seed] equal seeds and scales give equal rows
 * @property {(message: string) => void} [onProgress] called as each step ends
 */

/** @param {string} name */
const sqlFile = (name) => readFile(new URL(name, import.meta.url), 'utf8')

/**
 * Builds the sample CRM in an empty database: PostgreSQL 14 or later, as a superuser. Makes the role
 * crm_app, without log-in, where the server has none.
 *
 * @param {string} url of the database
 * @param {FillOptions} [options]
 * @returns {Promise<{ rows: number }>}
 */
export async function fillSampleCrm(url, { scale = 1, seed = 1, onProgress = () => {} } = {}) {
  const clients = [new pg.Client(url), new pg.Client(url)]
  /** @type {(client: pg.Client | undefined, sql: string) => Promise<void>} */
  const run = async (client, sql) => {
    await client?.query(sql)
  }
  try {
    await Promise.all(clients.map((client) => client.connect()))
    const [client] = clients
    await Promise.all(
      clients.map((each) =>
        run(each, `set maintenance_work_mem = '128MB'; set synchronous_commit = off`),
      ),
    )
    await run(client, await sqlFile('schema.sql'))
    if (await isAtLeast18(clients[0])) await run(client, await sqlFile('schema-18.sql'))
    onProgress('tables made')

    const world = makeWorld(scale, seed)
    const tables = [...peopleTables(world), ...workTables(world), ...recordTables(world)]
    // every table has a random stream of its own, so the order in which they are filled does not matter
    const queue = tables.map((table, index) => ({ table, random: new Random(seed, index + 1) }))
    await inLanes(clients, queue, async (lane, { table, random }) => {
      await fillTable(lane, table, random)
      onProgress(`${table.name}: ${table.count} rows`)
    })
    await run(client, largeObjects(seed))
    await run(client, setSequences())

    await run(client, await sqlFile('constraints.sql'))
    onProgress('keys, indexes and views built')
    await run(client, 'vacuum analyze')
    onProgress('analysed')
    return { rows: tables.reduce((sum, table) => sum + table.count, 0) }
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

/** @param {pg.Client | undefined} client */
async function isAtLeast18(client) {
  const result = await client?.query('show server_version_num')
  return Number(result?.rows[0].server_version_num) >= 180000
}

/**
 * Works off a queue, as many at a time as there are clients.
 *
 * @template T
 * @param {pg.Client[]} clients
 * @param {T[]} queue
 * @param {(client: pg.Client, task: T) => Promise<void>} work
 */
async function inLanes(clients, queue, work) {
  const tasks = queue.values()
  await Promise.all(
    clients.map(async (client) => {
      for (const task of tasks) await work(client, task)
    }),
  )
}

/**
 * @param {pg.Client} client
 * @param {Table} table
 * @param {Random} random
 */
async function fillTable(client, table, random) {
  // Rows that arrive frozen, as they may after TRUNCATE, spare the first reader their hint bits.
  // Partitioned tables cannot take them. ONLY: the other lane may be filling a table that inherits.
  const freeze = table.name !== 'events'
  await client.query('begin')
  if (freeze) await client.query(`truncate only ${table.name}`)
  const copy = copyFrom(
    `copy ${table.name} (${table.columns}) from stdin (freeze ${freeze ? 'on' : 'off'})`,
  )
  await pipeline(Readable.from(chunks(table, random)), client.query(copy))
  await client.query('commit')
}

/**
 * @param {Table} table
 * @param {Random} random
 */
function* chunks(table, random) {
  let text = ''
  for (let id = 1; id <= table.count; id++) {
    text += `${table.row(id, random)}\n`
    if (text.length > 200_000) {
      yield Buffer.from(text)
      text = ''
    }
  }
  yield Buffer.from(text)
}

/** @param {number} seed */
function largeObjects(seed) {
  const random = new Random(seed, 0)
  return Array.from({ length: LARGE_OBJECTS }, (_, index) => {
    const oid = FIRST_LARGE_OBJECT + index
    return `select lo_from_bytea(${oid}, '\\x${random.hex(9000)}');
      alter large object ${oid} owner to crm_app; comment on large object ${oid} is 'beszkennelt szerződés';`
  }).join('\n')
}

/** Sequences go on where the rows end. */
function setSequences() {
  // prettier-ignore
  const identities = [
    'teams', 'users', 'companies', 'contacts', 'addresses', 'deals', 'tickets', 'mails', 'calls',
    'attachments', 'audit_log', 'billing.payments',
  ].map((table) => `select setval(pg_get_serial_sequence('${table}', 'id'), max(id)) from ${table}`)
  return [
    ...identities,
    `select setval(pg_get_serial_sequence('"Árajánlat Tételek"', 'Azonosító'), max("Azonosító")) from "Árajánlat Tételek"`,
    `select setval('customer_number_seq', max(customer_number::bigint)) from companies`,
    `select setval('ticket_reference_seq', max(id)) from tickets`,
    `select setval('billing.invoice_number_seq', max(number)) from billing.invoices`,
  ].join(';\n')
}
