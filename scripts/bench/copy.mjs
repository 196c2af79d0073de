// npm run bench:copy: the masked copy against what people do without it, in one run on one machine.
//
//   (a) pgveil copy --jobs 2, masked
//   (b) pg_dump --format=directory --compress=0 -j2, then pg_restore -j2, over local disk, unmasked
//   (c) psql to psql, COPY's binary format, the same tables two at a time, rows only, unmasked
//
// Rounds alternate, so that whatever else the machine does meets all three.
import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import pg from 'pg'
import { bootstrap, ROOT } from '../bootstrap.mjs'
import { startPostgres } from '../embedded-postgres.mjs'
import { readOptions } from '../options.mjs'
import { fillSampleCrm } from '../sample-crm/fill.mjs'
import { findBinaries } from './binaries.mjs'
import { measureCopy, median, settle } from './measure.mjs'

const { values: options } = readOptions(import.meta.url, {
  options: {
    scale: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '2' },
    bin: { type: 'string' },
    rules: { type: 'string', default: join(ROOT, 'masking-rules', 'crm.yaml') },
    json: { type: 'string', default: join(ROOT, 'bench-results', 'copy.json') },
  },
})
const rounds = Number(options.rounds)
const jobs = Number(options.jobs)
const exec = promisify(execFile)

/** @param {string} bin @param {string} source @param {string} server @param {string} directory */
async function dumpRestore(bin, source, server, directory) {
  const path = join(directory, 'dump')
  settle()
  const started = performance.now()
  await exec(join(bin, 'pg_dump'), [
    '--format=directory',
    '--compress=0',
    `-j${jobs}`,
    '-f',
    path,
    source,
  ])
  await exec(join(bin, 'psql'), [server, '-qc', 'CREATE DATABASE restored TEMPLATE template0'])
  const target = new URL(server)
  target.pathname = '/restored'
  await exec(join(bin, 'pg_restore'), [
    '--no-owner',
    '--no-privileges',
    `-j${jobs}`,
    '-d',
    target.href,
    path,
  ])
  const seconds = (performance.now() - started) / 1000
  rmSync(path, { recursive: true })
  await exec(join(bin, 'psql'), [server, '-qc', 'DROP DATABASE restored'])
  return seconds
}

/** @param {string} bin @param {string} source @param {string} server */
async function relay(bin, source, server) {
  const target = new URL(server)
  target.pathname = '/relayed'
  await exec(join(bin, 'psql'), [server, '-qc', 'CREATE DATABASE relayed TEMPLATE template0'])
  const { stdout: schema } = await exec(
    join(bin, 'pg_dump'),
    ['--section=pre-data', '--no-owner', '--no-privileges', source],
    { maxBuffer: 1e9 },
  )
  const loader = spawn(join(bin, 'psql'), ['-q', '-v', 'ON_ERROR_STOP=1', target.href], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  loader.stdin.end(schema)
  await new Promise((resolve) => loader.on('close', resolve))

  const client = new pg.Client(source)
  await client.connect()
  const { rows: tables } = await client.query(`
    SELECT format('%I.%I', n.nspname, c.relname) AS name,
           (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)'
    ORDER BY pg_table_size(c.oid) DESC`)
  await client.end()
  const limit = pLimit(jobs)
  const psql = join(bin, 'psql')
  settle()
  const started = performance.now()
  await Promise.all(
    tables.map(({ name, columns }) =>
      limit(() => {
        const out = `COPY ${name} (${columns}) TO STDOUT (FORMAT binary)`
        const into = `COPY ${name} (${columns}) FROM STDIN (FORMAT binary)`
        return exec('sh', [
          '-c',
          '"$1" -qc "$2" "$3" | "$1" -qc "$4" "$5"',
          'sh',
          psql,
          out,
          source,
          into,
          target.href,
        ])
      }),
    ),
  )
  const seconds = (performance.now() - started) / 1000
  await exec(psql, [server, '-qc', 'DROP DATABASE relayed'])
  return seconds
}

bootstrap()
const bin = findBinaries(options.bin)
const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const production = await startPostgres({ bin, settings })
const dev = await startPostgres({ bin, settings })
const directory = mkdtempSync(join(tmpdir(), 'pgveil-bench-'))
try {
  const source = new URL(production.url)
  source.pathname = '/crm'
  const target = new URL(dev.url)
  target.pathname = '/crm_dev'
  await exec(join(bin, 'psql'), [production.url, '-qc', 'CREATE DATABASE crm TEMPLATE template0'])
  console.error(`filling production at scale ${options.scale}`)
  await fillSampleCrm(source.href, { scale: Number(options.scale), seed: 1 })
  await exec(join(bin, 'psql'), [source.href, '-qc', 'VACUUM'])
  // Policies name roles, which belong to the cluster: pg_restore fails without them.
  const { stdout: roles } = await exec(join(bin, 'psql'), [
    production.url,
    '-Atc',
    "SELECT format('CREATE ROLE %I;', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'",
  ])
  if (roles.trim()) await exec(join(bin, 'psql'), [dev.url, '-qc', roles])

  /** @type {{ copy: Awaited<ReturnType<typeof measureCopy>>, dump: number, relay: number }[]} */
  const results = []
  for (let round = 1; round <= rounds; round++) {
    // Each of the three makes its database anew.
    await exec(join(bin, 'psql'), [dev.url, '-qc', 'DROP DATABASE IF EXISTS crm_dev'])
    const copy = await measureCopy(source.href, target.href, { rules: options.rules, jobs })
    const dump = await dumpRestore(bin, source.href, dev.url, directory)
    const relayed = await relay(bin, source.href, dev.url)
    results.push({ copy, dump, relay: relayed })
    console.error(
      `round ${round}: copy ${copy.seconds.toFixed(1)} s (rows ${copy.rowsSeconds.toFixed(1)} s, ${copy.peak.toFixed(0)} MB), dump and restore ${dump.toFixed(1)} s, relay ${relayed.toFixed(1)} s`,
    )
  }
  const copySeconds = median(results.map(({ copy }) => copy.seconds))
  const rowsSeconds = median(results.map(({ copy }) => copy.rowsSeconds))
  const dumpSeconds = median(results.map(({ dump }) => dump))
  const relaySeconds = median(results.map((result) => result.relay))
  const last = results[results.length - 1]
  const summary = {
    scale: Number(options.scale),
    jobs,
    rounds,
    rows: last?.copy.rows,
    bytes: last?.copy.bytes,
    copy_seconds: copySeconds,
    rows_seconds: rowsSeconds,
    dump_restore_seconds: dumpSeconds,
    relay_seconds: relaySeconds,
    ratio_vs_dump_restore: copySeconds / dumpSeconds,
    rows_ratio_vs_relay: rowsSeconds / relaySeconds,
    peak_rss_mb: Math.max(...results.map(({ copy }) => copy.peak)),
    results,
  }
  mkdirSync(join(options.json, '..'), { recursive: true })
  writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`)
  const { results: _, ...shown } = summary
  console.log(JSON.stringify(shown, null, 2))
} finally {
  await production.stop()
  await dev.stop()
  rmSync(directory, { recursive: true, force: true })
}
