import { fileURLToPath } from 'node:url'
import pLimit, { type LimitFunction } from 'p-limit'
import { digestKeyOf } from '../backup/secrets.ts'
import type { ManifestSource } from '../backup/manifest.ts'
import { WorkerPool } from '../jobs/pool.ts'
import type { Endpoint } from '../postgres/connect.ts'
import type { Secret } from '../seal/secret.ts'
import type { CheckJob, CheckResult } from './job.ts'
import type { CheckSetup } from './worker.ts'

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

type WithoutId<T> = T extends CheckJob ? Omit<T, 'id'> : never

/** Worker processes that look at the restored database, a few things at a time. They start at once. */
export class Checker {
  readonly #pool: WorkerPool<CheckSetup, CheckJob, CheckResult>
  readonly #limit: LimitFunction
  #id = 0

  constructor(jobs: number) {
    this.#pool = new WorkerPool(WORKER, jobs)
    this.#limit = pLimit(jobs)
  }

  connect(endpoint: Endpoint, { encoding, lcMonetary }: ManifestSource, secret: Secret): void {
    const digestKey = digestKeyOf(secret)
    this.#pool.connect({ endpoint, encoding, lcMonetary, digestKey })
    digestKey.fill(0)
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
