import { join } from 'node:path'
import { scanStore, type Files } from '../backup/backups.ts'
import { envelopeName } from '../backup/envelopes.ts'
import type { SigningKey } from '../backup/keys.ts'
import { Failure } from '../errors.ts'
import type { Emit, VerdictEvent } from '../report/events.ts'
import { openStore } from '../store/open.ts'
import { chooseLabels } from './choose.ts'
import { lateness } from './find.ts'
import { loadVerdictKey, loadVerdictSigners, loadVerifierKey } from './keys.ts'
import type { VerifyOptions } from './options.ts'
import { recordVerdict } from './record.ts'
import { testBackup, type TestRequest } from './restore-test.ts'
import { readVerificationRules } from './rules.ts'
import type { Finding, Verdict, VerdictStep } from './verdict.ts'
import { digestOf, lastVerdict, readVerdicts } from './verdicts.ts'

export type { VerifyOptions } from './options.ts'

/**
 * Restores backups on a server of their own, checks them step by step, and stores a signed verdict beside each. A
 * backup about which the verdict is in, and which the verifier can no longer open, is not tested again: its verdict is
 * told once more.
 *
 * @returns the verdicts, each a pass
 * @throws Failure `verdict` after all of them were emitted, where one is not a pass; `usage`, `config`, `key`, `store`
 *   where no test could begin, or a verdict not be stored. Other backups are tested all the same
 */
export async function runVerify(
  options: VerifyOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<Verdict[]> {
  const { verify, env } = options
  const own = await readRules(verify.rules, emit)
  const believed = await loadVerdictSigners(verify)
  const signing = await loadVerdictKey(verify, believed, env)
  const opening = options.opening ?? (await loadVerifierKey(verify, env))
  const store = await openStore(options.store)
  try {
    await store.check()
    const labels = await scanStore(store)
    const chosen = await chooseLabels(store, labels, believed, options, emit)
    const verdicts: Verdict[] = []
    const troubles: { label: string; failure: Failure }[] = []
    for (const label of chosen) {
      signal.throwIfAborted()
      const request = { options, opening, ...own, believed, store, labels, label }
      try {
        const { trouble, verdict, ...event } =
          (await earlierVerdict(request, emit)) ??
          (await testAndRecord(request, signing, emit, signal))
        const told = tonights(options) ? withLateness(verdict, options.everyHours) : verdict
        emit({ event: 'verdict', verdict: told, ...event })
        verdicts.push(told)
        // It counts for those that come after it.
        const { stored } = event
        if (stored) labels.set(label, withObject(labels.get(label), stored.slice(label.length + 1)))
        if (trouble) troubles.push({ label, failure: trouble })
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof Failure)) throw error
        troubles.push({ label, failure: error })
      }
    }
    raise(verdicts, troubles, emit)
    return verdicts
  } finally {
    await store.close()
  }
}

/** Rules that cannot be used keep no backup from being tested, but from passing. */
async function readRules(
  path: string | undefined,
  emit: Emit,
): Promise<Pick<TestRequest, 'rules' | 'rulesProblem'>> {
  if (path === undefined) return { rules: undefined }
  try {
    return { rules: await readVerificationRules(path) }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const message = `nothing can pass: ${error.message}`
    emit({ event: 'warning', code: 'rules', message })
    return { rules: undefined, rulesProblem: error }
  }
}

function withObject(files: Files | undefined, name: string): Files {
  return new Map(files).set(name, 0)
}

/** The latest backup is meant, which should be from tonight. */
function tonights({ label, allUnproven }: VerifyOptions): boolean {
  return label === undefined && !allUnproven
}

type Told = Omit<VerdictEvent, 'event'> & {
  /** Why the verdict is not, or not as a whole, where it belongs. */
  trouble?: Failure
}

async function testAndRecord(
  request: TestRequest,
  signing: SigningKey,
  emit: Emit,
  signal: AbortSignal,
): Promise<Told> {
  const { options, store } = request
  const { verdict, outputs } = await testBackup(request, emit, signal)
  try {
    const recorded = await recordVerdict({
      verdict,
      outputs,
      signing,
      store: options.record ? store : undefined,
      logs: join(options.state, 'verify'),
    })
    return { verdict, ...recorded }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    // It may be a bad one: it is told all the same.
    return { verdict, trouble: error }
  }
}

/** The verdict in force, where the backup cannot be opened for another. */
async function earlierVerdict(request: TestRequest, emit: Emit): Promise<Told | undefined> {
  const { options, store, labels, label, believed } = request
  const files: Files = labels.get(label) ?? new Map()
  if (options.opening || request.rulesProblem || files.has(envelopeName('verifier')))
    return undefined
  const digest = await digestOf(store, label, files)
  if (digest === undefined) return undefined
  const found = await readVerdicts(store, { label, digest, files }, believed)
  for (const message of found.problems) emit({ event: 'warning', code: 'verdict', message })
  const last = lastVerdict(found)
  return last && last.outcome !== 'incomplete' ? { verdict: last, earlier: true } : undefined
}

/**
 * That no newer backup is there is no fault of the latest: what is stored beside it does not say it, what is told of
 * this run does.
 */
function withLateness(verdict: Verdict, everyHours: number): Verdict {
  const late = lateness(verdict.label, everyHours, Date.now())
  if (late === undefined) return verdict
  const steps = verdict.steps.map((step): VerdictStep => {
    if (step.step !== 'signature') return step
    const findings: Finding[] = [...step.findings, { severity: 'failure', message: late }]
    return { ...step, outcome: 'fail', checks: step.checks + 1, findings }
  })
  return { ...verdict, outcome: 'fail', steps }
}

/** Throws what weighs most; the rest is told. */
function raise(
  verdicts: readonly Verdict[],
  troubles: readonly { label: string; failure: Failure }[],
  emit: Emit,
): void {
  const verdict = verdictFailure(verdicts)
  const thrown = verdict ?? troubles[0]?.failure
  for (const { label, failure } of troubles) {
    if (failure === thrown) continue
    emit({ event: 'warning', code: 'verify-trouble', message: `${label}: ${failure.message}` })
  }
  if (thrown) throw thrown
}

function verdictFailure(verdicts: readonly Verdict[]): Failure | undefined {
  const failed = verdicts.filter(({ outcome }) => outcome !== 'pass')
  const worst = failed.find(({ outcome }) => outcome === 'fail') ?? failed[0]
  if (!worst) return undefined
  const findings = worst.steps.flatMap((step) => step.findings)
  const reason =
    findings.find(({ severity }) => severity === 'failure') ??
    findings.find(({ severity }) => severity === 'incomplete')
  const what = worst.outcome === 'fail' ? 'failed' : 'is incomplete'
  return new Failure(
    'verdict',
    `the restore test of ${worst.label} ${what}: ${reason?.message ?? ''}`,
    {
      hint: 'each step and its findings stand above; the logs have more',
    },
  )
}
