import type pg from 'pg'
import { serveJobs } from '../jobs/serve.ts'
import { openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { clientEncoding, joinSnapshot, type Joining } from '../source/snapshot.ts'
import { runJob, type Job, type JobResult } from './job.ts'

/** What a worker needs before its first job. Sent over the IPC channel: passwords never become arguments. */
export interface CopySetup extends Joining {
  source: Endpoint
  target: Endpoint
}

interface Sessions {
  reader: pg.Client
  writer: pg.Client
}

async function openSessions({ source, target, ...joining }: CopySetup): Promise<Sessions> {
  const reader = await joinSnapshot(source, joining)
  const writer = await openClient(target, 'write')
  await writer
    .query(
      `SET client_encoding = '${clientEncoding(joining.encoding)}'; SET synchronous_commit = off`,
    )
    .catch((error: unknown) => {
      throw serverFailure('sink', `write to ${target.label}`, error)
    })
  return { reader, writer }
}

serveJobs<CopySetup, Sessions, Job, JobResult>(openSessions, (job, { reader, writer }, progress) =>
  runJob(job, reader, writer, progress),
)
