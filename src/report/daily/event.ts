import type { DailyReport } from '../../daily/facts.ts'

/** The report of a day was delivered. */
export interface DailyReportEvent {
  event: 'daily-report'
  report: DailyReport
  /** Paths of files that were written. */
  files: string[]
  /** Addresses that were mailed to. */
  mailed: string[]
  /** Whether the dead-man's switch was told. */
  pinged: boolean
}
