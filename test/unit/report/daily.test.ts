import { describe, expect, test } from '@jest/globals'
import { chart, chartText } from '../../../src/report/daily/charts.ts'
import { dailyHtml } from '../../../src/report/daily/html.ts'
import { dailyJunit } from '../../../src/report/daily/junit.ts'
import { dailyLetter } from '../../../src/report/daily/mail.ts'
import { markup } from '../../../src/report/daily/markup.ts'
import { dailyPrometheus } from '../../../src/report/daily/prometheus.ts'
import { SERIES } from '../../../src/report/daily/series.ts'
import { dailyText, wrap } from '../../../src/report/daily/text.ts'
import { width } from '../../../src/report/display.ts'
import { ATTACK, days, failedDay, firstDay, goodDay, hostileDay, missedDay } from './daily-facts.ts'
import { elementsOf } from './well-formed.ts'

const DAYS = { goodDay, failedDay, missedDay, firstDay, hostileDay }
const each = Object.entries(DAYS).map(([name, make]) => ({ name, report: make() }))
const SIZE = SERIES[0]!

describe('HTML', () => {
  test.each(each)('$name is well-formed, complete and self-contained', ({ report }) => {
    const page = dailyHtml(report)
    const elements = elementsOf(page)
    const names = new Set(elements.map(({ name }) => name))
    for (const active of ['script', 'iframe', 'object', 'form', 'img', 'link', 'base', 'a'])
      expect(names).not.toContain(active)
    // The namespace of SVG is a name; nothing is fetched from it.
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /https?:|url\(|@import|src=|href=|\son[a-z]+=/i,
    )
    expect(elements.find(({ name }) => name === 'html')?.attributes['lang']).toBe('en')
    const headings = elements.filter(({ name }) => /^h\d$/.test(name))
    expect(headings.filter(({ name }) => name === 'h1')).toHaveLength(1)
    const titles = headings.map(({ text }) => text)
    for (const title of ['Latest backup', 'Expected and found', 'The last 30 days', 'Keys'])
      expect(titles).toContain(title)
    expect(titles.includes('Restore test')).toBe(report.test !== null)
  })

  test('tells first how the day is, and why', () => {
    const text = (report = goodDay()) =>
      elementsOf(dailyHtml(report)).find(({ name }) => name === 'header')?.text
    expect(text()).toMatch(/^✓.*Good/)
    expect(text()).toContain('was restored')
    expect(text(failedDay())).toMatch(/✕.*Bad.*invoice_lines.*other content.*2026-12-10/s)
    expect(text(missedDay())).toContain('No backup for 28 h')
  })

  test('charts and cells have texts, signs have words', () => {
    const elements = elementsOf(dailyHtml(missedDay()))
    const drawings = elements.filter(({ attributes }) => attributes['role'] === 'img')
    expect(drawings.map(({ attributes }) => attributes['aria-label'])).toEqual([
      '✓ 25 proven; ~ 1 test incomplete: 11 Nov; ○ 1 not tested; – 1 no backup: 22 Nov; ? 2 not known',
      'Size in the store over 30 days: 38.2 GB to 41.2 GB, 41.1 GB at the end',
      'Rows over 30 days: 41,300,000 to 41,888,000, 41,888,000 at the end',
      'Recovery time over 30 days: 45 min 40 s to 53 min 20 s, 52 min 55 s at the end',
    ])
    const marks = elements.filter(({ attributes }) => attributes['class']?.startsWith('mark '))
    expect(marks.length).toBeGreaterThan(15)
    for (const { text } of marks) expect(text).toMatch(/(good|attention|bad): $/)
  })

  test('what mail clients drop is nowhere needed: each element carries its light style', () => {
    const styled = elementsOf(dailyHtml(goodDay())).filter(
      ({ attributes }) => attributes['class'] !== undefined,
    )
    const bare = styled.filter(({ name, attributes }) => {
      const hook = attributes['class'] === 'check'
      return attributes['style'] === undefined && !hook && !['svg', 'rect', 'line'].includes(name)
    })
    expect(bare).toEqual([])
  })

  test('texts are legible on their grounds: 4.5 to 1, light and dark', () => {
    for (const [ink, ground] of PAIRS)
      expect([ink, ground, contrast(ink, ground) >= 4.5]).toEqual([ink, ground, true])
    const page = dailyHtml(failedDay())
    for (const colour of PAIRS.flat()) expect(page + dailyHtml(goodDay())).toContain(colour)
  })

  test('no more than a few findings of a step', () => {
    const report = failedDay()
    const step = report.test?.steps[3]
    step?.findings.push(
      ...Array.from({ length: 500 }, (_, i) => ({
        severity: 'failure' as const,
        message: `table ${i}`,
      })),
    )
    const page = dailyHtml(report)
    expect(page).toContain('table 6')
    expect(page).not.toContain('table 7')
    expect(page).toContain('and 493 more findings')
  })
})

describe('no text from elsewhere breaks out of', () => {
  test('markup', () => {
    expect(markup`<b title="${ATTACK}">${[ATTACK, 7]}</b>`.text).not.toMatch(
      /<script|title="[^"]*"[^>]/,
    )
    expect(markup`${'&lt;'}`.text).toBe('&amp;lt;')
  })

  test.each(['html', 'junit'] as const)('%s', (format) => {
    const text = format === 'html' ? dailyHtml(hostileDay()) : dailyJunit(hostileDay())
    expect(text).toContain('&lt;script&gt;')
    expect(text).not.toMatch(/<script|\p{Cf}|(?!\n)\p{Cc}|\]\]>/u)
    elementsOf(text)
  })

  test('Prometheus', () => {
    for (const line of dailyPrometheus(hostileDay()).trimEnd().split('\n')) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) pgveil_[a-z_]+ .*|pgveil_[a-z_]+\{([a-z]+="([^"\\]|\\["\\n])*",?)+\} -?[0-9.e+]+)$/,
      )
    }
  })

  test('text and subject', () => {
    const invisible = /\p{Cf}|(?!\n)\p{Cc}/u
    expect(dailyText(hostileDay())).not.toMatch(invisible)
    expect(dailyText(hostileDay())).not.toContain('\n# HELP')
    expect(dailyLetter(hostileDay()).subject).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})

describe('text', () => {
  test.each(each)('$name fits 78 columns', ({ report }) => {
    const lines = dailyText(report).split('\n')
    expect(lines.filter((line) => width(line) > 78)).toEqual([])
    expect(lines.filter((line) => line.endsWith(' '))).toEqual([])
  })

  test('has what the page has', () => {
    const text = dailyText(failedDay())
    for (const part of ['✕ BAD', 'Latest backup', 'Expected and found', 'Restore test', 'Keys'])
      expect(text).toContain(part)
    expect(text).toMatch(/✕ compare {8}486 {4}3 min 4 s\n {4}failure: public\.invoice_lines/)
    expect(text).toContain('– 1 no backup: 13 Nov')
  })

  test('long words are broken, and nothing gets lost', () => {
    const word = 'x'.repeat(200)
    const lines = wrap(`- a ${word} b`, '  ')
    expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(78)
    expect(lines.join('').replaceAll(' ', '')).toBe(`-a${word}b`)
  })
})

describe('JUnit', () => {
  test.each(each)('$name adds up', ({ report }) => {
    const elements = elementsOf(dailyJunit(report))
    const [all] = elements.filter(({ name }) => name === 'testsuites')
    const count = (wanted: string) => elements.filter(({ name }) => name === wanted).length
    expect(all?.attributes).toMatchObject({
      tests: String(count('testcase')),
      failures: String(count('failure')),
      errors: String(count('error')),
    })
    const suites = elements.filter(({ name }) => name === 'testsuite')
    expect(suites).toHaveLength(1 + (report.test?.steps.length ?? 0))
    const sum = (key: string) =>
      suites.reduce((n, { attributes }) => n + Number(attributes[key]), 0)
    expect(sum('tests')).toBe(count('testcase'))
    expect(sum('failures')).toBe(count('failure'))
  })

  test('a suite for each step, a failure with its message', () => {
    const elements = elementsOf(dailyJunit(failedDay()))
    const named = elements
      .filter(({ name }) => name === 'testsuite')
      .map(({ attributes }) => attributes['name'])
    expect(named).toContain('pgveil.verify.compare')
    const failures = elements.filter(({ name }) => name === 'failure')
    expect(failures.map(({ attributes }) => attributes['message'])).toContainEqual(
      expect.stringContaining('12,399,870 came back'),
    )
  })

  test('a step that failed without saying why is no success', () => {
    const report = goodDay()
    report.test!.steps[2] = {
      step: 'restore',
      outcome: 'fail',
      seconds: 1,
      checks: 0,
      findings: [],
    }
    report.test!.steps[4] = {
      step: 'health',
      outcome: 'incomplete',
      seconds: 1,
      checks: 0,
      findings: [],
    }
    const { attributes } = elementsOf(dailyJunit(report))[0]!
    expect(attributes).toMatchObject({ failures: '1', errors: '1' })
  })
})

describe('Prometheus', () => {
  test('figures and outcomes', () => {
    const text = dailyPrometheus(failedDay())
    expect(text).toContain('\npgveil_backup_age_seconds{chain="crm"} 17996\n')
    expect(text).toContain('\npgveil_backup_stored_bytes{chain="crm"} 41247000000\n')
    expect(text).toContain('\npgveil_verify_outcome{chain="crm",outcome="pass"} 0\n')
    expect(text).toContain('\npgveil_verify_outcome{chain="crm",outcome="fail"} 1\n')
    expect(text).toContain('\npgveil_verify_recovery_seconds{chain="crm"} 3281\n')
    expect(text).toContain('\npgveil_report_problems{chain="crm",standing="bad"} 2\n')
    expect(text).toContain('\npgveil_report_problems{chain="crm",standing="attention"} 1\n')
  })

  test('what is not known has no sample, and no head without one', () => {
    const text = dailyPrometheus(firstDay())
    expect(text).not.toMatch(/backup_age|verify_|NaN|null|undefined/)
    const heads = [...text.matchAll(/^# TYPE (\S+) gauge$/gm)].map(([, name]) => name)
    expect(new Set(heads).size).toBe(heads.length)
    for (const head of heads) expect(text).toMatch(new RegExp(`^${head}\\{`, 'm'))
  })
})

describe('charts', () => {
  test('bars from zero, a gap where nothing was made', () => {
    const month = days({ 10: { state: 'missed' }, 11: { state: 'idle' } })
    const bars = elementsOf(chart(month, SIZE).text).filter(({ name }) => name === 'rect')
    expect(bars.filter(({ attributes }) => attributes['class'] === 'gap')).toHaveLength(1)
    expect(bars.filter(({ attributes }) => attributes['class']?.startsWith('bar'))).toHaveLength(28)
    const height = (i: number) => Number(bars[i]?.attributes['height'])
    const ratio = (month[0]?.stored ?? 0) / (month[29]?.stored ?? 1)
    expect(height(0) / height(bars.length - 1)).toBeCloseTo(ratio, 1)
  })

  test('a limit is drawn where it is near, else told only', () => {
    const month = days()
    const near = chart(month, { ...SIZE, limit: 60_000_000_000 }).text
    const far = chart(month, { ...SIZE, limit: 6e12 }).text
    expect(near).toContain('class="limit"')
    expect(far).not.toContain('class="limit"')
    expect(chartText([], SIZE)).toBe('Size in the store: nothing measured')
  })

  test('nothing and zero can be drawn', () => {
    const zero = days({}).map((day) => ({ ...day, stored: 0 }))
    expect(chart(zero, SIZE).text).not.toMatch(/NaN|Infinity/)
    expect(chart([], SIZE).text).not.toMatch(/NaN|Infinity/)
  })
})

test('the subject says how the day is before anything else', () => {
  expect(dailyLetter(goodDay()).subject).toBe('GOOD: backups of crm: 2026-11-22')
  expect(dailyLetter(missedDay()).subject).toBe(
    'BAD: backups of crm: No backup for 28 h, though one is expected every 24 h',
  )
  expect(dailyLetter(hostileDay()).subject.length).toBeLessThanOrEqual(113)
})

/** Inks and grounds as they meet on the page. */
const PAIRS = [
  ['#1b2027', '#f3f4f6'],
  ['#59626e', '#f3f4f6'],
  ['#59626e', '#ffffff'],
  ['#1a7548', '#ffffff'],
  ['#1a7548', '#e9f5ee'],
  ['#8a5800', '#ffffff'],
  ['#b3261e', '#ffffff'],
  ['#b3261e', '#fdeceb'],
  ['#ffffff', '#1a7548'],
  ['#a6afbb', '#1b1f25'],
  ['#a6afbb', '#111418'],
  ['#63cf9b', '#14291e'],
  ['#e9b859', '#2f2610'],
  ['#ff958d', '#381b1a'],
  ['#e6e9ee', '#381b1a'],
  ['#0b1f14', '#4fb884'],
] as const

/** WCAG 2.2, relative luminance. */
function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
    const c = Number.parseInt(colour.slice(i, i + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].toSorted((x, y) => x - y)
  return (high + 0.05) / (low + 0.05)
}
