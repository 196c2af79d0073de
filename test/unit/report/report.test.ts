import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { padEnd, truncate, visible, width } from '../../../src/report/display.ts'
import type {
  CopyReport,
  Event,
  PlanEvent,
  PlannedTable,
  ProgressEvent,
  TableEvent,
  VerifyStepEvent,
} from '../../../src/report/events.ts'
import { clock, count, duration, plural, size } from '../../../src/report/numbers.ts'
import { createReporter, type ReporterOptions } from '../../../src/report/reporter.ts'
import { Terminal } from './terminal.ts'

const planned = (table: string, more: Partial<PlannedTable> = {}): PlannedTable => ({
  table,
  action: 'rows',
  codec: 'binary',
  estimatedRows: 1000,
  bytes: 100_000,
  jobs: 1,
  columns: [
    { column: 'id', type: 'bigint', treatment: 'keep' },
    { column: 'név', type: 'text', treatment: 'person.fullName', domain: 'names', proof: 'fits' },
  ],
  ...more,
})
const plan: PlanEvent = {
  event: 'plan',
  source: 'db/crm',
  target: 'dev/crm',
  serverVersion: '16.4',
  structureBy: 'pg_dump 17',
  tables: [
    planned('public.t'),
    planned('public.訪問', { codec: 'text', codecReason: 'a user type', jobs: 3 }),
    planned('public.bad\x1b[31m\nname', { action: 'omit' }),
  ],
}
const progress = (table: string, seconds: number, more: Partial<ProgressEvent> = {}): Event => ({
  event: 'progress',
  table,
  rows: seconds * 100,
  bytes: seconds * 1e6,
  estimatedRows: 1000,
  seconds,
  ...more,
})
const finished = (table: string): TableEvent => ({
  event: 'table',
  table,
  rows: 1_234_567,
  bytes: 12_345_678,
  seconds: 3.21,
  codec: 'binary',
  masked: { 'internet.email': 1_234_000, 'person.fullName': 5 },
})
const report: CopyReport = {
  source: 'db/crm',
  target: 'dev/crm',
  previous: 'crm__previous',
  tables: [finished('public.t'), finished('public.訪問')],
  omitted: ['public.bad\nname'],
  rows: 2_469_134,
  bytes: 24_691_356,
  seconds: 90,
  phases: { rows: 80, checks: 1 },
  warnings: [
    { code: 'a', message: 'first' },
    { code: 'b', message: 'second' },
    { code: 'a', message: 'third' },
    { code: 'a', message: 'third' },
  ],
}
const rows: Event = { event: 'phase', phase: 'rows', state: 'started' }

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

function reporter(options: Partial<ReporterOptions> = {}) {
  const out: string[] = []
  const err: string[] = []
  const { emit, close } = createReporter({
    json: false,
    quiet: false,
    plan: 'line',
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    isTTY: { stdout: false, stderr: false },
    size: () => ({ columns: 80, rows: 24 }),
    env: {},
    now: () => Date.now(),
    ...options,
  })
  return { emit, close, out: () => out.join(''), err: () => err.join(''), writes: err }
}

test('numbers are written for people', () => {
  expect([0, 999, 1234567].map(count)).toEqual(['0', '999', '1,234,567'])
  expect([0, 999, 1000, 12_345_678, 999_950_000].map(size)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '12.3 MB',
    '1.0 GB',
  ])
  expect([0.04, 9.94, 9.96, 59.4, 59.6, 3723, 7199].map(duration)).toEqual([
    '0.0 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '1 h 2 min',
    '2 h 0 min',
  ])
  expect([0, 7, 187].map(clock)).toEqual(['0:00', '0:07', '3:07'])
  expect([plural(1, 'row'), plural(1000, 'row')]).toEqual(['1 row', '1,000 rows'])
})

test('text is measured and cut in columns of a terminal', () => {
  expect(['abc', 'é', 'e\u0301', '訪問', '👍', 'ｱ'].map(width)).toEqual([3, 1, 1, 4, 2, 1])
  expect(truncate('訪問記録', 5)).toBe('訪問…')
  expect(truncate('訪問記録', 4)).toBe('訪…')
  expect(truncate('abc', 3)).toBe('abc')
  expect(truncate('abc', 0)).toBe('')
  expect(padEnd('訪', 4)).toBe('訪  ')
  expect(visible('a\nb\x1b[2J\u202e\x9b')).toBe('a\\nb\\u{1b}[2J\\u{202e}\\u{9b}')
})

describe('json', () => {
  const events: Event[] = [rows, plan, progress('t', 1), { event: 'report', report }]

  test('is one event a line on stdout', () => {
    const { emit, out, err } = reporter({ json: true })
    events.forEach(emit)
    expect(err()).toBe('')
    const lines = out().trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line) as Event)).toEqual(events)
  })

  test('with quiet leaves out what passes', () => {
    const { emit, out } = reporter({ json: true, quiet: true })
    events.forEach(emit)
    const lines = out().trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as Event).event)).toEqual(['plan', 'report'])
  })
})

test('quiet prints nothing', () => {
  const { emit, close, out, err } = reporter({ quiet: true })
  const events: Event[] = [rows, plan, { event: 'warning', code: 'a', message: 'b' }]
  events.forEach(emit)
  close()
  expect(out() + err()).toBe('')
})

describe('without a terminal', () => {
  test('phases, tables and a line every few seconds go to stderr, the report to stdout', () => {
    const { emit, close, out, err } = reporter()
    emit(plan)
    emit(rows)
    for (let s = 1; s <= 7; s++) {
      jest.advanceTimersByTime(1000)
      emit(progress('public.t', s))
    }
    emit(finished('public.t'))
    emit({ event: 'phase', phase: 'rows', state: 'finished', seconds: 7 })
    emit({ event: 'phase', phase: 'constraints', state: 'started' })
    jest.advanceTimersByTime(65_000)
    emit({ event: 'report', report })
    close()
    expect(err().split('\n')).toEqual([
      'pgveil: db/crm → dev/crm: 2 tables, 200.0 kB, 1 without rows; PostgreSQL 16.4, structure by pg_dump 17',
      'pgveil: copying rows',
      'pgveil: 0 of 2 tables, 4.0 MB, 800.0 kB/s, public.t 40%',
      'pgveil: public.t: 1,234,567 rows, 12.3 MB, 3.2 s, binary',
      'pgveil: copying rows: done in 7.0 s',
      'pgveil: building indexes, constraints and views',
      'pgveil: still building indexes, constraints and views, 0:30',
      'pgveil: still building indexes, constraints and views, 1:00',
      '',
    ])
    expect(out()).toBe(`copied db/crm → dev/crm in 1 min 30 s

table             rows    bytes  seconds  codec   masked values
public.t     1,234,567  12.3 MB      3.2  binary  internet.email 1,234,000, person.fullName 5
public.訪問  1,234,567  12.3 MB      3.2  binary  internet.email 1,234,000, person.fullName 5
2 tables     2,469,134  24.7 MB     90.0

without rows: public.bad\\nname

phases: rows 1 min 20 s, checks 1.0 s

previous database kept as crm__previous

2 warnings: a
  first
  third

1 warning: b
  second
`)
  })

  test('warnings of one kind are not repeated for ever', () => {
    const { emit, close, err } = reporter()
    for (let i = 0; i < 5; i++) emit({ event: 'warning', code: 'a', message: `number ${i}` })
    close()
    expect(err().match(/number/g)).toHaveLength(3)
    expect(err()).toContain('pgveil: 2 more warnings (a)')
  })

  test('the steps of a restore test are told, and that a long one goes on', () => {
    const { emit, close, err } = reporter()
    const step = (more: Partial<VerifyStepEvent>): Event => ({
      event: 'verify-step',
      label: 'crm',
      step: 'compare',
      state: 'started',
      ...more,
    })
    emit(step({ step: 'restore' }))
    emit({ event: 'phase', phase: 'structure', state: 'started' })
    jest.advanceTimersByTime(31_000)
    emit({ event: 'phase', phase: 'structure', state: 'finished', seconds: 31 })
    emit(step({ step: 'restore', state: 'finished', outcome: 'pass', checks: 1, seconds: 31 }))
    emit(step({}))
    jest.advanceTimersByTime(31_000)
    emit(step({ state: 'finished', outcome: 'fail', checks: 78, seconds: 31 }))
    jest.advanceTimersByTime(61_000)
    close()
    expect(err().split('\n')).toEqual([
      'pgveil: restoring on a scratch server',
      'pgveil: building the structure',
      'pgveil: still building the structure, 0:30',
      'pgveil: building the structure: done in 31 s',
      'pgveil: restoring on a scratch server: pass, 1 check in 31 s',
      'pgveil: comparing every row',
      'pgveil: still comparing every row, 0:30',
      'pgveil: comparing every row: fail, 78 checks in 31 s',
      '',
    ])
  })

  test('a plan that is the result is shown in full', () => {
    const { emit, out } = reporter({ plan: 'full' })
    emit(plan)
    expect(out()).toContain(`public.t  about 1,000 rows, 100.0 kB, binary
  id   bigint  keep
  név  text    person.fullName  domain names, fits
public.訪問  about 1,000 rows, 100.0 kB, text (a user type), 3 jobs
`)
    expect(out()).toContain('public.bad\\u{1b}[31m\\nname  structure only\n')
  })
})

describe('on a terminal', () => {
  const tty = (terminal: Terminal, env: NodeJS.ProcessEnv = { NO_COLOR: '1' }) =>
    reporter({
      stderr: terminal,
      isTTY: { stdout: true, stderr: true },
      size: () => ({ columns: terminal.columns, rows: terminal.rows }),
      env,
    })

  test('lines of running tables are redrawn in place and taken away at the end', () => {
    const terminal = new Terminal(80, 24)
    const { emit, close, out } = tty(terminal)
    emit(plan)
    emit(rows)
    for (let tenth = 1; tenth <= 50; tenth++) {
      jest.advanceTimersByTime(100)
      emit(progress('public.t', tenth / 10))
      emit(progress('public.訪問', tenth / 10))
      if (tenth === 20) emit({ event: 'note', message: 'by the way' })
    }
    jest.advanceTimersByTime(100)
    expect(terminal.lines().slice(2)).toEqual([
      'by the way',
      'copying rows  0:05  0 of 2 tables  10.0 MB  2.0 MB/s  50%  ETA 0:05',
      '  public.t             500 rows   50%     1.0 MB/s  ETA 0:05',
      '  public.訪問          500 rows   50%     1.0 MB/s  ETA 0:05',
    ])
    emit(finished('public.t'))
    jest.advanceTimersByTime(100)
    expect(terminal.lines()).toHaveLength(5)
    close()
    close()
    expect(terminal.lines().slice(2)).toEqual(['by the way'])
    expect(out()).toBe('')
  })

  test('what the terminal has echoed does not push a line to the right', () => {
    const terminal = new Terminal(80, 24)
    const { emit } = tty(terminal)
    terminal.write('^C')
    emit({ event: 'note', message: 'stopping' })
    expect(terminal.lines()[0]).toBe('stopping')
  })

  test('at most ten frames a second, none after the end', () => {
    const terminal = new Terminal(80, 24)
    const { emit, close } = tty(terminal)
    emit(rows)
    const before = terminal.writes
    for (let ms = 1; ms <= 1000; ms++) {
      jest.advanceTimersByTime(1)
      emit(progress('public.t', ms / 1000))
    }
    expect(terminal.writes - before).toBeLessThanOrEqual(11)
    close()
    const after = terminal.writes
    jest.advanceTimersByTime(5000)
    expect(terminal.writes).toBe(after)
  })

  test('no line is wider than the terminal and no frame higher', () => {
    const terminal = new Terminal(30, 6)
    const { emit } = tty(terminal)
    emit(rows)
    for (let i = 0; i < 20; i++) emit(progress(`public.a_rather_long_name_${i}`, 1))
    jest.advanceTimersByTime(200)
    const lines = terminal.lines()
    expect(lines).toHaveLength(4)
    expect(Math.max(...lines.map(width))).toBeLessThan(30)
    expect(lines.at(-1)).toBe('  and 18 more tables')
  })

  test('the clock of a step of a restore test runs between its phases', () => {
    const terminal = new Terminal(80, 24)
    const { emit } = tty(terminal)
    emit({ event: 'verify-step', label: 'crm', step: 'restore', state: 'started' })
    jest.advanceTimersByTime(2100)
    expect(terminal.lines()).toEqual(['restoring on a scratch server  0:02'])
    emit({ event: 'phase', phase: 'structure', state: 'started' })
    jest.advanceTimersByTime(1100)
    expect(terminal.lines()).toEqual(['building the structure  0:01'])
    emit({ event: 'phase', phase: 'structure', state: 'finished', seconds: 1 })
    jest.advanceTimersByTime(1100)
    expect(terminal.lines()).toEqual(['restoring on a scratch server  0:04'])
  })

  test('the clock of a phase runs without events', () => {
    const terminal = new Terminal(80, 24)
    const { emit } = tty(terminal)
    emit({ event: 'phase', phase: 'checks', state: 'started' })
    jest.advanceTimersByTime(3100)
    expect(terminal.lines()).toEqual(['checking  0:03'])
  })

  test('colour is for terminals without NO_COLOR', () => {
    const warning: Event = { event: 'warning', code: 'a', message: 'b' }
    const colour = (env: NodeJS.ProcessEnv, isTTY: boolean): boolean => {
      const { emit, close, err } = reporter({ env, isTTY: { stdout: isTTY, stderr: isTTY } })
      emit(warning)
      close()
      return err().includes('\x1b[33m')
    }
    expect(colour({}, true)).toBe(true)
    expect(colour({ NO_COLOR: '1' }, true)).toBe(false)
    expect(colour({ TERM: 'dumb' }, true)).toBe(false)
    expect(colour({}, false)).toBe(false)
  })

  test('a report too wide puts the masks below each table', () => {
    const { emit, out } = tty(new Terminal(60, 24))
    const { emit: narrow, out: narrowOut } = reporter({
      isTTY: { stdout: true, stderr: false },
      env: { NO_COLOR: '1' },
      size: () => ({ columns: 60, rows: 24 }),
    })
    emit({ event: 'report', report })
    narrow({ event: 'report', report })
    expect(narrowOut()).toBe(out())
    expect(out()).toContain('binary\n    internet.email 1,234,000, person.fullName 5\npublic.訪問')
  })

  test('what was masked breaks between masks, not within', () => {
    const { emit, out } = tty(new Terminal(40, 24))
    emit({ event: 'report', report })
    expect(out()).toContain('\n    internet.email 1,234,000,\n    person.fullName 5\npublic.訪問')
  })

  test.each([
    [57, '  public.t          500 rows   50%     1.0 MB/s'],
    [58, '  public.t          500 rows   50%     1.0 MB/s  ETA 0:05'],
  ])('%d columns have room for the time to go as a whole, or not at all', (columns, line) => {
    const terminal = new Terminal(columns, 24)
    const { emit } = tty(terminal)
    emit(rows)
    for (let s = 1; s <= 5; s++) {
      jest.advanceTimersByTime(1000)
      emit(progress('public.t', s))
    }
    jest.advanceTimersByTime(100)
    expect(terminal.lines()[1]).toBe(line)
  })
})
