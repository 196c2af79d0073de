import { visible } from './display.ts'
import type {
  AuditEvent,
  AuditRun,
  AuditRunsEvent,
  Event,
  NightlyEvent,
  StepEvent,
} from './events.ts'
import { grid, type GridColumn } from './grid.ts'
import { count, duration, moment, plural } from './numbers.ts'
import type { Style } from './style.ts'

/** What the records of commands, and the nightly order of them, print on stdout; undefined for any other event. */
export function auditText(event: Event, style: Style): string | undefined {
  const lines = linesOf(event, style)
  return lines && `${lines.join('\n')}\n`
}

function linesOf(event: Event, style: Style): string[] | undefined {
  if (event.event === 'audit') return auditLines(event, style)
  if (event.event === 'audit-runs') return runsLines(event, style)
  if (event.event === 'step') return stepLines(event, style)
  if (event.event === 'nightly') return nightlyLines(event, style)
  return undefined
}

function auditLines(event: AuditEvent, style: Style): string[] {
  const { directory, files, records, from, to, signed, unsigned, unfinished, broken, torn } = event
  const lines = [
    style.bold(visible(`${plural(records, 'record')} in ${plural(files, 'file')} of ${directory}`)),
  ]
  if (from !== undefined && to !== undefined) lines.push(`from ${moment(from)} to ${moment(to)}`)
  if (!event.signaturesChecked)
    lines.push('signatures: not checked, no backup.signer is configured')
  else
    lines.push(
      `signatures: ${signed.length} of ${plural(signed.length + unsigned.length, 'closed file')}`,
    )
  for (const run of unfinished)
    lines.push(`note: without an end, killed or still running: ${runLine(run)}`)
  if (torn > 0) lines.push(`note: ${plural(torn, 'byte')} of a line that was never finished`)
  if (broken) {
    const place = `${broken.file}${broken.line === undefined ? '' : `:${broken.line}`}`
    lines.push(`${style.red('broken:')} ${visible(`${place}: ${broken.kind}: ${broken.message}`)}`)
  } else {
    lines.push(style.bold('every line is as it was written'))
  }
  return lines
}

function runLine({ started, user, command }: AuditRun): string {
  return visible(`${moment(started)} ${user} ${command}`)
}

const COLUMNS: GridColumn[] = [
  { title: 'started (UTC)' },
  { title: 'who' },
  { title: 'command' },
  { title: 'result' },
  { title: 'took', align: 'right' },
  // The longest: where it wraps, the others still stand in their columns.
  { title: 'on' },
]

function runsLines({ directory, runs }: AuditRunsEvent, style: Style): string[] {
  if (runs.length === 0) return [visible(`no such run in ${directory}`)]
  const [title = '', ...rows] = grid(COLUMNS, runs.map(cellsOf))
  return [style.dim(title), ...rows]
}

function cellsOf(run: AuditRun): string[] {
  const { user, sudo, host, command, label, source, target, store, result, exitCode, seconds } = run
  const who = `${sudo === undefined ? '' : `${sudo} as `}${user}@${host}`
  const backup = label ?? store
  // A backup names itself as its target, a restore as its source.
  const isNamed = backup === undefined || source === backup || target?.includes(backup)
  const ways = [source, isNamed ? undefined : backup, target].filter((text) => text !== undefined)
  return [
    moment(run.started),
    visible(who),
    visible(command),
    result === undefined ? 'no end' : result === 'done' ? 'done' : `${result} (${exitCode})`,
    seconds === undefined ? '' : duration(seconds),
    visible(ways.join(' → ')),
  ]
}

function stepLines(
  { step, state, exitCode, seconds = 0, reason }: StepEvent,
  style: Style,
): string[] {
  if (state === 'started') return [style.bold(`${step}:`)]
  if (state === 'skipped') return [`${style.bold(`${step}:`)} skipped: ${reason}`]
  const how = exitCode === 0 ? 'done' : style.red(`failed with exit code ${exitCode}`)
  return [`${step} ${how} in ${duration(seconds)}`, '']
}

function nightlyLines({ steps, seconds }: NightlyEvent, style: Style): string[] {
  const done = steps.filter(({ exitCode }) => exitCode === 0).length
  const ran = steps.filter(({ exitCode }) => exitCode !== undefined).length
  return [style.bold(`${count(done)} of ${plural(ran, 'step')} done in ${duration(seconds)}`)]
}
