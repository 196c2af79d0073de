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

test('a worker takes its next job when the one before is nearly done, and no more', async () => {
  // Job 1 ends when job 2 is there, job 2 when it is told of job 1's end.
  const pool = poolOf(`
    const seen = []
    process.on('message', ({ job }) => {
      seen.push(job.id)
      if (job.id === 1) process.send({ id: 1, nearlyDone: true })
      if (job.id === 2) {
        process.send({ id: 1, result: 'first, seen ' + seen })
        setTimeout(() => process.send({ id: 2, result: 'second, seen ' + seen }), 300)
      }
      if (job.id === 3) process.send({ id: 3, result: 'third, by another worker: seen ' + seen })
    })
  `)
  const ids: number[] = []
  const job = (id: number) => ({ id, table: 'contacts' })
  let second: Promise<string> | undefined
  const first = pool.run(
    job(1),
    () => {},
    () => {
      second = pool.run(job(2), () => {})
    },
  )
  expect(await first).toBe('first, seen 1,2')
  ids.push(...pool.pids)
  const third = pool.run(job(3), () => {})
  expect(await third).toBe('third, by another worker: seen 3')
  expect(await second).toBe('second, seen 1,2')
  expect(ids).toHaveLength(1)
  expect(pool.pids).toHaveLength(2)
  await pool.close()
}, 10_000)

test('a worker that dies over two jobs fails both', async () => {
  const pool = poolOf(`
    process.on('message', ({ job }) => {
      if (job.id === 1) process.send({ id: 1, nearlyDone: true })
      else process.exit(3)
    })
  `)
  const ended = { message: 'a worker process ended by itself (exit code 3)' }
  let second: Promise<string> | undefined
  const job = (id: number) => ({ id, table: 'contacts' })
  const first = pool.run(
    job(1),
    () => {},
    () => {
      second = pool.run(job(2), () => {})
      second.catch(() => {})
    },
  )
  await expect(first).rejects.toMatchObject(ended)
  await expect(second).rejects.toMatchObject(ended)
  await pool.close()
}, 5_000)
