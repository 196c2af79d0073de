// npm run bench:memory: the memory of all our processes with two jobs, of copies, backups and restores, at two scales and
// with one huge field that is not masked. It must not grow with the rows.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { bootstrap, ROOT } from '../bootstrap.mjs'
import { startPostgres } from '../embedded-postgres.mjs'
import { readOptions } from '../options.mjs'
import { fillSampleCrm } from '../sample-crm/fill.mjs'
import { measure, measureCopy } from './measure.mjs'
import { writeTrial } from './trial-keys.mjs'

const { values: options } = readOptions(import.meta.url, {
  options: {
    scales: { type: 'string', default: '10,100' },
    field: { type: 'string', default: '900' },
  },
})

/** @param {string} url @param {string} sql */
async function execute(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(sql)
  await client.end()
}

/** @param {string} url @param {string} database */
const at = (url, database) => url.replace(/postgres$/, database)

/**
 * A backup into a directory and its restore beside the source.
 *
 * @param {string} source @param {string} target
 * @returns {Promise<{ backup_peak_rss_mb: number, restore_peak_rss_mb: number }>}
 */
async function measureBackup(source, target) {
  const place = mkdtempSync(join(directory, 'backup-'))
  const { custodians } = await writeTrial(place, source, { directory: 'store' })
  mkdirSync(join(place, 'store'), { mode: 0o700 })
  const common = [`--config=${join(place, 'pgveil.yaml')}`, '--jobs=2']
  const backup = await measure(['backup', ...common])
  const keys = custodians.map((key) => `--key=${key}`)
  const restore = await measure(['restore', ...common, `--target=${target}`, ...keys])
  rmSync(place, { recursive: true })
  return {
    backup_peak_rss_mb: Math.round(backup.peak),
    restore_peak_rss_mb: Math.round(restore.peak),
  }
}

bootstrap()
const production = await startPostgres()
const dev = await startPostgres()
const directory = mkdtempSync(join(tmpdir(), 'pgveil-bench-'))
const results = []
try {
  await execute(dev.url, 'CREATE ROLE crm_app NOLOGIN')
  const target = at(dev.url, 'copied')
  for (const scale of options.scales.split(',').filter(Boolean).map(Number)) {
    await execute(production.url, `CREATE DATABASE crm_${scale}`)
    const source = at(production.url, `crm_${scale}`)
    await fillSampleCrm(source, { scale, seed: 1 })
    const rules = join(ROOT, 'masking-rules', 'crm.yaml')
    const { peak, bytes, seconds } = await measureCopy(source, target, { rules, jobs: 2 })
    results.push({
      what: `sample CRM, scale ${scale}`,
      bytes,
      seconds,
      peak_rss_mb: Math.round(peak),
      ...(await measureBackup(source, at(dev.url, `restored_${scale}`))),
    })
    await execute(dev.url, `DROP DATABASE restored_${scale}`)
  }
  const megabytes = Number(options.field)
  await execute(production.url, 'CREATE DATABASE huge')
  const source = at(production.url, 'huge')
  await execute(
    source,
    `CREATE TABLE scan (id int PRIMARY KEY, owner text, image bytea);
     ALTER TABLE scan ALTER image SET STORAGE EXTERNAL;
     INSERT INTO scan SELECT 1, 'Kovács Anna', convert_to(repeat('a page ', ${megabytes} * 142857), 'UTF8')`,
  )
  const rules = join(directory, 'huge.yaml')
  writeFileSync(
    rules,
    'version: 1\ntables:\n  public.scan:\n    owner: person.fullName\n    keep: [id, image]\n',
  )
  const { peak, bytes, seconds } = await measureCopy(source, target, { rules, jobs: 2 })
  results.push({
    what: `one field of ${megabytes} MB`,
    bytes,
    seconds,
    peak_rss_mb: Math.round(peak),
  })
} finally {
  await Promise.all([production.stop(), dev.stop()])
  rmSync(directory, { recursive: true, force: true })
}
console.log(JSON.stringify(results, null, 2))
