import type { PlainFailure } from '../errors.ts'

/** How far a job is, as it goes. */
export interface JobProgress {
  rows: number
  bytes: number
}

/** What every job has. Plain data that means the same on any machine. */
export interface JobBase {
  id: number
  /** For people: what it works on. */
  table: string
}

export type ToWorker<Setup, Job> = { setup: Setup } | { job: Job }

export type FromWorker<Result> =
  | { id: number; progress: JobProgress }
  /** What is left of the job takes little: the next one may come. */
  | { id: number; nearlyDone: true }
  | { id: number; result: Result }
  | { id: number; failure: PlainFailure; stack?: string | undefined }
