import type { PlainFailure } from '../errors.ts'
import type { Endpoint } from '../postgres/connect.ts'
import type { Job, JobProgress, JobResult } from './job.ts'

/** What a worker needs before its first job. Sent over the IPC channel: passwords never become arguments. */
export interface WorkerSetup {
  source: Endpoint
  target: Endpoint
  snapshotId: string
  encoding: string
}

export type ToWorker = { setup: WorkerSetup } | { job: Job }

export type FromWorker =
  | { id: number; progress: JobProgress }
  | { id: number; result: JobResult }
  | { id: number; failure: PlainFailure; stack?: string | undefined }
