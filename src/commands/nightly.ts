import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandModule } from 'yargs'
import { lockedBy, lockOwner, takeLock, type Lock } from '../audit/lock.ts'
import { didYouMean } from '../config/nearest.ts'
import { splitList } from '../config/words.ts'
import { EXIT_CODES, Failure, systemReason, type FailureKind } from '../errors.ts'
import type { NightlyStep } from '../report/events.ts'
import { begin } from './begin.ts'
import { flagsOf, OPTIONS, reportOptions, type Context } from './context.ts'
import { NIGHTLY_STEPS, runNight, type NightlyStepName } from './nightly-steps.ts'

/** A holder on another machine is alive as long as it gives signs; half a minute would do, networks have hiccups. */
const LOCK = { wait: 0, patience: 600_000 }
const HOUR_MS = 3_600_000

/** A night is missed when nothing has come for so many times the hours that a backup is expected in. */
const LATE = 1.5

/** `pgveil nightly`: backup, restore tests, report, retention. */
export function nightlyCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, json, quiet } = OPTIONS
  return {
    command: 'nightly',
    describe: 'do what is to be done each night: backup, restore tests, report, prune',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('skip', {
          type: 'string',
          requiresArg: true,
          description: 'steps to leave out, comma separated',
          coerce: (value: string | string[] | undefined) =>
            value === undefined ? [] : [value].flat().flatMap(splitList),
        })
        .example('$0 nightly --quiet', 'for cron and its like')
        .example('$0 nightly --skip backup', 'on the machine that proves and removes')
        .epilogue(
          'Exits with the code of the first step that failed. The report is made whatever happens; nothing is removed in a night without a proof.',
        ),
    handler: async (args) => {
      const skip = checkSteps((args['skip'] as string[] | undefined) ?? [])
      const {
        emit,
        settings: { operations },
      } = await begin(context, args, { needs: ['store', 'backup'] })
      const night = await Night.begin(operations.state)
      try {
        const missed = night.missed(operations.report.everyHours)
        if (missed !== undefined) {
          emit({ event: 'warning', code: 'missed-night', message: missed })
        }
        context.cleaning('ending the step at hand')
        const started = performance.now()
        const run = {
          args: argumentsOf(args),
          cwd: io.cwd,
          env: io.env,
          stdout: io.stdout,
          stderr: io.stderr,
        }
        const steps = await runNight(skip, run, emit, signal)
        const seconds = Math.round(performance.now() - started) / 1000
        const failed = steps.find(({ exitCode }) => exitCode !== undefined && exitCode !== 0)
        await night.end()
        emit({ event: 'nightly', steps, exitCode: failed?.exitCode ?? 0, seconds })
        if (failed) throw failureOf(failed)
      } finally {
        await night.release()
      }
    },
  }
}

function checkSteps(names: readonly string[]): NightlyStepName[] {
  return names.map((name) => {
    const step = NIGHTLY_STEPS.find((each) => each === name)
    if (step) return step
    throw new Failure('usage', `--skip: there is no step ${name}`, {
      hint: didYouMean(name, NIGHTLY_STEPS) ?? `the steps are ${NIGHTLY_STEPS.join(', ')}`,
    })
  })
}

/** What the commands of the night are told. */
function argumentsOf(args: Readonly<Record<string, unknown>>): string[] {
  const { json, quiet } = reportOptions(args)
  const { config } = flagsOf(args)
  return [
    ...(config === undefined ? [] : ['--config', config]),
    ...(json ? ['--json'] : []),
    ...(quiet ? ['--quiet'] : []),
  ]
}

function failureOf({ step, exitCode }: NightlyStep): Failure {
  const kinds = Object.keys(EXIT_CODES) as FailureKind[]
  const kind = kinds.find((each) => EXIT_CODES[each] === exitCode) ?? 'bug'
  return new Failure(kind, `the step ${step} failed with exit code ${exitCode}`, {
    hint: 'what it said stands above, and in the records: pgveil audit show --since 1d',
  })
}

/** One night at a time, and what is remembered of the last one. */
class Night {
  readonly #path: string
  readonly #lock: Lock
  readonly #last: { started?: unknown; finished?: unknown }
  readonly #started = new Date()

  private constructor(path: string, lock: Lock, last: object) {
    this.#path = path
    this.#lock = lock
    this.#last = last
  }

  /** @throws Failure `refused` where another one runs; `config` where the directory cannot be written */
  static async begin(state: string): Promise<Night> {
    const path = join(state, 'nightly.json')
    const lockPath = join(state, 'nightly.lock')
    try {
      await mkdir(state, { recursive: true, mode: 0o700 })
      const lock = await takeLock(lockPath, LOCK)
      if (!lock) throw lockedBy(lockPath, await lockOwner(lockPath))
      const night = new Night(path, lock, await readLast(path))
      await night.#write({ started: night.#started.toISOString() })
      return night
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (cause instanceof Failure || code === undefined) throw cause
      throw new Failure('config', `cannot write to ${state}: ${systemReason(cause)}`, {
        hint: 'give this user a directory of its own under state: in pgveil.yaml',
        cause,
      })
    }
  }

  /** What to say of nights that were not, or that did not come to their end; undefined: nothing. */
  missed(everyHours: number): string | undefined {
    const { started, finished } = this.#last
    if (typeof started !== 'string') return undefined
    if (finished === undefined) return `the run of ${started} did not come to its end`
    const hours = (this.#started.getTime() - Date.parse(started)) / HOUR_MS
    if (!(hours > everyHours * LATE)) return undefined
    return `there was no run since ${started}, though one is expected every ${everyHours} hours`
  }

  end(): Promise<void> {
    const finished = new Date().toISOString()
    return this.#write({ started: this.#started.toISOString(), finished })
  }

  release(): Promise<void> {
    return this.#lock.release()
  }

  async #write(night: { started: string; finished?: string }): Promise<void> {
    const temporary = `${this.#path}.part`
    await writeFile(temporary, `${JSON.stringify(night)}\n`, { mode: 0o600 })
    await rename(temporary, this.#path)
  }
}

async function readLast(path: string): Promise<{ started?: unknown; finished?: unknown }> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as { started?: unknown; finished?: unknown }
  } catch {
    return {}
  }
}
