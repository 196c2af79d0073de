import { hostname } from 'node:os'
import { openStore } from '../store/open.ts'
import { storedBytes, type Backup, type Files } from '../backup/backups.ts'
import { envelopeName } from '../backup/envelopes.ts'
import type { Opening } from '../backup/unlock.ts'
import type { Failure } from '../errors.ts'
import { Run } from '../jobs/run.ts'
import type { Emit } from '../report/events.ts'
import type { Store } from '../store/store.ts'
import { runAssertions } from './assertions.ts'
import { runCommands, type CommandOutput } from './commands.ts'
import { findForTest, intervalOf, timeOf } from './find.ts'
import { checkLimits } from './limits.ts'
import { checkObjects } from './objects.ts'
import type { VerifyOptions } from './options.ts'
import { Restored } from './restored.ts'
import type { VerificationRules } from './rules.ts'
import { recordFailure, StepRecord } from './step.ts'
import { STEPS, VERDICT_FORMAT, verdictName, worst, type Verdict } from './verdict.ts'
import { digestOf, lastProven } from './verdicts.ts'

export interface TestRequest {
  options: VerifyOptions
  opening: Opening
  rules: VerificationRules | undefined
  /** Why there are none though there should be: all else is tested, and nothing passes. */
  rulesProblem?: Failure
  /** Whose verdicts are believed. */
  believed: VerifyOptions['signers']
  store: Store
  labels: ReadonlyMap<string, Files>
  label: string
}

/** A verdict that is not signed yet. */
export interface Tested {
  verdict: Verdict
  outputs: CommandOutput[]
}

type Step = (typeof STEPS)[number]

/**
 * Tests one backup: finds, opens, restores and checks it, and removes what it restored.
 *
 * @throws Failure `usage`, `config`, `refused`; the reason of `signal`. What else goes wrong is part of the verdict
 */
export async function testBackup(
  request: TestRequest,
  emit: Emit,
  signal: AbortSignal,
): Promise<Tested> {
  const run = new Run(emit, signal)
  try {
    return await new RestoreTest(request, run).verdict()
  } finally {
    await run.end()
  }
}

class RestoreTest {
  readonly #request: TestRequest
  readonly #run: Run
  readonly #records: ReadonlyMap<Step, StepRecord>
  readonly #restored: Restored
  readonly #started = new Date()
  #backup: Backup | undefined
  /** The last proven backup of its chain, where the user's checks ask for it. */
  #proven: Verdict | undefined
  #outputs: CommandOutput[] = []
  #measured: Record<string, number> = {}
  #recoverySeconds: number | null = null

  constructor(request: TestRequest, run: Run) {
    this.#request = request
    this.#run = run
    const { rules, rulesProblem } = request
    const wanted = STEPS.filter((step) => {
      if (step === 'assertions' && rulesProblem) return true
      if (step === 'assertions' || step === 'commands') return (rules?.[step].length ?? 0) > 0
      return step !== 'limits' || Object.keys(rules?.limits ?? {}).length > 0
    })
    this.#records = new Map(wanted.map((step) => [step, new StepRecord(step)]))
    this.#restored = new Restored(request, run)
  }

  async verdict(): Promise<Tested> {
    const { labels, label } = this.#request
    const records = { signature: this.#record('signature'), objects: this.#record('objects') }
    const { rulesProblem } = this.#request
    if (rulesProblem) recordFailure(this.#record('assertions'), rulesProblem)
    await this.#step('signature', async () => {
      this.#backup = await findForTest(records, {
        ...this.#request.options,
        ...this.#request,
      })
      if (this.#backup) this.#proven = await this.#findProven(this.#backup)
    })
    if (this.#backup) await this.#testFound(this.#backup)
    await this.#restored.close()
    for (const record of this.#records.values()) {
      if (record.checks === 0 && record.findings.length === 0) record.incomplete('did not run')
    }
    return { verdict: await this.#conclude(labels.get(label) ?? new Map()), outputs: this.#outputs }
  }

  async #testFound(backup: Backup): Promise<void> {
    const restored = this.#restored
    const began = performance.now()
    const isRestored = await this.#step('restore', (record) => restored.restore(record, backup))
    if (isRestored) {
      await this.#request.options.beforeChecks?.(restored.url)
      await this.#step('compare', (record) => restored.compare(record))
      const isWell = await this.#step('health', async (record) => {
        await restored.checkHealth(record)
        await restored.erase(record)
      })
      if (isWell) this.#recoverySeconds = (performance.now() - began) / 1000
      await this.#askUser(backup)
    }
    await this.#step('objects', (record) => this.#readObjects(record, backup, isRestored))
  }

  /** Of the chain, before this one. The store is asked before anything is restored: it may be that it does not answer. */
  async #findProven({ manifest }: Backup): Promise<Verdict | undefined> {
    const { rules, store, labels, label, believed } = this.#request
    if (!rules) return undefined
    return lastProven(store, labels, { chain: manifest.name, before: label }, believed)
  }

  /** The user's own checks. */
  async #askUser(backup: Backup): Promise<void> {
    const { rules, options, label } = this.#request
    if (!rules) return
    const proven = this.#proven
    const { endpoint, url } = this.#restored
    const { assertions, commands, directory, limits } = rules
    await this.#step('assertions', async (record) => {
      this.#measured = await runAssertions(record, { endpoint, assertions, proven })
    })
    await this.#step('commands', async (record) => {
      const { env } = options
      const { signal } = this.#run
      const secrets = secretNames(options)
      const request = { commands, directory, url, env, secrets, signal }
      this.#outputs = await runCommands(record, request)
    })
    await this.#step('limits', async (record) => {
      checkLimits(record, limits, {
        recoverySeconds: this.#recoverySeconds,
        ageSeconds: (this.#started.getTime() - timeOf(label)) / 1000,
        intervalSeconds: intervalOf(label, backup.manifest.previous?.label),
        content: contentOf(backup),
        proven,
      })
    })
    this.#countOwn(rules)
  }

  /** Some may not have run: a program that is not there, a question that was not answered. */
  #countOwn({ minimumChecks }: VerificationRules): void {
    const own = [this.#records.get('assertions'), this.#records.get('commands')].filter(
      (record) => record !== undefined,
    )
    const ran = own.reduce((sum, { checks }) => sum + checks, 0)
    if (ran < minimumChecks) {
      own[0]?.incomplete(`${ran} assertions and commands ran, minimumChecks is ${minimumChecks}`)
    }
  }

  /** A restore that came to its end has read and compared everything. */
  async #readObjects(record: StepRecord, backup: Backup, isRestored: boolean): Promise<void> {
    const { jobs, store } = this.#request.options
    const names = isRestored ? backup.manifest.objects.map(({ name }) => name) : []
    const opened = await openStore(store)
    this.#run.onEnd(() => opened.close())
    const { signal } = this.#run
    await checkObjects(record, opened, backup, { isRead: new Set(names), jobs, signal })
  }

  #record(step: Step): StepRecord {
    const record = this.#records.get(step)
    if (!record) throw new Error(`step ${step} is not among the steps of this test`)
    return record
  }

  /** Runs a step, where it is one of this test; true where it came to its end. */
  async #step(step: Step, work: (record: StepRecord) => Promise<void>): Promise<boolean> {
    const record = this.#records.get(step)
    if (!record) return true
    const { label } = this.#request
    const { emit, signal } = this.#run
    const started = performance.now()
    emit({ event: 'verify-step', label, step, state: 'started' })
    try {
      await this.#run.during(work(record))
      return true
    } catch (error) {
      signal.throwIfAborted()
      recordFailure(record, error)
      return false
    } finally {
      record.seconds += (performance.now() - started) / 1000
      const { outcome, seconds, checks } = record.result
      emit({ event: 'verify-step', label, step, state: 'finished', outcome, seconds, checks })
    }
  }

  async #conclude(files: Files): Promise<Verdict> {
    const { options, label, store } = this.#request
    const steps = Array.from(this.#records.values(), ({ result }) => result)
    const backup = this.#backup
    const verdict: Verdict = {
      format: VERDICT_FORMAT,
      tool: options.tool,
      label,
      manifest: backup?.digest ?? (await digestOf(store, label, files)) ?? '0'.repeat(64),
      outcome: worst(steps.map(({ outcome }) => outcome)),
      started: this.#started.toISOString(),
      finished: freeTime(new Date(), files),
      host: hostname(),
      server: this.#restored.version ?? null,
      steps,
      recoverySeconds: this.#recoverySeconds,
      intervalSeconds: intervalOf(label, backup?.manifest.previous?.label),
      rows: this.#restored.rows,
      tables: backup?.manifest.tables.length ?? 0,
      stored: storedBytes(files),
      content: backup ? contentOf(backup) : 0,
      ...(Object.keys(this.#measured).length > 0 && { measured: this.#measured }),
      envelopeDestroyed: false,
    }
    return { ...verdict, envelopeDestroyed: this.#destroysEnvelope(verdict) }
  }

  /** Where the verdict is in, nobody but the custodians shall open the backup any more. */
  #destroysEnvelope({ outcome }: Verdict): boolean {
    const { options, labels, label } = this.#request
    const backup = this.#backup
    if (!backup || backup.manifest.seal.verifier.length === 0) return false
    if (!labels.get(label)?.has(envelopeName('verifier'))) return true
    return outcome !== 'incomplete' && !options.keepEnvelope && options.record
  }
}

function contentOf({ manifest }: Backup): number {
  return manifest.objects.reduce((sum, { content = 0 }) => sum + content, 0)
}

/** Verdicts are named by the second. */
function freeTime(time: Date, files: Files): string {
  const finished = time.toISOString()
  if (!files.has(verdictName({ finished }))) return finished
  return freeTime(new Date(time.getTime() + 1000), files)
}

/** Names of environment variables that are not for commands. */
function secretNames({ verify, erasure, hidden = [] }: VerifyOptions): string[] {
  const own = [verify.keyPassphrase, verify.signingPassphrase, erasure?.secret]
  return [...hidden, ...own.flatMap((secret) => (secret && 'env' in secret ? [secret.env] : []))]
}
