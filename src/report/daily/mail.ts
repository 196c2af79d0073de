import type { DailyReport } from '../../daily/facts.ts'
import { printable } from './markup.ts'
import { dailyHtml } from './html.ts'
import { dailyText } from './text.ts'
import { sentence, STANDING_WORDS, subjectOf } from './words.ts'

/** What phones show of a subject, about. */
const LONGEST_SUBJECT = 110

/** The report as a letter; its subject begins with how the day is. */
export function dailyLetter(report: DailyReport): { subject: string; text: string; html: string } {
  const { standing, reason, time } = report
  const why = standing === 'good' ? `${time.slice(0, 10)}` : sentence(reason).replace(/\.$/, '')
  const subject = printable(
    `${STANDING_WORDS[standing].toUpperCase()}: ${subjectOf(report)}: ${why}`,
  )
  return {
    subject:
      subject.length <= LONGEST_SUBJECT ? subject : `${subject.slice(0, LONGEST_SUBJECT)}...`,
    text: dailyText(report),
    html: dailyHtml(report),
  }
}
