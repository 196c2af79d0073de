import { join } from 'node:path'
import { Failure } from '../errors.ts'
import { deliver, type DeliveryOptions } from '../notify/deliver.ts'
import type { Emit } from '../report/events.ts'
import { readVerificationRules, type Limits } from '../verify/rules.ts'
import { buildReport, type DailyOptions } from './build.ts'
import type { DailyReport } from './facts.ts'
import { readHistory, writeHistory } from './history.ts'

export interface ReportRunOptions
  extends
    Omit<DailyOptions, 'history' | 'limits'>,
    Pick<DeliveryOptions, 'formats' | 'output' | 'mail' | 'ping'> {
  /** Whether a day that is not good is a failure. */
  strict: boolean
}

/**
 * Makes the report of the day and delivers it.
 *
 * @throws Failure where it cannot be delivered; `findings` after it was, where the day is not good and `strict` is set
 */
export async function runReport(
  options: ReportRunOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<DailyReport> {
  const { operations, at, env } = options
  const settings = operations.report
  if (options.mail && !settings.mail) {
    throw new Failure('config', 'report.mail is not set: there is nobody to mail to', {
      hint: 'write host, from and to under report: mail: in pgveil.yaml',
    })
  }
  const remembered = join(settings.directory, 'history.json')
  const limits = await limitsOf(operations.verify.rules, emit)
  const history = await readHistory(remembered)
  const built = await buildReport({ ...options, limits, history })
  signal.throwIfAborted()
  const { report } = built
  const { formats, output, mail, ping } = options
  const where = { settings, formats, mail, ping, env, signal }
  const delivery = await deliver(report, { ...where, ...(output !== undefined && { output }) })
  await writeHistory(remembered, built.history, at)
  emit({ event: 'daily-report', report, ...delivery })
  if (options.strict && report.standing !== 'good')
    throw new Failure('findings', `the day is ${STANDINGS[report.standing]}: ${report.reason}`)
  return report
}

const STANDINGS = { attention: 'in need of attention', bad: 'bad' } as const

/** A restore test complains of rules that cannot be read; a report goes on without limits. */
async function limitsOf(rules: string | undefined, emit: Emit): Promise<Limits> {
  if (rules === undefined) return {}
  try {
    return (await readVerificationRules(rules)).limits
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    emit({ event: 'warning', code: 'no-limits', message: error.message })
    return {}
  }
}
