import { visible } from '../display.ts'
import type { Event } from '../events.ts'
import type { Style } from '../style.ts'
import { dailyText } from './text.ts'

/** What `pgveil report` prints; undefined for any other event. */
export function dailyReportText(event: Event, style: Style): string | undefined {
  if (event.event !== 'daily-report') return undefined
  const { report, files, mailed, pinged } = event
  const delivered = [
    ...files.map((path) => `wrote ${visible(path)}`),
    ...(mailed.length > 0 ? [`mailed to ${visible(mailed.join(', '))}`] : []),
    ...(pinged ? ['told the switch'] : []),
  ]
  return `${dailyText(report, style)}\n${delivered.map((line) => `${style.dim(line)}\n`).join('')}`
}
