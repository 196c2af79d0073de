import type { DailyReport, Day, RestoreTest } from '../../../src/daily/facts.ts'

/** Reports of made-up days, to be drawn. */

const LABEL = '20261122T020004Z-crm'
const DAY_MS = 86_400_000
const LAST_DAY = Date.parse('2026-11-22T00:00:00Z')

/** Thirty nights of a database that grows a little; some are as told. */
export function days(special: Readonly<Record<number, Partial<Day>>> = {}): Day[] {
  return Array.from({ length: 30 }, (_, i): Day => {
    const date = new Date(LAST_DAY - (29 - i) * DAY_MS).toISOString().slice(0, 10)
    const other = special[i]
    if (other?.state === 'missed' || other?.state === 'idle' || other?.state === 'unknown')
      return { date, backups: 0, ...other, state: other.state }
    return {
      date,
      state: 'pass',
      backups: 1,
      label: `${date.replaceAll('-', '')}T020004Z-crm`,
      stored: 38_200_000_000 + i * 104_000_000 + (i % 7) * 31_000_000,
      rows: 41_300_000 + i * 21_000,
      recoverySeconds: 2_740 + i * 9 + (i % 5) * 61,
      ...other,
    }
  })
}

function steps(): RestoreTest['steps'] {
  return [
    { step: 'signature', outcome: 'pass', seconds: 0.4, checks: 4, findings: [] },
    { step: 'objects', outcome: 'pass', seconds: 611, checks: 1_382, findings: [] },
    { step: 'restore', outcome: 'pass', seconds: 2_140, checks: 212, findings: [] },
    { step: 'compare', outcome: 'pass', seconds: 184, checks: 486, findings: [] },
    { step: 'health', outcome: 'pass', seconds: 302, checks: 641, findings: [] },
    {
      step: 'assertions',
      outcome: 'pass',
      seconds: 3.1,
      checks: 12,
      findings: [
        { severity: 'warning', message: 'orders of today: 4,120, 9 % fewer than last time' },
      ],
    },
    { step: 'commands', outcome: 'pass', seconds: 41, checks: 2, findings: [] },
    { step: 'limits', outcome: 'pass', seconds: 0, checks: 3, findings: [] },
  ]
}

export function goodDay(): DailyReport {
  return {
    format: 'pgveil report 1',
    tool: 'pgveil 0.1.0',
    time: '2026-11-22T07:00:00.000Z',
    host: 'restore-1',
    store: 's3://acme-backups/crm',
    name: 'crm',
    standing: 'good',
    reason:
      'the backup of 2026-11-22 02:00 UTC was restored, and 41,909,000 rows came back as they were',
    checks: [
      check('backup', 'Backup', 'one every 24 h', '4 h old'),
      check('test', 'Restore test', 'the latest is proven', 'passed, 2,742 checks'),
      check(
        'content',
        'Content',
        '41,909,000 rows in 212 tables',
        '41,909,000 rows in 212 tables, equal',
      ),
      check('recovery', 'Recovery takes', 'at most 4 h 0 min', '54 min 41 s'),
      check('loss', 'A loss costs', 'at most 26 h', 'up to 24 h'),
      check('chain', 'Chain', 'whole and signed', '23 backups'),
      check('keys', 'Keys', 'good for 30 days', 'the first ends on 2027-08-01'),
      check('lock', 'Object Lock', 'locked', 'until 2026-12-22'),
      check('envelope', 'Verifier’s envelopes', 'destroyed after the test', 'none left'),
      check(
        'drills',
        'Drills',
        'each side within 100 days',
        'operations 19 days ago, offline 51 days ago',
      ),
      check('leftovers', 'Leftovers', 'none', 'none'),
    ],
    problems: [],
    notes: ['backup: 2 unlogged tables are copied without rows: public.cache, public.sessions'],
    latest: {
      label: LABEL,
      sequence: 214,
      time: '2026-11-22T02:00:04Z',
      age: 17_996,
      database: 'crm',
      serverVersion: '17.2',
      tables: 212,
      rows: 41_909_000,
      objects: 1_391,
      stored: 41_247_000_000,
      content: 96_400_000_000,
      proven: 'pass',
      signedBy: '0123456789ABCDEF0123456789ABCDEF01234567',
      previous: { label: '20261121T020003Z-crm', stored: 41_112_000_000, rows: 41_888_000 },
      warnings: ['2 unlogged tables are copied without rows: public.cache, public.sessions'],
    },
    test: {
      label: LABEL,
      ofLatest: true,
      outcome: 'pass',
      started: '2026-11-22T04:00:01.000Z',
      finished: '2026-11-22T04:54:42.000Z',
      host: 'restore-1',
      server: '17.2',
      steps: steps(),
      recoverySeconds: 3_281,
      intervalSeconds: 86_401,
      rows: 41_909_000,
      tables: 212,
    },
    proven: { label: LABEL, time: '2026-11-22T02:00:04Z', age: 17_996 },
    recovery: { seconds: 3_281, limit: 14_400 },
    loss: { seconds: 86_401, limit: 93_600 },
    everyHours: 24,
    days: days(),
    keys: [
      key('side operations', 'Operations <operations@acme.example>', '11'),
      key('side offline', 'Safe, Munich', '22'),
      key('verifier', 'restore-1', '33'),
      { ...key('signer', 'db-1', '44'), expires: '2027-08-01T00:00:00.000Z' },
      key('verdict signer', 'restore-1', '55'),
    ],
    unfinished: [],
    stranded: [],
    verifierEnvelopes: [],
    drills: [
      { side: 'operations', time: '2026-11-02T09:00:00.000Z' },
      { side: 'offline', time: '2026-10-01T09:00:00.000Z' },
    ],
    drillDays: 100,
    lock: true,
    lockedUntil: '2026-12-22T02:31:00.000Z',
  }
}

function check(
  name: DailyReport['checks'][number]['check'],
  title: string,
  expected: string,
  found: string,
): DailyReport['checks'][number] {
  return { check: name, title, standing: 'good', expected, found }
}

function key(role: string, owner: string, digits: string): DailyReport['keys'][number] {
  return {
    role,
    fingerprint: digits.repeat(20),
    owners: [owner],
    path: `/etc/pgveil/${role.replace(' ', '-')}.asc`,
    problems: [],
    warnings: [],
  }
}

function replaced(
  report: DailyReport,
  name: string,
  standing: 'attention' | 'bad',
  found: string,
): DailyReport['checks'] {
  return report.checks.map((each) => (each.check === name ? { ...each, standing, found } : each))
}

/** The backup came back with fewer rows. */
export function failedDay(): DailyReport {
  const report = goodDay()
  const message =
    'public.invoice_lines: 12,400,112 rows were recorded, 12,399,870 came back; its digest differs'
  const reason = `the restore test of ${LABEL} failed at compare: ${message}`
  const test = report.test as RestoreTest
  return {
    ...report,
    standing: 'bad',
    reason,
    problems: [
      { standing: 'bad', check: 'test', message: reason },
      { standing: 'bad', check: 'content', message: `${LABEL} came back with other content` },
      {
        standing: 'attention',
        check: 'keys',
        message: 'key of signer (…4444444444444444) ends on 2026-12-10, in 17 days',
      },
    ],
    checks: [
      ...replaced(
        { ...report, checks: replaced(report, 'test', 'bad', 'failed') },
        'content',
        'bad',
        '41,908,758 rows in 212 tables, not equal',
      ),
    ],
    latest: report.latest && { ...report.latest, proven: 'fail' },
    test: {
      ...test,
      outcome: 'fail',
      steps: test.steps.map((step) =>
        step.step === 'compare'
          ? { ...step, outcome: 'fail', findings: [{ severity: 'failure', message }] }
          : step,
      ),
    },
    proven: { label: '20261121T020003Z-crm', time: '2026-11-21T02:00:03Z', age: 104_397 },
    days: days({ 29: { state: 'fail' }, 12: { state: 'fail' }, 20: { state: 'missed' } }),
  }
}

/** Nothing came last night. */
export function missedDay(): DailyReport {
  const report = goodDay()
  const reason = 'no backup for 28 h, though one is expected every 24 h'
  return {
    ...report,
    standing: 'bad',
    reason,
    problems: [{ standing: 'bad', check: 'backup', message: reason }],
    checks: replaced(report, 'backup', 'bad', '28 h old'),
    latest: report.latest && {
      ...report.latest,
      label: '20261121T020003Z-crm',
      time: '2026-11-21T02:00:03Z',
      age: 104_397,
    },
    days: days({
      29: { state: 'missed' },
      3: { state: 'unknown' },
      4: { state: 'unknown' },
      18: { state: 'incomplete' },
      22: { state: 'open' },
    }),
    notes: ['no backup was made on 2026-11-22'],
  }
}

/** The store is empty. */
export function firstDay(): DailyReport {
  const report = goodDay()
  const reason = 'there is no backup in directory /srv/backups'
  return {
    ...report,
    store: 'directory /srv/backups',
    name: null,
    standing: 'bad',
    reason,
    problems: [{ standing: 'bad', check: 'backup', message: reason }],
    checks: [
      { ...check('backup', 'Backup', 'one every 24 h', 'none'), standing: 'bad' },
      check('keys', 'Keys', 'good for 30 days', '5 keys, none ends'),
      check('leftovers', 'Leftovers', 'none', 'none'),
    ],
    notes: [],
    latest: null,
    test: null,
    proven: null,
    recovery: { seconds: null, limit: null },
    loss: { seconds: null, limit: null },
    days: days(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, { state: 'idle' }]))),
    drills: [],
    lock: false,
    lockedUntil: null,
  }
}

/** Names as somebody would choose them who wants to break out of every format. */
export const ATTACK = `"><script>alert(1)</script>]]>&'\u202e\u0000\ud800 {x="1"}\n# HELP`

/** Every text that comes from elsewhere is an attack. */
export function hostileDay(): DailyReport {
  return replaceTexts(failedDay()) as DailyReport
}

const OURS: ReadonlySet<string> = new Set([
  'format',
  'time',
  'started',
  'finished',
  'expires',
  'date',
  'state',
  'standing',
  'outcome',
  'proven',
  'check',
  'title',
  'step',
  'severity',
  'fingerprint',
  'lockedUntil',
])

function replaceTexts(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return OURS.has(name) ? value : `${name}${ATTACK}`
  if (Array.isArray(value)) return value.map((each) => replaceTexts(each, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, replaceTexts(each, key)]),
  )
}
