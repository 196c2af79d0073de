import { Failure, toPlainFailure } from '../errors.ts'
import type { FromWorker, JobBase, JobProgress, ToWorker } from './messages.ts'

/** Milliseconds that a worker has for giving up what it is doing. */
const GRACE = 5_000

/**
 * Makes this process a worker: it runs the jobs that its parent sends, each when the one before is done, or nearly, and
 * ends when the channel to the parent closes; servers then end its sessions and roll back.
 *
 * @param open prepares what jobs need, as soon as the parent has told what between; the first job waits for it
 * @param run runs one job with it; `onNearlyDone`: what is left takes little, the next job may begin beside it
 * @param stop has the jobs in hand fail soon, so that they take back what they wrote; without it, nothing is waited for
 */
export function serveJobs<Setup, Session, Job extends JobBase, Result>(
  open: (setup: Setup) => Promise<Session>,
  run: (
    job: Job,
    session: Session,
    onProgress: (progress: JobProgress) => void,
    onNearlyDone: () => void,
  ) => Promise<Result>,
  stop?: () => Promise<void>,
): void {
  let running: Promise<unknown> = Promise.resolve()
  let session: Promise<Session> | undefined

  const send = (message: FromWorker<Result>): void => {
    // With a callback, a parent that is gone is no error here: `disconnect` follows.
    if (process.connected) process.send?.(message, () => {})
  }

  const work = async (job: Job): Promise<void> => {
    const { id } = job
    try {
      if (!session) throw new Error('a job came before the setup')
      const result = await run(
        job,
        await session,
        (progress) => send({ id, progress }),
        () => send({ id, nearlyDone: true }),
      )
      send({ id, result })
    } catch (error) {
      if (error instanceof Failure) send({ id, failure: toPlainFailure(error) })
      else {
        const stack = error instanceof Error ? error.stack : undefined
        send({ id, failure: { kind: 'bug', message: `the worker failed on ${job.table}` }, stack })
      }
    }
  }

  process.on('message', (message: ToWorker<Setup, Job>) => {
    if ('setup' in message) {
      session = open(message.setup)
      session.catch(() => {})
    } else running = Promise.all([running, work(message.job)])
  })
  // The parent decides about signals; a terminal sends them to the whole group.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => {})
  const end = () => process.kill(process.pid, 'SIGKILL')
  process.on('disconnect', () => {
    if (stop) {
      setTimeout(end, GRACE)
      void Promise.allSettled([stop(), running]).then(end)
    } else end()
  })
}
