// npm run demo: a masked copy, then a sealed backup, its restore and its restore test, on servers of
// its own. Leaves nothing behind but the daily report, in the temporary directory.
import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, ROOT } from './bootstrap.mjs'

bootstrap()
const { default: pg } = await import('pg')
const { startPostgres } = await import('./embedded-postgres.mjs')
const { fillSampleCrm } = await import('./sample-crm/fill.mjs')

const bold = (/** @type {string} */ text) =>
  process.stdout.isTTY && !process.env['NO_COLOR'] ? `\x1b[1m${text}\x1b[0m` : text
const say = (/** @type {string} */ text) => console.log(`\n${bold(text)}\n`)

/** @type {import('node:child_process').ChildProcess | undefined} */
let child

/** @param {string[]} args */
function pgveil(args) {
  console.log(`$ pgveil ${args.join(' ')}`)
  const cli = [join(ROOT, 'dist', 'cli.js'), ...args]
  const env = { ...process.env, XDG_STATE_HOME: join(directory, 'state') }
  child = spawn(process.execPath, cli, { stdio: 'inherit', cwd: directory, env })
  return new Promise((resolve) => child?.on('close', (code) => resolve(code)))
}

/** Keys, backups and whatever else the demo makes. */
const directory = mkdtempSync(join(tmpdir(), 'pgveil-demo-'))

/** @param {string} url @param {string} sql */
async function rowsOf(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** One person per line; the same persons in both databases. */
const PERSONS = `
  SELECT c.id, c.name, c.email, c.mobile, a.zip || ' ' || a.city || ', ' || a.street AS address
  FROM contacts c JOIN addresses a ON a.contact_id = c.id
  WHERE c.mobile IS NOT NULL AND a.street IS NOT NULL
  ORDER BY c.id, a.id LIMIT 5`

/** Values that were masked in both tables are equal where the originals were, and so are masked keys. */
const JOINS = `
  SELECT (SELECT count(*) FROM mails m JOIN contacts c ON c.id = m.contact_id
          AND lower(c.email::text) = lower(m.from_address::text))::int
           AS "mails from their contact's own address",
         (SELECT count(*) FROM calls k JOIN contacts c ON c.id = k.contact_id
          AND right(regexp_replace(c.mobile, '\\D', '', 'g'), 9) = right(regexp_replace(k.phone, '\\D', '', 'g'), 9))::int
           AS "calls from their contact's own number",
         (SELECT count(*) FROM billing.invoices i JOIN companies USING (customer_number))::int
           AS "invoices that find their customer"`

/** @param {Record<string, string>[]} production @param {Record<string, string>[]} dev */
function sideBySide(production, dev) {
  const wide = Math.max(100, process.stdout.columns ?? 120)
  const half = Math.floor((wide - 14) / 2)
  const cell = (/** @type {string | null | undefined} */ value) => {
    const text = Array.from(value ?? '∅')
    const cut = text.length > half ? [...text.slice(0, half - 1), '…'] : text
    return cut.join('').padEnd(half)
  }
  console.log(`${''.padEnd(10)}${bold(cell('production'))}  ${bold(cell('dev'))}`)
  production.forEach((row, i) => {
    for (const key of ['name', 'email', 'mobile', 'address']) {
      console.log(`${key.padEnd(10)}${cell(row[key])}  ${cell(dev[i]?.[key])}`)
    }
    console.log()
  })
}

/** Rows of every table, which a restore has to bring back. */
const COUNTS = `
  SELECT (SELECT count(*) FROM contacts)::int AS contacts, (SELECT count(*) FROM mails)::int AS mails,
         (SELECT count(*) FROM events)::int AS events, (SELECT sum(id) FROM deals)::int AS "sum of deal numbers"`

/**
 * A backup under two keys: with one it stays closed, with both it comes back.
 *
 * @param {string} source @param {string} dev
 * @returns {Promise<number>} exit code
 */
async function sealedBackup(source, dev) {
  say('Keys for two custodians: operations, and one whose key lies offline')
  const init = ['keys', 'init', '--directory', 'keys', '--no-passphrases', '--write-config']
  if ((await pgveil(init)) !== 0) return 1
  mkdirSync(join(directory, 'backups'), { mode: 0o700 })

  say('A sealed backup')
  const store = ['--store', 'backups']
  if ((await pgveil(['backup', '--source', source, ...store, '--jobs', '2'])) !== 0) return 1
  if ((await pgveil(['list', ...store])) !== 0) return 1

  say('With the key of operations alone it stays closed')
  const target = dev.replace(/postgres$/, 'crm_restored')
  const restore = ['restore', ...store, '--target', target, '--jobs', '2']
  const operations = ['--key', 'keys/operations.private.asc']
  const alone = await pgveil([...restore, ...operations])
  console.log(`exit code ${alone}`)
  if (alone !== 14) return 1

  say('With both keys it comes back')
  const offline = ['--key', 'keys/offline.private.asc']
  if ((await pgveil([...restore, ...operations, ...offline])) !== 0) return 1
  const [before] = await rowsOf(source, COUNTS)
  const [after] = await rowsOf(target, COUNTS)
  for (const [name, count] of Object.entries(before)) {
    console.log(`${name.padEnd(42)} production ${count}, restored ${after[name]}`)
    if (count !== after[name]) return 1
  }

  say('The restore test: on a scratch server, without the custodians')
  if ((await pgveil(['verify', ...store])) !== 0) return 1
  if ((await pgveil(['list', ...store])) !== 0) return 1

  say('What operations gets each day')
  const code = await pgveil(['report', ...store, '--output', 'report', '--format', 'html,text'])
  const kept = join(tmpdir(), 'pgveil-demo-report.html')
  for (const name of readdirSync(join(directory, 'report'))) {
    if (name.endsWith('.html')) copyFileSync(join(directory, 'report', name), kept)
  }
  console.log(`\nopen it in a browser: ${kept}`)
  return code
}

const started = performance.now()
let exitCode = 1
/** @type {Awaited<ReturnType<typeof startPostgres>>[]} */
const servers = []
const stop = async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
  rmSync(directory, { recursive: true, force: true })
}
for (const [signal, code] of /** @type {const} */ ([
  ['SIGINT', 130],
  ['SIGTERM', 143],
])) {
  process.on(signal, () => {
    if (child && child.exitCode === null) child.kill(signal)
    void stop().then(() => process.exit(code))
  })
}
try {
  say('Starting two PostgreSQL clusters from npm: production and dev')
  const [production, dev] = await Promise.all([startPostgres(), startPostgres()])
  servers.push(production, dev)
  const source = production.url.replace(/postgres$/, 'crm')
  const target = dev.url.replace(/postgres$/, 'crm_dev')
  console.log(`production  ${source}\ndev         ${target}`)

  say('Filling production with a sample CRM')
  await rowsOf(production.url, 'CREATE DATABASE crm')
  const { rows } = await fillSampleCrm(source, { scale: 3, seed: 2026 })
  await rowsOf(dev.url, 'CREATE ROLE crm_app NOLOGIN')
  console.log(`${rows.toLocaleString('en')} rows`)

  say('Copying it, masked in the channel')
  const rules = join(ROOT, 'masking-rules', 'crm.yaml')
  exitCode = Number(
    await pgveil(['copy', '--source', source, '--target', target, '--rules', rules, '--jobs', '2']),
  )
  if (exitCode === 0) {
    say('The same five people')
    sideBySide(await rowsOf(source, PERSONS), await rowsOf(target, PERSONS))
    say('Joins still hold')
    const [before] = await rowsOf(source, JOINS)
    const [after] = await rowsOf(target, JOINS)
    for (const [name, count] of Object.entries(before)) {
      console.log(`${name.padEnd(42)} production ${count}, dev ${after[name]}`)
      if (count !== after[name]) exitCode = 1
    }
  }
  if (exitCode === 0) exitCode = await sealedBackup(source, dev.url)
} finally {
  await stop()
}
console.log(
  `\n${exitCode === 0 ? 'Done' : 'Failed'} in ${((performance.now() - started) / 1000).toFixed(0)} s; servers stopped, their data removed.`,
)
process.exit(exitCode)
