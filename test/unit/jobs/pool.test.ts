import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { WorkerPool } from '../../../src/jobs/pool.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-pool-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function poolOf(program: string): WorkerPool<object, { id: number; table: string }, string> {
  const path = join(directory, 'worker.mjs')
  writeFileSync(path, program)
  return new WorkerPool(path, 1)
}

test('a worker that dies before it has a job fails the next one, instead of leaving it without an answer', async () => {
  const pool = poolOf('setInterval(() => {}, 1000)')
  const [pid] = pool.pids
  process.kill(pid as number, 'SIGKILL')
  await sleep(500)
  await expect(pool.run({ id: 1, table: 'contacts' }, () => {})).rejects.toMatchObject({
    kind: 'bug',
    message: 'a worker process ended by itself (signal SIGKILL)',
  })
  await pool.close()
}, 5_000)

test('a worker that dies over a job fails it', async () => {
  const pool = poolOf(`process.on('message', () => process.exit(3))`)
  await expect(pool.run({ id: 1, table: 'contacts' }, () => {})).rejects.toMatchObject({
    message: 'a worker process ended by itself (exit code 3)',
  })
  await pool.close()
}, 5_000)
