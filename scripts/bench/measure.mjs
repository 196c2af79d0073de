import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../bootstrap.mjs'

/**
 * Resident memory of a process and all below it that are ours (node), in MB.
 *
 * @param {number} root
 */
function residentMegabytes(root) {
  /** @type {Map<number, number>} */
  const parents = new Map()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // it ended meanwhile
    }
  }
  let sum = 0
  for (const pid of parents.keys()) {
    let ancestor = pid
    while (ancestor !== root && parents.has(ancestor)) ancestor = parents.get(ancestor) ?? 0
    if (ancestor !== root) continue
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8')
      sum += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
    } catch {
      // it ended meanwhile
    }
  }
  return sum
}

/**
 * Runs pgveil with `--json` and watches it.
 *
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export async function measure(args, options = {}) {
  const started = performance.now()
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli.js'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  let peak = 0
  // Looking at all processes takes time that the run then lacks: not too often.
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
