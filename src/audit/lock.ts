import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { link, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../errors.ts'

/** Who holds a lock. Times of a process and its machine tell a process from another that got its number later. */
export interface LockOwner {
  token: string
  pid: number
  host: string
  /** Changes when the machine starts; empty where the system does not tell. */
  boot: string
  /** Namespace that the number of the process counts in; empty likewise. */
  namespace: string
  /** When the process started, in ticks since the machine did; empty likewise. */
  started: string
  /** When the lock was taken: ISO 8601, UTC. */
  since: string
}

export interface LockOptions {
  /** Milliseconds to wait for it. */
  wait: number
  /** Milliseconds after which a holder whose process cannot be looked at, and that gave no sign, counts as dead. */
  patience: number
}

/** A lock that is held. */
export interface Lock {
  /** Idempotent. */
  release(): Promise<void>
}

const POLL_MS = 25

/** Milliseconds after which one that died while it took a stale lock away is not waited for. */
const BREAKING_MS = 10_000

/**
 * Takes a lock, a file that names its owner. That of a process that died is taken over: by number, start and
 * machine where the process can be looked at, else when its holder has given no sign for a while.
 *
 * @returns undefined where somebody else holds it to the end of the wait
 * @throws NodeJS.ErrnoException where the directory cannot be written
 */
export async function takeLock(path: string, options: LockOptions): Promise<Lock | undefined> {
  const owner: LockOwner = {
    token: randomUUID(),
    ...thisProcess(),
    since: new Date().toISOString(),
  }
  const own = `${path}.${owner.token}`
  const until = performance.now() + options.wait
  await writeFile(own, `${JSON.stringify(owner)}\n`, { flag: 'wx', mode: 0o600 })
  try {
    for (;;) {
      if (await linked(own, path)) return held(path, owner, options.patience)
      if (await isStale(path, options.patience)) await breakLock(own, path, options.patience)
      else if (performance.now() >= until) return undefined
      else await sleep(POLL_MS)
    }
  } finally {
    await unlink(own)
  }
}

/** Who holds a lock; undefined where nobody does, or nobody can tell. */
export async function lockOwner(path: string): Promise<LockOwner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LockOwner
  } catch {
    return undefined
  }
}

/** Makes a second name of a file, which is atomic: true where that name was free. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function held(path: string, owner: LockOwner, patience: number): Lock {
  const sign = setInterval(() => {
    const now = new Date()
    // Not being able to say that one lives is no reason to stop.
    utimes(path, now, now).catch(() => undefined)
  }, patience / 4).unref()
  let over = false
  return {
    async release() {
      if (over) return
      over = true
      clearInterval(sign)
      if ((await lockOwner(path))?.token === owner.token) await unlink(path)
    },
  }
}

/** One at a time, and after a second look: or of two that found it stale one would take away the other's new lock. */
async function breakLock(own: string, path: string, patience: number): Promise<void> {
  const breaking = `${path}.breaking`
  if (!(await linked(own, breaking))) {
    const age = await ageOf(breaking)
    if (age !== undefined && age > BREAKING_MS) await unlink(breaking).catch(ignoreMissing)
    else await sleep(POLL_MS)
    return
  }
  try {
    if (await isStale(path, patience)) await unlink(path).catch(ignoreMissing)
  } finally {
    await unlink(breaking).catch(ignoreMissing)
  }
}

async function isStale(path: string, patience: number): Promise<boolean> {
  const age = await ageOf(path)
  if (age === undefined) return false
  const owner = await lockOwner(path)
  const here = thisProcess()
  if (owner && owner.host === here.host && owner.boot === here.boot) {
    if (owner.namespace === here.namespace) return !isAlive(owner)
  } else if (owner && owner.host === here.host && here.boot !== '' && owner.boot !== '') {
    return true
  }
  return age > patience
}

/** Milliseconds since somebody gave a sign; undefined where there is no such file. */
async function ageOf(path: string): Promise<number | undefined> {
  try {
    return Date.now() - (await stat(path)).mtimeMs
  } catch (error) {
    ignoreMissing(error)
    return undefined
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}

function isAlive({ pid, started }: LockOwner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, and is another user's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return started === '' || started === startOf(pid)
}

function thisProcess(): Omit<LockOwner, 'token' | 'since'> {
  return {
    pid: process.pid,
    host: hostname(),
    boot: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
    started: startOf(process.pid),
  }
}

/** Field 22 of proc(5)'s stat; the name of the command, field 2, may hold blanks and parentheses. */
function startOf(pid: number): string {
  return orEmpty(() => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  })
}

function orEmpty(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}

/** How a person finds the holder. */
export function describeOwner(owner: LockOwner | undefined): string {
  if (!owner) return 'somebody'
  return `process ${owner.pid} on ${owner.host} since ${owner.since.slice(0, 19)}Z`
}

/** A lock that somebody keeps holding. */
export function lockedBy(path: string, owner: LockOwner | undefined): Failure {
  return new Failure('refused', `${path} is held by ${describeOwner(owner)}`, {
    hint: 'wait for it to end; if that process is not there any more, remove the file',
  })
}
