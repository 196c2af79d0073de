// npm run bench:verify: what a restore test costs over the restore alone.
//
//   pgveil restore --jobs 2, compared with the manifest, to a server that is there
//   pgveil verify --jobs 2: its own server, the same restore, every row read again, amcheck, every constraint, the verdict
//
// Rounds alternate, so that whatever else the machine does meets both of them.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { bootstrap, ROOT } from '../bootstrap.mjs'
import { startPostgres } from '../embedded-postgres.mjs'
import { readOptions } from '../options.mjs'
import { fillSampleCrm } from '../sample-crm/fill.mjs'
import { median, settle } from './measure.mjs'
import { writeTrial } from './trial-keys.mjs'

const { values: options } = readOptions(import.meta.url, {
  options: {
    scale: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string', default: '2' },
    json: { type: 'string', default: join(ROOT, 'bench-results', 'verify.json') },
  },
})

/**
 * @param {string[]} args
 * @returns {Promise<{ seconds: number, events: any[] }>}
 */
async function pgveil(args) {
  settle()
  const started = performance.now()
  const command = [join(ROOT, 'dist', 'cli.js'), ...args, '--json']
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 2 ** 28 })
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { seconds: (performance.now() - started) / 1000, events }
}

/** @param {string} url @param {string} sql */
async function execute(url, sql) {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(sql)
  await client.end()
}

bootstrap()
const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const production = await startPostgres({ settings })
const other = await startPostgres({ settings })
const directory = mkdtempSync(join(tmpdir(), 'pgveil-bench-'))
try {
  const source = production.url.replace(/postgres$/, 'crm')
  const target = other.url.replace(/postgres$/, 'crm_back')
  await execute(production.url, 'CREATE DATABASE crm TEMPLATE template0')
  console.error(`filling production at scale ${options.scale}`)
  await fillSampleCrm(source, { scale: Number(options.scale), seed: 1 })
  const { custodians } = await writeTrial(directory, source, { directory: 'store' })
  mkdirSync(join(directory, 'store'), { mode: 0o700 })
  /** @type {typeof import('../../src/seal/generate.ts')} */
  const { generateKey } = await import(join(ROOT, 'dist', 'seal', 'generate.js'))
  const verdicts = await generateKey({ name: 'verdicts', use: 'sign' })
  writeFileSync(join(directory, 'keys', 'verdicts.public.asc'), verdicts.publicKey)
  writeFileSync(join(directory, 'keys', 'verdicts.private.asc'), verdicts.privateKey, {
    mode: 0o600,
  })
  const config = join(directory, 'pgveil.yaml')
  const written = {
    ...JSON.parse(readFileSync(config, 'utf8')),
    state: 'state',
    verify: {
      key: 'keys/verifier.private.asc',
      signingKey: 'keys/verdicts.private.asc',
      signer: 'keys/verdicts.public.asc',
    },
  }
  writeFileSync(config, JSON.stringify(written, null, 2))
  const common = [`--config=${config}`, `--jobs=${options.jobs}`]
  const backup = await pgveil(['backup', ...common])
  const keys = custodians.map((path) => `--key=${path}`)
  const results = []
  for (let round = 1; round <= Number(options.rounds); round++) {
    const restore = await pgveil(['restore', ...common, ...keys, `--target=${target}`])
    await execute(other.url, 'DROP DATABASE crm_back')
    const verify = await pgveil(['verify', ...common, '--no-record'])
    const { verdict } = verify.events.find(({ event }) => event === 'verdict')
    const steps = Object.fromEntries(
      verdict.steps.map((/** @type {any} */ { step, seconds }) => [step, seconds]),
    )
    results.push({ restore: restore.seconds, verify: verify.seconds, steps })
    console.error(
      `round ${round}: restore ${restore.seconds.toFixed(1)} s, verify ${verify.seconds.toFixed(1)} s`,
      steps,
    )
  }
  const { report } = backup.events.find(({ event }) => event === 'backup')
  const restore = median(results.map((round) => round.restore))
  const verify = median(results.map((round) => round.verify))
  const summary = {
    scale: Number(options.scale),
    jobs: Number(options.jobs),
    rounds: results.length,
    bytes: report.bytes,
    rows: report.rows,
    restore_seconds: restore,
    verify_seconds: verify,
    verify_ratio_vs_restore: verify / restore,
  }
  mkdirSync(dirname(options.json), { recursive: true })
  writeFileSync(options.json, `${JSON.stringify({ ...summary, results }, null, 2)}\n`)
  console.log(JSON.stringify(summary, null, 2))
} finally {
  await production.stop()
  await other.stop()
  rmSync(directory, { recursive: true, force: true })
}
