import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Failure, fromPlainFailure } from '../errors.ts'
import type { FromWorker, JobBase, JobProgress, ToWorker } from './messages.ts'
import { sendSecret } from './secret-pipe.ts'

/**
 * The young generation stays small: rows never become objects, so little is young for long. The old one may grow to
 * ten times what lives in it, some ten megabytes, before V8 looks through all of it: blocks of bytes that lie outside
 * count as its growth, and an upload to S3 had it look fifty times.
 */
const WORKER_FLAGS = [
  '--max-semi-space-size=2',
  '--heap-growing-percent=900',
  '--disable-warning=ExperimentalWarning',
]

interface Running<Result> {
  resolve(result: Result): void
  reject(error: unknown): void
  onProgress(progress: JobProgress): void
  onNearlyDone(): void
  /** Its worker is idle but for it. */
  nearlyDone: boolean
}

interface Worker<Result> {
  child: ChildProcess
  /** By their ids: one, and another that is nearly done. */
  readonly running: Map<number, Running<Result>>
}

/** Milliseconds after which a worker that was to end by itself is ended. */
const PATIENCE = 7_000

/** Worker processes that run jobs, each one at a time, the next one beside the end of the one before. */
export class WorkerPool<Setup, Job extends JobBase, Result> {
  readonly #program: string
  readonly #args: readonly string[]
  readonly #patience: number
  #setup: Setup | undefined
  readonly #workers: Worker<Result>[] = []
  readonly #idle: Worker<Result>[] = []
  #closed = false
  /** What the first worker that ended by itself leaves to be said: one in its place would lack the secret. */
  #died: Failure | undefined

  /**
   * Starts `count` workers, so that they are there when there is something to do.
   *
   * @param program path of a script that calls `serveJobs`
   * @param options `tidy`: its workers take back what they wrote when they are to end, and are waited for; `args`:
   *   arguments of the program, which every user of the machine can see
   */
  constructor(
    program: string,
    count: number,
    { tidy = false, args = [] }: { tidy?: boolean; args?: readonly string[] } = {},
  ) {
    this.#program = program
    this.#args = args
    this.#patience = tidy ? PATIENCE : 0
    for (let i = 0; i < count; i++) this.#idle.push(this.#start())
  }

  /** Tells the workers what to work between; comes before the first job. */
  connect(setup: Setup): void {
    this.#setup = setup
    for (const { child } of this.#workers) child.send({ setup } satisfies ToWorker<Setup, Job>)
  }

  /**
   * Hands every worker a secret, which the caller may overwrite afterwards; once, and before the first job. Workers take
   * it with `receiveSecret`.
   */
  async tell(secret: Buffer): Promise<void> {
    await Promise.all(this.#workers.map(({ child }) => sendSecret(child.stdio, secret)))
  }

  /**
   * Runs a job on an idle worker, or on a new one: the caller limits how many run at once.
   *
   * @param onNearlyDone called, at times, before the job is done: the worker is idle but for the little that is left
   * @throws Failure what the job failed with; `bug` where the worker itself died
   */
  run(
    job: Job,
    onProgress: (progress: JobProgress) => void,
    onNearlyDone: () => void = () => {},
  ): Promise<Result> {
    if (this.#closed) return Promise.reject(new Failure('interrupted', 'the run was stopped'))
    if (this.#died) return Promise.reject(this.#died)
    const worker = this.#idle.pop() ?? this.#start()
    return new Promise<Result>((resolve, reject) => {
      worker.running.set(job.id, { resolve, reject, onProgress, onNearlyDone, nearlyDone: false })
      worker.child.send({ job } satisfies ToWorker<Setup, Job>)
    })
  }

  #start(): Worker<Result> {
    const child = fork(this.#program, this.#args, {
      serialization: 'advanced',
      execArgv: WORKER_FLAGS,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    })
    const worker: Worker<Result> = { child, running: new Map() }
    this.#workers.push(worker)
    if (this.#setup) child.send({ setup: this.#setup } satisfies ToWorker<Setup, Job>)
    child.on('message', (message) => this.#receive(worker, message as FromWorker<Result>))
    child.on('error', () => {})
    child.on('exit', (code, signal) => {
      const how = signal ? `signal ${signal}` : `exit code ${code}`
      const died = new Failure('bug', `a worker process ended by itself (${how})`, {
        hint: 'was it killed for want of memory? fewer --jobs need less',
      })
      this.#died ??= died
      for (const running of worker.running.values()) running.reject(died)
      worker.running.clear()
    })
    return worker
  }

  #receive(worker: Worker<Result>, message: FromWorker<Result>): void {
    const running = worker.running.get(message.id)
    if (!running) return
    if ('progress' in message) return running.onProgress(message.progress)
    if ('nearlyDone' in message) {
      running.nearlyDone = true
      this.#idle.push(worker)
      return running.onNearlyDone()
    }
    worker.running.delete(message.id)
    if ('result' in message) {
      if (!running.nearlyDone) this.#idle.push(worker)
      running.resolve(message.result)
    } else if (message.stack === undefined) {
      running.reject(fromPlainFailure(message.failure))
    } else {
      const bug = new Error(message.failure.message)
      bug.stack = message.stack
      running.reject(bug)
    }
  }

  /** Process ids of the workers that run. */
  get pids(): number[] {
    return this.#workers.flatMap(({ child }) => child.pid ?? [])
  }

  /** Ends the workers, unless they tidy up at once; what they were writing is rolled back by the server. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(
      this.#workers.map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exited = once(child, 'exit')
        const kill = () => child.kill('SIGKILL')
        if (child.connected) child.disconnect()
        const timer = this.#patience > 0 ? setTimeout(kill, this.#patience) : kill()
        await exited
        if (typeof timer === 'object') clearTimeout(timer)
      }),
    )
  }
}
