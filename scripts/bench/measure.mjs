import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../bootstrap.mjs'

/**
 * Resident memory of a process and all below it that are ours (node), in MB. Only these are looked at: reading all of
 * /proc would take processor time from what is measured.
 *
 * @param {number} root
 * @returns {number}
 */
function residentMegabytes(root) {
  try {
    const status = readFileSync(`/proc/${root}/status`, 'utf8')
    const own = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
    return childrenOf(root).reduce((sum, pid) => sum + residentMegabytes(pid), own)
  } catch {
    return 0 // it ended meanwhile
  }
}

/** @param {number} pid @returns {number[]} of all its threads: each has those that it began */
function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    const pids = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
    return pids.split(' ').filter(Boolean).map(Number)
  })
}

/** What was done before is written to the disk before the next thing is measured, and not at its expense. */
export function settle() {
  execFileSync('sync')
}

/**
 * Runs pgveil with `--json` and watches it.
 *
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function measure(args, options = {}) {
  settle()
  const started = performance.now()
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  let peak = 0
  const sampler = setInterval(() => {
    peak = Math.max(peak, residentMegabytes(child.pid ?? 0))
  }, 400)
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(sampler)
  if (code !== 0) throw new Error(`pgveil ${args[0]} ended with ${code}\n${output.slice(-2000)}`)
  const events = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const { report } = events.find((event) => event.report !== undefined)
  return { seconds: (performance.now() - started) / 1000, peak, report }
}

/**
 * Runs a real `pgveil copy` and watches it.
 *
 * @param {string} source
 * @param {string} target
 * @param {{ rules: string, jobs: number }} options
 */
export async function measureCopy(source, target, { rules, jobs }) {
  const urls = [`--source=${source}`, `--target=${target}`]
  const { seconds, peak, report } = await measure([
    'copy',
    ...urls,
    `--rules=${rules}`,
    `--jobs=${jobs}`,
  ])
  return {
    seconds,
    rowsSeconds: report.phases.rows,
    phases: report.phases,
    rows: report.rows,
    bytes: report.bytes,
    peak,
  }
}

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
