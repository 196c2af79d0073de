import type pg from 'pg'
import { Failure, toPlainFailure } from '../errors.ts'
import { openClient, serverFailure } from '../postgres/connect.ts'
import { clientEncoding, joinSnapshot } from '../source/snapshot.ts'
import { runJob, type Job } from './job.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts'

/**
 * A worker process: runs the jobs its parent sends, one after the other, over two sessions of its own.
 * It ends when the channel to the parent closes; the servers then end its sessions and roll back.
 */

let setup: WorkerSetup | undefined
let sessions: Promise<[pg.Client, pg.Client]> | undefined

async function openSessions({ source, target, snapshotId, encoding }: WorkerSetup) {
  const reader = await joinSnapshot(source, snapshotId, encoding)
  const writer = await openClient(target, 'write')
  await writer
    .query(`SET client_encoding = '${clientEncoding(encoding)}'; SET synchronous_commit = off`)
    .catch((error: unknown) => {
      throw serverFailure('sink', `write to ${target.label}`, error)
    })
  return [reader, writer] as [pg.Client, pg.Client]
}

function send(message: FromWorker): void {
  // With a callback, a parent that is gone is no error here: `disconnect` follows.
  if (process.connected) process.send?.(message, () => {})
}

async function work(job: Job): Promise<void> {
  const { id } = job
  try {
    if (!setup) throw new Error('a job came before the setup')
    sessions ??= openSessions(setup)
    const [source, target] = await sessions
    const result = await runJob(job, source, target, (progress) => send({ id, progress }))
    send({ id, result })
  } catch (error) {
    if (error instanceof Failure) send({ id, failure: toPlainFailure(error) })
    else {
      const stack = error instanceof Error ? error.stack : undefined
      send({ id, failure: { kind: 'bug', message: `the worker failed on ${job.table}` }, stack })
    }
  }
}

process.on('message', (message: ToWorker) => {
  if ('setup' in message) setup = message.setup
  else void work(message.job)
})
// The parent decides about signals; a terminal sends them to the whole group.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
