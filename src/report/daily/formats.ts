import type { DailyReport } from '../../daily/facts.ts'
import { dailyHtml } from './html.ts'
import { dailyJunit } from './junit.ts'
import { dailyPrometheus } from './prometheus.ts'
import { dailyText } from './text.ts'

/** How a report can be written, each with the end of its file's name. */
export const FORMATS = {
  html: { extension: 'html', render: dailyHtml },
  text: { extension: 'txt', render: (report: DailyReport) => dailyText(report) },
  json: {
    extension: 'json',
    render: (report: DailyReport) => `${JSON.stringify(report, null, 2)}\n`,
  },
  junit: { extension: 'xml', render: dailyJunit },
  prometheus: { extension: 'prom', render: dailyPrometheus },
} as const satisfies Record<string, { extension: string; render: (report: DailyReport) => string }>

export type Format = keyof typeof FORMATS
