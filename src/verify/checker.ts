import { fileURLToPath } from 'node:url'
import pLimit, { type LimitFunction } from 'p-limit'
import type { LoadSetup } from '../backup/load-session.ts'
import type { Loaders } from '../backup/loading.ts'
import { WorkerPool } from '../jobs/pool.ts'
import type { CheckJob, CheckResult } from './job.ts'

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

type WithoutId<T> = T extends CheckJob ? Omit<T, 'id'> : never

/** Worker processes that restore a database and then look at it, a few things at a time. They start at once. */
export class Checker {
  readonly #pool: WorkerPool<LoadSetup, CheckJob, CheckResult>
  readonly #limit: LimitFunction
  #id = 0

  constructor(jobs: number) {
    this.#pool = new WorkerPool(WORKER, jobs)
    this.#limit = pLimit(jobs)
  }

  /** The same processes, for what comes before there is anything to check. */
  get loaders(): Loaders {
    // Their program takes jobs of both kinds, and answers each in its kind.
    return this.#pool as unknown as Loaders
  }

  /** Runs a job when its turn comes. */
  run(job: WithoutId<CheckJob>): Promise<CheckResult> {
    return this.#limit(() => this.#pool.run({ ...job, id: this.#id++ } as CheckJob, () => {}))
  }

  async close(): Promise<void> {
    this.#limit.clearQueue()
    await this.#pool.close()
  }
}
