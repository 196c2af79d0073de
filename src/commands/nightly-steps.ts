import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { EXIT_CODES } from '../errors.ts'
import type { Emit, NightlyStep } from '../report/events.ts'
import type { TextSink } from '../report/reporter.ts'

const PROGRAM = fileURLToPath(new URL('../cli.js', import.meta.url))

/** The nightly order. `unproven` tests what earlier nights have not. */
export const NIGHTLY_STEPS = ['backup', 'verify', 'unproven', 'report', 'prune'] as const
export type NightlyStepName = (typeof NIGHTLY_STEPS)[number]

const COMMANDS: Readonly<Record<NightlyStepName, readonly string[]>> = {
  backup: ['backup'],
  verify: ['verify'],
  unproven: ['verify', '--all-unproven'],
  report: ['report'],
  prune: ['prune'],
}

/** How each command of the night is run. */
export interface StepRun {
  /** The program; this one unless told. */
  program?: string
  /** Further arguments of every command. */
  args: readonly string[]
  cwd: string
  env: NodeJS.ProcessEnv
  /** Where their output goes, as it comes. */
  stdout: TextSink
  stderr: TextSink
}

/**
 * Runs the commands of a night one after the other, each as a process of its own. Where the backup failed, the latest
 * one is tested all the same: it matters more then. Once it has passed, so are older ones that were not tested in their
 * night. The report is made whatever failed. Backups are removed only in a night in which the backup did not fail and the
 * restore test of the latest passed.
 *
 * @param skip what somebody has asked to leave out
 * @param signal ends the command that runs, which cleans up, and starts no more
 */
export async function runNight(
  skip: readonly NightlyStepName[],
  run: StepRun,
  emit: Emit,
  signal: AbortSignal,
): Promise<NightlyStep[]> {
  const steps: NightlyStep[] = []
  for (const step of NIGHTLY_STEPS) {
    signal.throwIfAborted()
    const reason = skip.includes(step) ? 'as told by --skip' : whyNot(step, steps)
    if (reason !== undefined) {
      emit({ event: 'step', step, state: 'skipped', reason })
      steps.push({ step, reason })
      continue
    }
    emit({ event: 'step', step, state: 'started' })
    const started = performance.now()
    const exitCode = await runStep(step, run, signal)
    const seconds = Math.round(performance.now() - started) / 1000
    emit({ event: 'step', step, state: 'finished', exitCode, seconds })
    steps.push({ step, exitCode, seconds })
  }
  return steps
}

/** Why a step has nothing to stand on; undefined: it runs. */
function whyNot(step: NightlyStepName, steps: readonly NightlyStep[]): string | undefined {
  if (step !== 'prune' && step !== 'unproven') return undefined
  const codeOf = (name: NightlyStepName) => steps.find((each) => each.step === name)?.exitCode
  const [backup = 0, verify] = [codeOf('backup'), codeOf('verify')]
  if (step === 'prune' && backup !== 0) return 'the backup failed'
  if (verify === undefined) return 'no backup was proven in this run'
  return verify === 0 ? undefined : 'the restore test did not pass'
}

/** Runs one command; returns its exit code, as a shell tells it where a signal ended it. */
function runStep(step: NightlyStepName, run: StepRun, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [run.program ?? PROGRAM, ...COMMANDS[step], ...run.args], {
    cwd: run.cwd,
    env: run.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => run.stdout.write(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => run.stderr.write(text))
  const stop = () => child.kill('SIGTERM')
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, by) => {
      signal.removeEventListener('abort', stop)
      resolve(code ?? (by === 'SIGKILL' ? 137 : EXIT_CODES.terminated))
    })
  })
}
