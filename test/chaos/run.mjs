import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const LONGEST_MS = 180_000

/**
 * @typedef {object} Ended
 * @property {number | null} code null where a signal ended it
 * @property {string} stderr
 * @property {{ event: string, [key: string]: any }[]} events
 * @property {string[]} left files in its temporary directory
 * @property {number} milliseconds
 */

/**
 * Starts `pgveil … --json` with a temporary directory of its own.
 *
 * @param {string[]} args
 * @param {string} parent of the temporary directory
 * @param {NodeJS.ProcessEnv} env
 */
export function startPgveil(args, parent, env) {
  const directory = mkdtempSync(join(parent, 'run-'))
  const child = spawn(process.execPath, [CLI, ...args, '--json'], {
    cwd: directory,
    env: { PATH: process.env['PATH'], HOME: parent, TMPDIR: directory, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  })
  const pid = /** @type {number} */ (child.pid)
  /** @type {Set<number>} */
  const descendants = new Set()
  const watch = setInterval(() => descendantsOf(pid).forEach((each) => descendants.add(each)), 50)
  const started = performance.now()
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  /** @type {Promise<Ended>} */
  const done = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => clearInterval(watch))
    child.once('close', (code) => {
      const milliseconds = performance.now() - started
      noneOf(descendants).then(() => resolve(end(code, milliseconds)), reject)
    })
  })
  /** @param {number | null} code @param {number} milliseconds @returns {Ended} */
  function end(code, milliseconds) {
    const left = readdirSync(directory)
    rmSync(directory, { recursive: true })
    const lines = stdout.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'))
    const events = lines.map((line) => JSON.parse(line))
    return { code, stderr, events, left, milliseconds }
  }
  return { child, pid, descendants, done }
}

/** Waits for processes to end; what is still there after ten seconds shows in what the caller looks at next. */
async function noneOf(/** @type {Set<number>} */ pids) {
  for (let i = 0; i < 200 && [...pids].some(isAlive); i++) await sleep(50)
  const alive = [...pids].filter(isAlive)
  if (alive.length > 0) throw new Error(`processes are still there: ${alive.join()}`)
}

/** @param {number} pid */
function isAlive(pid) {
  return /\) [^Z] /.test(read(`/proc/${pid}/stat`))
}

/** @param {number} root @returns {number[]} */
function descendantsOf(root) {
  /** @type {Map<number, number[]>} */
  const children = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = Number(/\) \S (\d+) /.exec(read(`/proc/${name}/stat`))?.[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const found = [...(children.get(root) ?? [])]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

/** @param {number} pid */
export function commandOf(pid) {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
