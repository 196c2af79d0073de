import type { Check, DailyReport, KeyFact, RestoreTest } from '../../daily/facts.ts'
import { count, duration, plural, size } from '../numbers.ts'
import { css } from './html-style.ts'
import { markup, type Markup } from './markup.ts'
import { change, longTime, shortTime, STANDING_MARKS, STANDING_WORDS } from './words.ts'

/** Of one step; the JSON has them all. */
export const SHOWN_FINDINGS = 8

const HOUR = 3600
const TWO_DAYS = 48 * HOUR

/** A section with its heading. */
export function section(title: string, ...content: (Markup | undefined)[]): Markup {
  return markup`<section ${css('section')}><h2 ${css('h2')}>${title}</h2>${content}</section>\n`
}

/** A sign that is read out as a word. */
function mark(standing: Check['standing']): Markup {
  const word = STANDING_WORDS[standing].toLowerCase()
  return markup`<span ${css('mark', standing)}><span aria-hidden="true">${STANDING_MARKS[standing]}</span><span ${css('hidden')}>${word}: </span></span>`
}

/** What was expected and what was found. */
export function checksTable(checks: readonly Check[]): Markup {
  const heads = ['What', 'Expected', 'Found'].map(
    (title) => markup`<th scope="col" ${css('th')}>${title}</th>`,
  )
  const rows = checks.map(({ title, standing, expected, found }) => {
    const classes = standing === 'good' ? css('td') : css('td', standing)
    return markup`<tr ${css('check')}><th scope="row" ${css('td-name')}>${mark(standing)}${title}</th><td ${css('td', 'muted', 'expected')}>${expected}</td><td ${classes}>${found}</td></tr>\n`
  })
  return markup`<table ${css('table', 'checks')}><thead><tr>${heads}</tr></thead><tbody>\n${rows}</tbody></table>`
}

/** The latest backup in four figures. */
export function latestFacts({ latest, proven }: DailyReport): Markup {
  if (!latest) return markup`<p ${css('small')}>There is none.</p>`
  const { label, age, stored, content, rows, tables, previous, sequence } = latest
  const outcome = { pass: 'yes', fail: 'failed', incomplete: 'incomplete', open: 'not yet' }
  const standing =
    latest.proven === 'pass' ? 'good' : latest.proven === 'fail' ? 'bad' : 'attention'
  const older = proven && proven.label !== label ? `last: ${shortTime(proven.time)}` : ''
  return markup`<div>${[
    fact('Age', ageText(age), shortTime(latest.time)),
    fact('Size', size(stored), change(stored, previous?.stored) || `${size(content)} unsealed`),
    fact('Rows', count(rows), change(rows, previous?.rows) || plural(tables, 'table')),
    fact('Proven', markup`<span ${css(standing)}>${outcome[latest.proven]}</span>`, older),
  ]}</div><p ${css('small')}><span ${css('mono')}>${label}</span><br>Number ${count(sequence)} of its chain: ${plural(latest.objects, 'object')} of database ${latest.database}, ${plural(tables, 'table')}, PostgreSQL ${latest.serverVersion}.</p>`
}

function fact(name: string, value: string | Markup, more: string): Markup {
  return markup`<div ${css('fact')}><span ${css('fact-name')}>${name}</span><span ${css('fact-value')}>${value}</span><span ${css('fact-more')}>${more}</span></div>`
}

/** `5 h 12 min`: the figure that is looked at first. */
function ageText(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60))
  if (seconds < HOUR) return `${minutes} min`
  if (seconds < TWO_DAYS) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return `${Math.floor(seconds / (24 * HOUR))} days`
}

/** The restore test, step by step. */
export function testSection(test: RestoreTest): Markup {
  const { label, ofLatest, finished, host, server, steps, recoverySeconds } = test
  const heads = [
    markup`<th scope="col" ${css('th')}>Step</th>`,
    markup`<th scope="col" ${css('th-right')}>Checks</th>`,
    markup`<th scope="col" ${css('th-right')}>Time</th>`,
  ]
  const took =
    recoverySeconds === null ? '' : `, a recovery would take ${duration(recoverySeconds)}`
  const on = server === null ? 'no server was started' : `PostgreSQL ${server}`
  const whose = ofLatest ? '' : ` It tested ${label}, not the latest backup.`
  return section(
    'Restore test',
    markup`<table ${css('table')}><thead><tr>${heads}</tr></thead><tbody>\n${steps.map(stepRows)}</tbody></table>`,
    markup`<p ${css('small', 'below')}>${longTime(finished)} on ${host}, ${on}${took}.${whose}</p>`,
  )
}

function stepRows({ step, outcome, checks, seconds, findings }: RestoreTest['steps'][number]) {
  const standing = STANDING_OF[outcome]
  const more = findings.length - SHOWN_FINDINGS
  const list = findings.slice(0, SHOWN_FINDINGS).map(({ severity, message }) => {
    const of = severity === 'failure' ? 'bad' : 'attention'
    return markup`<div ${css(of)}>${severity === 'warning' ? 'warning: ' : ''}${message}</div>`
  })
  if (more > 0) list.push(markup`<div ${css('muted')}>and ${plural(more, 'more finding')}</div>`)
  const rows =
    list.length === 0 ? '' : markup`<tr><td colspan="3" ${css('finding')}>${list}</td></tr>\n`
  return markup`<tr><th scope="row" ${css('td-name')}>${mark(standing)}${step}</th><td ${css('td-right')}>${count(checks)}</td><td ${css('td-right')}>${seconds < 0.05 ? '–' : duration(seconds)}</td></tr>\n${rows}`
}

const STANDING_OF = { pass: 'good', fail: 'bad', incomplete: 'attention' } as const

/** Every key with the day of its end. */
export function keysSection(keys: readonly KeyFact[]): Markup {
  const rows = keys.map(({ role, owners, fingerprint, path, expires, problems, warnings }) => {
    const standing = problems.length > 0 ? 'bad' : 'good'
    const said = [...problems, ...warnings].map((text) => markup`<br>${text}`)
    const id = fingerprint === '' ? path : groups(fingerprint)
    return markup`<tr><th scope="row" ${css('td-name')}>${mark(standing)}${role}<div ${css('small', 'key')}>${owners.join(', ')} <span ${css('mono')}>${id}</span>${said}</div></th><td ${css('td-right')}>${expires?.slice(0, 10) ?? 'no end'}</td></tr>\n`
  })
  const heads = [
    markup`<th scope="col" ${css('th')}>For</th>`,
    markup`<th scope="col" ${css('th-right')}>Ends</th>`,
  ]
  return section(
    'Keys',
    markup`<table ${css('table')}><thead><tr>${heads}</tr></thead><tbody>\n${rows}</tbody></table>`,
  )
}

/** The last 16 digits, as gpg shows a long key id. */
function groups(fingerprint: string): string {
  return fingerprint.slice(-16).replace(/(.{4})(?=.)/g, '$1 ')
}

/** A plain list; undefined where there is nothing. */
export function listSection(title: string, lines: readonly string[]): Markup | undefined {
  if (lines.length === 0) return undefined
  const items = lines.map((line) => markup`<li ${css('list-item')}>${line}</li>`)
  return section(title, markup`<ul ${css('list')}>${items}</ul>`)
}
