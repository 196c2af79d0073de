import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { OWNER, PREFIX, removeLeftovers } from '../../../src/verify/leftovers.ts'

let parent: string

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'pgveil-leftovers-'))
})

afterEach(() => rmSync(parent, { recursive: true }))

function leave(name: string, owner: number | undefined): string {
  const directory = join(parent, `${PREFIX}${name}`)
  mkdirSync(join(directory, 'data'), { recursive: true })
  if (owner !== undefined) writeFileSync(join(directory, OWNER), `${owner}\n`)
  return directory
}

/** Of a process that was. */
async function deadPid(): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid ?? 0
}

test('what a dead run has left goes; what belongs to a living one, or is being made, stays', async () => {
  const dead = leave('dead', await deadPid())
  const alive = leave('alive', process.pid)
  const young = leave('young', undefined)
  const other = join(parent, 'something-else')
  mkdirSync(other)
  expect(removeLeftovers(parent, {})).toEqual([dead])
  expect([dead, alive, young, other].map((path) => existsSync(path))).toEqual([
    false,
    true,
    true,
    true,
  ])
})

test('a link that somebody has put there leads nowhere', async () => {
  const precious = mkdtempSync(join(tmpdir(), 'pgveil-precious-'))
  try {
    writeFileSync(join(precious, OWNER), `${await deadPid()}\n`)
    symlinkSync(precious, join(parent, `${PREFIX}link`))
    expect(removeLeftovers(parent, {})).toEqual([])
    expect(existsSync(join(precious, OWNER))).toBe(true)
  } finally {
    rmSync(precious, { recursive: true })
  }
})

test('the process whose number the server had is left alone', async () => {
  const bystander = spawn('sleep', ['20'])
  try {
    const directory = leave('reused', await deadPid())
    writeFileSync(join(directory, 'data', 'postmaster.pid'), `${bystander.pid}\n`)
    expect(removeLeftovers(parent, {})).toEqual([directory])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull()
  } finally {
    bystander.kill('SIGKILL')
  }
})
