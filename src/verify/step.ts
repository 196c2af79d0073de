import { Failure } from '../errors.ts'
import { worst, type Finding, type VerdictStep } from './verdict.ts'

/** What one step of a restore test has seen so far. */
export class StepRecord {
  readonly step: VerdictStep['step']
  readonly findings: Finding[] = []
  readonly log: string[] = []
  /** Checks that ran. */
  checks = 0
  seconds = 0

  constructor(step: VerdictStep['step']) {
    this.step = step
  }

  /** Something does not hold. */
  fail(message: string): void {
    this.#add('failure', message)
  }

  /** Something could not be found out. */
  incomplete(message: string): void {
    this.#add('incomplete', message)
  }

  /** Something a person should look at. */
  warn(message: string): void {
    this.#add('warning', message)
  }

  note(line: string): void {
    this.log.push(line)
  }

  /** Takes over what a part of the step has seen. */
  absorb({ findings, log, checks }: StepRecord): void {
    this.findings.push(...findings)
    this.log.push(...log)
    this.checks += checks
  }

  #add(severity: Finding['severity'], message: string): void {
    this.findings.push({ severity, message })
    this.log.push(`${severity}: ${message}`)
  }

  /** The step for the verdict. One in which nothing was checked is not passed. */
  get result(): VerdictStep {
    const { step, findings, log, checks, seconds } = this
    const outcome = worst([
      checks > 0 ? 'pass' : 'incomplete',
      ...findings.map(({ severity }) =>
        severity === 'failure' ? 'fail' : severity === 'incomplete' ? 'incomplete' : 'pass',
      ),
    ])
    return { step, outcome, seconds, checks, findings, log }
  }
}

/** Failures that end the test: no verdict comes of them. */
const NO_VERDICT: ReadonlySet<Failure['kind']> = new Set(['interrupted', 'terminated'])

/** Connection lost, no room, no memory, ended by an operator, system errors: nothing that a backup is to blame for. */
const TROUBLE = /^(08|53|57|58|XX)/

/**
 * Writes down what a step ended with: `integrity`, and what a server refuses of a backup's content, is a failure; keys,
 * stores, servers and settings that are not there, or must not be used, make the test incomplete.
 *
 * @throws the error itself where it is no finding
 */
export function recordFailure(record: StepRecord, error: unknown): void {
  if (!(error instanceof Failure) || NO_VERDICT.has(error.kind)) throw error
  const message = error.hint ? `${error.message} (${error.hint})` : error.message
  if (isBackupsFault(error)) record.fail(message)
  else record.incomplete(message)
}

function isBackupsFault({ kind, message }: Failure): boolean {
  if (kind === 'integrity') return true
  const [, state] = /\(SQLSTATE (\w{5})/.exec(message) ?? []
  return kind === 'sink' && state !== undefined && !TROUBLE.test(state)
}
