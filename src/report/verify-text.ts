import { visible } from './display.ts'
import type { VerdictEvent } from './events.ts'
import { grid, type GridColumn } from './grid.ts'
import { count, duration, plural, size } from './numbers.ts'
import type { Style } from './style.ts'

const COLUMNS: GridColumn[] = [
  { title: 'step' },
  { title: 'verdict' },
  { title: 'checks', align: 'right' },
  { title: 'time', align: 'right' },
]

const WORDS = { pass: 'pass', fail: 'FAILED', incomplete: 'incomplete' } as const

/** What a restore test prints on stdout. */
export function verifyText(event: VerdictEvent, style: Style): string {
  const { verdict, earlier, stored, logs } = event
  const { label, outcome, steps, finished, server } = verdict
  const checks = steps.reduce((sum, step) => sum + step.checks, 0)
  const head = `${label}: ${WORDS[outcome]}, ${plural(checks, 'check')}`
  const [title = '', ...rows] = grid(
    COLUMNS,
    steps.map((step) => [
      step.step,
      WORDS[step.outcome],
      count(step.checks),
      duration(step.seconds),
    ]),
  )
  const lines = [style.bold(visible(head))]
  if (earlier) lines.push(`as it was found at ${finished}; the verifier cannot open it any more`)
  lines.push('', style.dim(title))
  rows.forEach((row, i) => {
    lines.push(row)
    for (const { severity, message } of steps[i]?.findings ?? []) {
      const head = `${severity}:`
      const shown = severity === 'failure' ? style.red(head) : style.yellow(head)
      lines.push(`  ${shown} ${visible(message)}`)
    }
  })
  lines.push('', ...factsOf(event))
  if (server !== null) lines.push(`restored on PostgreSQL ${server}`)
  if (stored !== undefined) lines.push(`verdict signed and stored as ${stored}`)
  if (logs !== undefined) lines.push(`logs in ${visible(logs)}`)
  return `${lines.join('\n')}\n`
}

function factsOf({ verdict }: VerdictEvent): string[] {
  const { rows, tables, stored, content, recoverySeconds, intervalSeconds } = verdict
  const lines = [
    `${plural(rows, 'row')} in ${plural(tables, 'table')}, ${size(stored)} stored of ${size(content)}`,
  ]
  const times = [
    recoverySeconds === null ? undefined : `recovery ${duration(recoverySeconds)}`,
    intervalSeconds === null ? undefined : `${duration(intervalSeconds)} after the backup before`,
    verdict.envelopeDestroyed ? 'the verifier’s envelope is destroyed' : undefined,
  ].filter((part) => part !== undefined)
  return times.length > 0 ? [...lines, times.join(', ')] : lines
}
