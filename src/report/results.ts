import { auditText } from './audit-text.ts'
import { dailyReportText } from './daily/event-text.ts'
import { visible } from './display.ts'
import { erasedLines, erasureRecordText, erasuresText } from './erasure-text.ts'
import type { BackupReport, BackupsEvent, Event, ListedBackup, RestoreReport } from './events.ts'
import { grid, type GridColumn } from './grid.ts'
import { keysText } from './keys-text.ts'
import { count, duration, plural, size } from './numbers.ts'
import { pruneText } from './prune-text.ts'
import type { Style } from './style.ts'
import { phasesLine, reportText, tablesOf, warningsOf } from './summary.ts'
import { verifyText } from './verify-text.ts'

/** What an event with the result of a run prints on stdout; undefined for any other event. */
export function resultText(event: Event, style: Style, columns: number): string | undefined {
  if (event.event === 'report') return reportText(event.report, style, columns)
  if (event.event === 'backup') return backupText(event.report, style, columns)
  if (event.event === 'restore') return restoreText(event.report, style, columns)
  if (event.event === 'backups') return backupsText(event, style)
  if (event.event === 'verdict') return verifyText(event, style)
  const audit = auditText(event, style)
  if (audit !== undefined) return audit
  if (event.event === 'prune') return pruneText(event, style)
  if (event.event === 'erasure-record') return erasureRecordText(event)
  if (event.event === 'erasures') return erasuresText(event, style)
  if (event.event === 'daily-report') return dailyReportText(event, style)
  return keysText(event, style)
}

function backupText(report: BackupReport, style: Style, columns: number): string {
  const { label, source, store, sequence, objects, stored, bytes, seconds } = report
  const lines = [
    style.bold(visible(`sealed ${source} as ${label} in ${duration(seconds)}`)),
    '',
    ...tablesOf(report, style, columns),
    '',
    visible(
      `number ${count(sequence)} of its chain in ${store}: ${plural(objects, 'object')}, ${size(stored)} of ${size(bytes)}`,
    ),
    phasesLine(report.phases),
    ...warningsOf(report.warnings, style),
  ]
  return `${lines.join('\n')}\n`
}

function restoreText(report: RestoreReport, style: Style, columns: number): string {
  const { label, target, previous, compared, erased, seconds } = report
  const equal = Object.entries(compared).map(([what, n]) => `${count(n)} ${what}`)
  const lines = [
    style.bold(visible(`restored ${label} → ${target} in ${duration(seconds)}`)),
    '',
    ...tablesOf(report, style, columns),
    '',
    `equal to what the manifest says: ${equal.join(', ')}`,
    ...(erased ? erasedLines(erased) : []),
    phasesLine(report.phases),
  ]
  if (previous !== undefined) lines.push(`previous database kept as ${visible(previous)}`)
  return `${[...lines, ...warningsOf(report.warnings, style)].join('\n')}\n`
}

const COLUMNS: GridColumn[] = [
  { title: 'label' },
  { title: 'age', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'objects', align: 'right' },
  { title: 'tables', align: 'right' },
  { title: 'rows', align: 'right' },
  { title: 'server' },
  { title: 'proven' },
]

function backupsText({ store, backups, unfinished }: BackupsEvent, style: Style): string {
  const lines = [style.bold(visible(`${plural(backups.length, 'backup')} in ${store}`))]
  if (backups.length > 0) {
    const [title = '', ...rows] = grid(COLUMNS, backups.map(cellsOf))
    lines.push('', style.dim(title))
    rows.forEach((row, i) => {
      lines.push(row)
      for (const problem of backups[i]?.problems ?? []) {
        lines.push(`  ${style.red('wrong:')} ${visible(problem)}`)
      }
    })
  }
  for (const { label, objects } of unfinished) {
    lines.push('', `${label}: ${plural(objects, 'object')} of a backup that was never committed`)
  }
  return `${lines.join('\n')}\n`
}

function cellsOf(backup: ListedBackup): string[] {
  const proven = { pass: 'yes', fail: 'FAILED', incomplete: 'incomplete', open: 'not yet' }
  return [
    backup.label,
    age(backup.age),
    size(backup.stored),
    count(backup.objects),
    count(backup.tables),
    count(backup.rows),
    backup.serverVersion,
    proven[backup.proven],
  ]
}

const HOUR = 3600
const DAY = 24 * HOUR

function age(seconds: number): string {
  if (seconds < 60) return 'just now'
  if (seconds < HOUR) return `${Math.floor(seconds / 60)} min`
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`
  return `${Math.floor(seconds / DAY)} days`
}
