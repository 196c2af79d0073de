import type { DailyReport, RestoreTest } from '../../daily/facts.ts'
import { padEnd, padStart, truncate, visible, width } from '../display.ts'
import { grid } from '../grid.ts'
import { count, duration, plural, size } from '../numbers.ts'
import { style as styleOf, type Style } from '../style.ts'
import { chartText } from './charts.ts'
import { SHOWN_FINDINGS } from './html-parts.ts'
import { SERIES } from './series.ts'
import {
  change,
  DAY_WORDS,
  daysInWords,
  longTime,
  sentence,
  shortDay,
  STANDING_MARKS,
  STANDING_WORDS,
  subjectOf,
} from './words.ts'

/** Columns of a mail that nobody's client breaks. */
const COLUMNS = 78

const PLAIN = styleOf(false, {})

/** The page of a day for terminals, and for the plain part of a mail. */
export function dailyText(report: DailyReport, style: Style = PLAIN): string {
  const { standing, reason, problems, time, store, host, tool, checks, test, notes } = report
  const title = `${STANDING_MARKS[standing]} ${STANDING_WORDS[standing].toUpperCase()}`
  const lines = [
    ...wrap(`${subjectOf(report)} · ${longTime(time)} · ${store}`).map((line) => style.dim(line)),
    '',
    style.bold(tinted(title, standing, style)),
    ...wrap(sentence(reason)),
    ...problems.slice(1).flatMap(({ message }) => wrap(`- ${sentence(message)}`, '  ')),
    ...latestLines(report, style),
    '',
    style.bold('Expected and found'),
    ...checkLines(checks),
    ...daysLines(report, style),
    ...(test ? testLines(test, style) : []),
    ...keyLines(report, style),
    ...listLines('Worth knowing', notes, style),
    '',
    ...wrap(`Made by ${tool} on ${host}. Days and times are in UTC.`).map((line) =>
      style.dim(line),
    ),
  ]
  return `${lines.join('\n')}\n`
}

function tinted(text: string, standing: DailyReport['standing'], style: Style): string {
  if (standing === 'good') return text
  return standing === 'bad' ? style.red(text) : style.yellow(text)
}

function latestLines({ latest }: DailyReport, style: Style): string[] {
  if (!latest) return []
  const { label, sequence, stored, rows, tables, previous, serverVersion, database } = latest
  const grown = (now: number, before: number | undefined) => {
    const text = change(now, before)
    return text === '' ? '' : ` (${text})`
  }
  return [
    '',
    style.bold('Latest backup'),
    ...wrap(
      `${label}, number ${count(sequence)}: ${size(stored)}${grown(stored, previous?.stored)}, ${plural(rows, 'row')}${grown(rows, previous?.rows)} in ${plural(tables, 'table')} of ${database}, PostgreSQL ${serverVersion}`,
    ),
  ]
}

function checkLines(checks: DailyReport['checks']): string[] {
  const name = Math.max(...checks.map(({ title }) => width(title)))
  return checks.flatMap(({ title, standing, expected, found }) => {
    const start = `${STANDING_MARKS[standing]} ${padEnd(title, name)}  `
    const rest = wrap(`${found} (expected: ${expected})`, '', COLUMNS - width(start))
    return rest.map((line, i) => (i === 0 ? start : ' '.repeat(width(start))) + line)
  })
}

function daysLines({ days, recovery }: DailyReport, style: Style): string[] {
  const first = shortDay(days[0]?.date ?? '')
  const strip = days.map(({ state }) => DAY_WORDS[state].mark).join(' ')
  const charts = SERIES.filter(({ of }) => days.some((day) => of(day) !== undefined))
  const limit = recovery.limit === null ? '' : `, at most ${duration(recovery.limit)} allowed`
  return [
    '',
    style.bold(`The last ${days.length} days`),
    strip.trimEnd(),
    first + padStart(shortDay(days.at(-1)?.date ?? ''), days.length * 2 - 1 - width(first)),
    ...wrap(daysInWords(days).join('; ')),
    ...charts.flatMap((series) =>
      wrap(`${chartText(days, series)}${series.limited ? limit : ''}`, '  '),
    ),
  ]
}

function testLines(test: RestoreTest, style: Style): string[] {
  const { label, ofLatest, finished, host, server, steps, recoverySeconds } = test
  const marks = { pass: '✓', fail: '✕', incomplete: '!' }
  const [title = '', ...rows] = grid(
    [{ title: '  step' }, { title: 'checks', align: 'right' }, { title: 'time', align: 'right' }],
    steps.map(({ step, outcome, checks, seconds }) => [
      `${marks[outcome]} ${step}`,
      count(checks),
      duration(seconds),
    ]),
  )
  const took =
    recoverySeconds === null ? '' : `; a recovery would take ${duration(recoverySeconds)}`
  const on = server === null ? 'no server was started' : `PostgreSQL ${server}`
  return [
    '',
    style.bold('Restore test'),
    ...wrap(`${ofLatest ? '' : `of ${label}, `}${longTime(finished)} on ${host}, ${on}${took}`),
    style.dim(title),
    ...rows.flatMap((row, i) => [row, ...findingLines(steps[i]?.findings ?? [])]),
  ]
}

function findingLines(findings: RestoreTest['steps'][number]['findings']): string[] {
  const more = findings.length - SHOWN_FINDINGS
  return [
    ...findings
      .slice(0, SHOWN_FINDINGS)
      .flatMap(({ severity, message }) => wrap(`    ${severity}: ${message}`, '      ')),
    ...(more > 0 ? [`    and ${plural(more, 'more finding')}`] : []),
  ]
}

function keyLines({ keys }: DailyReport, style: Style): string[] {
  if (keys.length === 0) return []
  const rows = keys.map(({ role, fingerprint, path, expires, problems }) => [
    problems.length > 0 ? '✕' : '✓',
    visible(role),
    fingerprint === '' ? truncate(visible(path), 30) : `…${fingerprint.slice(-16)}`,
    expires === undefined ? 'no end' : `ends ${expires.slice(0, 10)}`,
  ])
  const columns = [{ title: '' }, { title: 'for' }, { title: 'key' }, { title: 'end' }]
  return [
    '',
    style.bold('Keys'),
    ...grid(columns, rows)
      .slice(1)
      .map((line) => truncate(line, COLUMNS)),
  ]
}

function listLines(title: string, lines: readonly string[], style: Style): string[] {
  if (lines.length === 0) return []
  return ['', style.bold(title), ...lines.flatMap((line) => wrap(`- ${line}`, '  '))]
}

/** Lines of at most `columns`, further ones with `indent` before them. A word that is longer is broken. */
export function wrap(text: string, indent = '', columns = COLUMNS): string[] {
  const start = /^ */.exec(text)?.[0] ?? ''
  const lines: string[] = []
  let line = start
  let empty = true
  for (const word of visible(text)
    .trim()
    .split(/ +/)
    .flatMap((each) => pieces(each, columns - indent.length - 2))) {
    if (!empty && width(line) + 1 + width(word) > columns) {
      lines.push(line)
      line = indent
      empty = true
    }
    line += empty ? word : ` ${word}`
    empty = false
  }
  return [...lines, line]
}

function pieces(word: string, most: number): string[] {
  if (width(word) <= most) return [word]
  return word.match(new RegExp(`.{1,${most}}`, 'gsu')) ?? [word]
}
