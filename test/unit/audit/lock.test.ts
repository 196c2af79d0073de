import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from '@jest/globals'
import { lockOwner, takeLock, type LockOwner } from '../../../src/audit/lock.ts'

const ROOT = mkdtempSync(join(tmpdir(), 'pgveil-lock-'))
afterAll(() => rmSync(ROOT, { recursive: true }))
const NO_WAIT = { wait: 0, patience: 60_000 }

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(ROOT, 'a-')), 'lock')
})

/** A lock of this process, changed into one of another. */
async function lockOf(change: Partial<LockOwner>, minutesAgo = 0): Promise<void> {
  const lock = await takeLock(path, NO_WAIT)
  const owner = { ...(await lockOwner(path)), ...change, token: 'of another' }
  await lock?.release()
  writeFileSync(path, JSON.stringify(owner))
  const then = Date.now() / 1000 - minutesAgo * 60
  utimesSync(path, then, then)
}

async function isTaken(): Promise<boolean> {
  const lock = await takeLock(path, NO_WAIT)
  await lock?.release()
  return lock !== undefined
}

test('one holds it, until it is released', async () => {
  const lock = await takeLock(path, NO_WAIT)
  expect(await takeLock(path, NO_WAIT)).toBeUndefined()
  expect(await takeLock(path, { wait: 60, patience: 60_000 })).toBeUndefined()
  const waiting = takeLock(path, { wait: 10_000, patience: 60_000 })
  await lock?.release()
  await lock?.release()
  const second = await waiting
  expect(second).toBeDefined()
  expect((await lockOwner(path))?.pid).toBe(process.pid)
  await second?.release()
  expect(readdirSync(join(path, '..'))).toEqual([])
})

test('that of a process that is gone is taken over', async () => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  await lockOf({ pid })
  expect(await isTaken()).toBe(true)
})

test('that of a process that lives is not, however old', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  try {
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] as string
    await lockOf({ pid: child.pid as number, started }, 600)
    expect(await isTaken()).toBe(false)
    await lockOf({ pid: child.pid as number, started: '1' })
    expect(await isTaken()).toBe(true)
  } finally {
    child.kill('SIGKILL')
  }
})

test.each([
  ['of a machine that has started anew', { boot: 'another' }, 0, true],
  ['of another machine that gave a sign', { host: 'another' }, 0, false],
  ['of another machine that gave none', { host: 'another' }, 2, true],
  [
    'of another container on this machine that gave a sign',
    { namespace: 'pid:[1]', pid: 999_999 },
    0,
    false,
  ],
  ['of another container on this machine that gave none', { namespace: 'pid:[1]' }, 2, true],
])('that %s', async (_, change, minutesAgo, taken) => {
  await lockOf(change, minutesAgo)
  expect(await isTaken()).toBe(taken)
})

test('one that nobody can read is waited for, then taken', async () => {
  writeFileSync(path, '{')
  expect(await isTaken()).toBe(false)
  const then = Date.now() / 1000 - 120
  utimesSync(path, then, then)
  expect(await isTaken()).toBe(true)
})

test('of many that find it stale one takes it', async () => {
  for (let round = 0; round < 5; round++) {
    await lockOf({ boot: 'another' })
    const locks = await Promise.all(Array.from({ length: 20 }, () => takeLock(path, NO_WAIT)))
    const held = locks.filter((lock) => lock !== undefined)
    expect(held).toHaveLength(1)
    await held[0]?.release()
    expect(existsSync(path)).toBe(false)
  }
})

test('a release does not take another one’s lock away', async () => {
  const lock = await takeLock(path, NO_WAIT)
  writeFileSync(path, JSON.stringify({ token: 'of another' }))
  await lock?.release()
  expect(existsSync(path)).toBe(true)
})

test('where nothing can be written it says so', async () => {
  await expect(takeLock(join(ROOT, 'missing', 'lock'), NO_WAIT)).rejects.toMatchObject({
    code: 'ENOENT',
  })
})
