import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Identity } from './identity.ts'

/** Begins the name of every directory with a scratch server. */
export const PREFIX = 'pgveil-scratch-'

/** In it: the process that made the directory. */
export const OWNER = 'owner'

/** Milliseconds in which a directory gets its owner. */
const GRACE = 60_000

/**
 * Removes what runs have left that were killed together with the shell that watches over their server: that server, and
 * its directory.
 *
 * @param parent directory of such directories
 * @param identity whom such servers run as; only what is this user's, or that one's, is touched
 * @returns paths of what is gone
 */
export function removeLeftovers(parent: string, identity: Identity): string[] {
  const mine = new Set([process.getuid?.(), identity.uid])
  const removed: string[] = []
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue
    const directory = join(parent, name)
    try {
      const stat = lstatSync(directory)
      if (!stat.isDirectory() || !mine.has(stat.uid)) continue
      const owner = firstNumber(join(directory, OWNER))
      // One that is being made has no owner yet.
      if (isAlive(owner) || (Number.isNaN(owner) && Date.now() - stat.ctimeMs < GRACE)) continue
      endServer(directory)
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
      removed.push(directory)
    } catch {
      // It goes while we look: its own shell is at work.
    }
  }
  return removed
}

function firstNumber(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10)
  } catch {
    return Number.NaN
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 1) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A number in a file may be another process's by now: its command line tells. */
function endServer(directory: string): void {
  const data = join(directory, 'data')
  const pid = firstNumber(join(data, 'postmaster.pid'))
  if (!isAlive(pid)) return
  const command = execFileSync('ps', ['-o', 'args=', '-p', String(pid)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (command.includes(data)) process.kill(pid, 'SIGQUIT')
}
