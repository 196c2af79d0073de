import { join } from 'node:path'
import type { ReportSettings } from '../config/operations.ts'
import { Failure } from '../errors.ts'
import type { DailyReport } from '../daily/facts.ts'
import { FORMATS, type Format } from '../report/daily/formats.ts'
import { dailyLetter } from '../report/daily/mail.ts'
import { replaceFile } from './files.ts'
import { sendMail } from './mail.ts'
import { ping } from './ping.ts'

export interface DeliveryOptions {
  settings: Pick<ReportSettings, 'directory' | 'mail' | 'metrics' | 'ping'>
  formats: readonly Format[]
  /** Directory for `report.html` and its like; undefined: dated files in the directory that keeps reports. */
  output?: string
  /** Whether a mail is sent, and the switch told. */
  mail: boolean
  ping: boolean
  env: NodeJS.ProcessEnv
  signal: AbortSignal
}

/** Where a report went. */
export interface Delivery {
  files: string[]
  /** Addresses. */
  mailed: string[]
  pinged: boolean
}

/**
 * Brings a report to whoever waits for it: files, mail, and only then the ping. What fails does not keep the others
 * from being tried, but the ping.
 *
 * @throws Failure the first that failed
 */
export async function deliver(report: DailyReport, options: DeliveryOptions): Promise<Delivery> {
  const { settings, formats, output, signal } = options
  const failures: Failure[] = []
  const files: string[] = []
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    signal.throwIfAborted()
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Failure) || signal.aborted) throw error
      failures.push(error)
    }
  }
  const write = (path: string, content: string) =>
    attempt(async () => {
      await replaceFile(path, content)
      files.push(path)
    })
  for (const format of formats) {
    const { extension, render } = FORMATS[format]
    const path =
      output === undefined
        ? join(settings.directory, `${datedName(report)}.${extension}`)
        : join(output, `report.${extension}`)
    await write(path, render(report))
  }
  const { metrics, mail } = settings
  if (metrics !== undefined) await write(metrics, FORMATS.prometheus.render(report))
  if (options.mail && mail)
    await attempt(() => sendMail(mail, dailyLetter(report), { env: options.env, signal }))
  const [first] = failures
  if (first) throw first
  const pinged = options.ping && settings.ping !== undefined
  if (pinged) await ping(settings.ping as string, { signal })
  return { files, mailed: options.mail && mail ? mail.to : [], pinged }
}

/** `crm-20261122T070000Z` */
function datedName({ name, time }: DailyReport): string {
  return `${name ?? 'backups'}-${time.replace(/[-:]|\.\d+/g, '')}`
}
