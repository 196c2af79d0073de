// npm run bench:backup: a sealed backup and its restore against what people do without it, in one run.
//
//   pgveil backup --jobs 2 to a directory, digests, signature and expected values included
//   (a) pg_dump -Fc | gpg --encrypt to two recipients
//   (b) pg_dump | zstd -1 -T2 | gpg --encrypt --compress-algo none
//   pgveil restore --jobs 2, compared with the manifest, against gpg -d | pg_restore of (a), indexes included
//
// Rounds alternate, so that whatever else the machine does meets all of them, and each of the first three begins one round
// in three.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { bootstrap, ROOT } from '../bootstrap.mjs'
import { startPostgres } from '../embedded-postgres.mjs'
import { readOptions } from '../options.mjs'
import { fillSampleCrm } from '../sample-crm/fill.mjs'
import { findBinaries } from './binaries.mjs'
import { measure, median, settle } from './measure.mjs'
import { writeTrial } from './trial-keys.mjs'

const { values: options } = readOptions(import.meta.url, {
  options: {
    scale: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '5' },
    jobs: { type: 'string', default: '2' },
    bin: { type: 'string' },
    json: { type: 'string', default: join(ROOT, 'bench-results', 'backup.json') },
  },
})
const exec = promisify(execFile)

/** @param {string} script @param {NodeJS.ProcessEnv} env @returns {Promise<number>} seconds */
async function timed(script, env) {
  settle()
  const started = performance.now()
  // Every stage counts: one that fails must not look fast.
  await exec('bash', ['-c', `set -euo pipefail; ${script}`], { env: { ...process.env, ...env } })
  return (performance.now() - started) / 1000
}

bootstrap()
const bin = findBinaries(options.bin)
const settings = { shared_buffers: '256MB', max_wal_size: '4GB' }
const production = await startPostgres({ bin, settings })
const other = await startPostgres({ bin, settings })
// gpg's socket wants a short path.
const directory = mkdtempSync(join(tmpdir(), 'pgv-'))
const gnupg = join(directory, 'g')
try {
  const source = production.url.replace(/postgres$/, 'crm')
  const target = other.url.replace(/postgres$/, 'crm_back')
  await exec(join(bin, 'psql'), [production.url, '-qc', 'CREATE DATABASE crm TEMPLATE template0'])
  console.error(`filling production at scale ${options.scale}`)
  await fillSampleCrm(source, { scale: Number(options.scale), seed: 1 })
  await exec(join(bin, 'psql'), [source, '-qc', 'VACUUM'])
  // pg_restore fails without the roles that policies name; pgveil makes them itself.
  const { stdout: roles } = await exec(join(bin, 'psql'), [
    production.url,
    '-Atc',
    "SELECT format('CREATE ROLE %I;', rolname) FROM pg_roles WHERE rolname !~ '^(pg_|postgres$)'",
  ])
  if (roles.trim()) await exec(join(bin, 'psql'), [other.url, '-qc', roles])

  const { custodians, publicKeys } = await writeTrial(directory, source, { directory: 'store' })
  mkdirSync(gnupg, { mode: 0o700 })
  const env = { GNUPGHOME: gnupg, PATH: `${bin}:${process.env['PATH']}` }
  await exec('gpg', ['--batch', '--quiet', '--import', ...publicKeys, custodians[0] ?? ''], {
    env: { ...process.env, ...env },
  })
  const encrypt = 'gpg --batch --quiet --yes --trust-model always -r operations -r offline'
  const dumped = join(directory, 'a.gpg')
  const compressed = join(directory, 'b.gpg')
  const store = join(directory, 'store')
  const common = [`--config=${join(directory, 'pgveil.yaml')}`, `--jobs=${options.jobs}`]
  const keys = custodians.map((path) => `--key=${path}`)

  /**
   * @typedef {{ backup: number, backupPeak: number, a: number, b: number, restore: number, restorePeak: number,
   *   aRestore: number, bytes: number, stored: number, backupPhases: object, restorePhases: object,
   *   sizes: { a: number, b: number } }} Round
   */
  /** @type {Round[]} */
  const results = []
  for (let round = 1; round <= Number(options.rounds); round++) {
    mkdirSync(store, { mode: 0o700 })
    const makers = [
      () => measure(['backup', ...common]),
      () => timed(`pg_dump -Fc '${source}' | ${encrypt} -o ${dumped} --encrypt`, env),
      () =>
        timed(
          `pg_dump '${source}' | zstd -q -1 -T2 | ${encrypt} --compress-algo none -o ${compressed} --encrypt`,
          env,
        ),
    ]
    /** @type {any[]} */
    const made = []
    // What comes first follows the restores, which leave a machine busy, or a shared one out of favour.
    for (let i = 0; i < makers.length; i++) {
      const turn = (i + round - 1) % makers.length
      made[turn] = await makers[turn]?.()
    }
    const [backup, a, b] = made
    const restore = await measure(['restore', ...common, ...keys, `--target=${target}`])
    await exec(join(bin, 'psql'), [other.url, '-qc', 'DROP DATABASE crm_back'])
    await exec(join(bin, 'psql'), [other.url, '-qc', 'CREATE DATABASE crm_a TEMPLATE template0'])
    const aTarget = other.url.replace(/postgres$/, 'crm_a')
    const aRestore = await timed(
      `gpg --batch --quiet -d ${dumped} | pg_restore --exit-on-error -d '${aTarget}'`,
      env,
    )
    await exec(join(bin, 'psql'), [other.url, '-qc', 'DROP DATABASE crm_a'])
    const sizes = { a: statSync(dumped).size, b: statSync(compressed).size }
    results.push({
      backup: backup.seconds,
      backupPeak: backup.peak,
      a,
      b,
      restore: restore.seconds,
      restorePeak: restore.peak,
      aRestore,
      bytes: backup.report.bytes,
      stored: backup.report.stored,
      backupPhases: backup.report.phases,
      restorePhases: restore.report.phases,
      sizes,
    })
    rmSync(store, { recursive: true })
    console.error(
      `round ${round}: backup ${backup.seconds.toFixed(1)} s (${backup.peak.toFixed(0)} MB), (a) ${a.toFixed(1)} s, (b) ${b.toFixed(1)} s; restore ${restore.seconds.toFixed(1)} s (${restore.peak.toFixed(0)} MB), (a) ${aRestore.toFixed(1)} s`,
    )
  }
  /** @param {(result: Round) => number} pick */
  const middle = (pick) => median(results.map(pick))
  const last = results[results.length - 1]
  const summary = {
    scale: Number(options.scale),
    jobs: Number(options.jobs),
    rounds: results.length,
    bytes: last?.bytes,
    stored: last?.stored,
    sizes: last?.sizes,
    backup_seconds: middle((r) => r.backup),
    a_seconds: middle((r) => r.a),
    b_seconds: middle((r) => r.b),
    backup_ratio_vs_dump_gpg: middle((r) => r.backup) / middle((r) => r.a),
    backup_ratio_vs_dump_zstd_gpg: middle((r) => r.backup) / middle((r) => r.b),
    restore_seconds: middle((r) => r.restore),
    a_restore_seconds: middle((r) => r.aRestore),
    restore_ratio_vs_gpg_pg_restore: middle((r) => r.restore) / middle((r) => r.aRestore),
    peak_rss_mb: Math.max(...results.flatMap((r) => [r.backupPeak, r.restorePeak])),
    results,
  }
  mkdirSync(join(options.json, '..'), { recursive: true })
  writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`)
  const { results: _, ...shown } = summary
  console.log(JSON.stringify(shown, null, 2))
} finally {
  await exec('gpgconf', ['--kill', 'all'], {
    env: { ...process.env, GNUPGHOME: gnupg },
  }).catch(() => {})
  await production.stop()
  await other.stop()
  rmSync(directory, { recursive: true, force: true })
}
