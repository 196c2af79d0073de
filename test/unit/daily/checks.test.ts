import { describe, expect, test } from '@jest/globals'
import { checksOf } from '../../../src/daily/checks.ts'
import type { Judgeable, Judged } from '../../../src/daily/judgement.ts'
import type { KeyFact, LatestBackup, RestoreTest } from '../../../src/daily/facts.ts'
import { failedDay, goodDay } from '../report/daily-facts.ts'

const HOUR = 3600
const DAY = 24 * HOUR

function facts(more: Partial<Judgeable> = {}): Judgeable {
  return {
    ...goodDay(),
    unreadable: undefined,
    broken: [],
    backups: 23,
    oldestAge: 90 * DAY,
    promised: { rows: 41_909_000, tables: 212 },
    noVerdicts: undefined,
    vanished: undefined,
    keyProblems: [],
    keyWarnings: [],
    graceHours: 48,
    ...more,
  }
}

const latest = goodDay().latest as LatestBackup
const passed = goodDay().test as RestoreTest
const [operations, offline, , signer, verdicts] = goodDay().keys as [
  KeyFact,
  KeyFact,
  KeyFact,
  KeyFact,
  KeyFact,
]

function check(name: Judged['check'], more: Partial<Judgeable>): Judged | undefined {
  return checksOf(facts(more)).find((each) => each.check === name)
}

/** Standing, and what is said of it. */
function judge(name: Judged['check'], more: Partial<Judgeable>): (string | undefined)[] {
  const found = check(name, more)
  return [found?.standing, found?.message]
}

test('a good day has nothing to say, and looked at everything', () => {
  const checks = checksOf(facts())
  expect(
    checks.filter(({ standing, message }) => standing !== 'good' || message !== undefined),
  ).toEqual([])
  expect(checks.map((each) => each.check)).toEqual([
    'backup',
    'test',
    'content',
    'recovery',
    'loss',
    'chain',
    'keys',
    'lock',
    'envelope',
    'drills',
    'leftovers',
  ])
})

test('whatever is not good says why, in one sentence', () => {
  const worst = facts({
    ...failedDay(),
    latest: { ...latest, age: 100 * DAY },
    broken: ['a follows b, which is missing'],
    keyProblems: ['one key is on both sides'],
    lockedUntil: null,
    verifierEnvelopes: ['20261101T020000Z-crm'],
    drills: [{ side: 'offline', time: '2026-01-01T00:00:00.000Z' }],
    stranded: ['an upload'],
    recovery: { seconds: 9e4, limit: 1 },
    loss: { seconds: 9e4, limit: 1 },
  })
  for (const { standing, message, title } of checksOf(worst)) {
    expect([title, standing]).not.toEqual([title, 'good'])
    expect(message).toMatch(/^[^.].*[^.]$/)
  }
})

describe('the backup', () => {
  test('is late once it is older than it may be', () => {
    const aged = (age: number) => judge('backup', { latest: { ...latest, age } })
    expect(aged(24 * HOUR)).toEqual(['good', undefined])
    expect(aged(24 * HOUR + 1)[0]).toBe('bad')
    expect(aged(31 * HOUR)).toEqual([
      'bad',
      'no backup for 31 h, though one is expected every 24 h',
    ])
  })

  test('of tomorrow is a wrong clock, not a fresh backup', () => {
    expect(judge('backup', { latest: { ...latest, age: -600 } })[0]).toBe('attention')
    expect(judge('backup', { latest: { ...latest, age: -10 } })[0]).toBe('good')
  })

  test('that is not there is bad; so is one that was there yesterday', () => {
    expect(judge('backup', { latest: null, test: null })[1]).toContain('there is no backup in')
    expect(judge('backup', { vanished: 'x' })).toEqual([
      'bad',
      'x, which an earlier report has seen, is gone',
    ])
  })

  test('cannot be judged where the store cannot be read, which is bad', () => {
    const checks = checksOf(facts({ unreadable: 'directory /srv is not there', latest: null }))
    expect(checks.map((each) => [each.check, each.standing])).toEqual([
      ['backup', 'bad'],
      ['keys', 'good'],
    ])
  })
})

describe('the restore test', () => {
  test('of another backup proves nothing of the latest', () => {
    const other = { ...passed, label: '20261121T020000Z-crm', ofLatest: false }
    expect(judge('test', { test: other })).toEqual([
      'attention',
      `the latest backup, ${latest.label}, has not been tested yet`,
    ])
    expect(judge('test', { test: null, proven: null, oldestAge: DAY })[0]).toBe('attention')
  })

  test('that has not been for long is bad, even where none ever was', () => {
    const proven = (age: number) => ({ test: null, proven: { label: 'a', time: '', age } })
    expect(judge('test', proven(6 * DAY))[0]).toBe('attention')
    expect(judge('test', proven(8 * DAY))[0]).toBe('bad')
    expect(judge('test', { ...proven(8 * DAY), everyHours: 168 })[0]).toBe('attention')
    expect(judge('test', { test: null, proven: null })[1]).toContain('has ever been proven')
  })

  test('that failed is bad until another one passes, with the first failure', () => {
    const failed = failedDay().test as RestoreTest
    expect(judge('test', { test: { ...failed, ofLatest: false } })).toEqual([
      'bad',
      expect.stringMatching(/failed at compare: public\.invoice_lines: 12,400,112 rows/),
    ])
    expect(judge('content', { test: failed })[0]).toBe('bad')
  })

  test('that is incomplete is no pass', () => {
    const steps: RestoreTest['steps'] = [
      { step: 'objects', outcome: 'pass', seconds: 1, checks: 9, findings: [] },
      {
        step: 'restore',
        outcome: 'incomplete',
        seconds: 1,
        checks: 0,
        findings: [
          { severity: 'warning', message: 'slow' },
          { severity: 'incomplete', message: 'no room on the disk' },
        ],
      },
    ]
    const incomplete: RestoreTest = { ...passed, outcome: 'incomplete', steps }
    expect(judge('test', { test: incomplete })[1]).toMatch(
      /is incomplete at restore: no room on the disk$/,
    )
    expect(judge('content', { test: incomplete })[0]).toBe('attention')
  })

  test('is not believed where nobody may sign verdicts', () => {
    const noVerdicts = 'no verdict can be believed: verify.signer is not set'
    expect(judge('test', { test: null, proven: null, noVerdicts })).toEqual([
      'attention',
      noVerdicts,
    ])
  })
})

test('limits hold up to the second; without one nothing is judged', () => {
  const recovery = (seconds: number | null, limit: number | null) =>
    judge('recovery', { recovery: { seconds, limit } })[0]
  expect([
    recovery(60, 60),
    recovery(61, 60),
    recovery(9e9, null),
    recovery(null, null),
    recovery(null, 60),
  ]).toEqual(['good', 'bad', 'good', 'good', 'attention'])
  const loss = (seconds: number | null, limit: number | null) =>
    judge('loss', { loss: { seconds, limit } })[0]
  expect([loss(60, 60), loss(61, 60), loss(9e9, null), loss(null, 60)]).toEqual([
    'good',
    'bad',
    'good',
    'good',
  ])
})

describe('keys', () => {
  const keyed = (...keys: KeyFact[]) => judge('keys', { keys })
  const broken = (key: KeyFact): KeyFact => ({ ...key, problems: ['expired on 2026-11-01'] })

  test('near their end are told of weeks before', () => {
    const ends = (expires: string) => keyed(operations, { ...offline, expires })
    expect(ends('2026-12-24T00:00:00Z')[0]).toBe('good')
    expect(ends('2026-12-10T08:00:00Z')).toEqual([
      'attention',
      'key of side offline (…2222222222222222) ends on 2026-12-10, in 18 days',
    ])
  })

  test('of a side that cannot be used stop the next backup', () => {
    expect(keyed(operations, broken(offline))).toEqual([
      'bad',
      'key of side offline (…2222222222222222): expired on 2026-11-01',
    ])
  })

  test('of a signer that was retired do not, while there is another', () => {
    expect(keyed(operations, broken(signer), signer)[0]).toBe('attention')
    expect(keyed(operations, broken(signer))[0]).toBe('bad')
    expect(keyed(operations, broken(verdicts))[0]).toBe('bad')
    expect(keyed(operations, broken({ ...signer, role: 'signing key' }))[0]).toBe('attention')
  })

  test('of a custodian that lie on this machine want attention', () => {
    const keyWarnings = [
      'a.asc holds the PRIVATE key A of offline: take it off this machine',
      'more',
    ]
    expect(judge('keys', { keyWarnings })).toEqual(['attention', keyWarnings[0]])
  })

  test('on both sides are found though each is good', () => {
    expect(judge('keys', { keyProblems: ['key A is on both sides'] })).toEqual([
      'bad',
      'key A is on both sides',
    ])
  })
})

test('a lock that is configured has to be there and in force', () => {
  expect(judge('lock', { lockedUntil: null })[0]).toBe('bad')
  expect(judge('lock', { lockedUntil: '2026-11-22T06:00:00.000Z' })[0]).toBe('bad')
  expect(check('lock', { lock: false, lockedUntil: null })).toBeUndefined()
})

test('an envelope of the verifier may wait for its test, and for nothing else', () => {
  const waiting = {
    latest: { ...latest, proven: 'open' as const },
    test: { ...passed, ofLatest: false },
  }
  expect(judge('envelope', { ...waiting, verifierEnvelopes: [latest.label] })[0]).toBe('good')
  expect(judge('envelope', { verifierEnvelopes: [latest.label] })[0]).toBe('attention')
  expect(judge('envelope', { ...waiting, verifierEnvelopes: ['a', 'b', latest.label] })[1]).toBe(
    'the verifier can still open a and 1 more',
  )
})

test('a run under way is no leftover; one of last week is', () => {
  const unfinished = (age: number) =>
    judge('leftovers', { unfinished: [{ label: 'a', objects: 3, age }] })[0]
  expect([unfinished(HOUR), unfinished(49 * HOUR)]).toEqual(['good', 'attention'])
  expect(judge('leftovers', { stranded: ['upload'] })[0]).toBe('attention')
})

test('a broken chain is bad, and counted', () => {
  expect(judge('chain', { broken: ['a is damaged', 'b follows c, which is missing'] })).toEqual([
    'bad',
    'the chain is not whole: a is damaged, and 1 more',
  ])
})

test('drills are due after their days, counted from the first backup where there was none', () => {
  const drill = (offline: string | null, more: Partial<Judgeable> = {}) =>
    judge('drills', {
      drills: [
        { side: 'operations', time: '2026-11-22T05:00:00.000Z' },
        { side: 'offline', time: offline },
      ],
      ...more,
    })
  expect(check('drills', {})?.found).toBe('operations 19 days ago, offline 51 days ago')
  expect(drill('2026-08-15T07:00:00.000Z')[0]).toBe('good')
  const due = ['attention', 'a drill is due for offline: pgveil keys drill']
  expect(drill('2026-08-14T06:00:00.000Z')).toEqual(due)
  // Of a young chain nothing is expected, though retention may have removed its beginning.
  const at = (sequence: number) => ({ latest: { ...latest, sequence } })
  expect(drill(null, at(99))[0]).toBe('good')
  expect(drill(null, at(101))).toEqual(due)
  expect(drill(null, { ...at(1), oldestAge: 101 * DAY })).toEqual(due)
  expect(check('drills', { drillDays: 0 })).toBeUndefined()
})
