import { expect, test } from '@jest/globals'
import { intervalOf, lateness, timeOf } from '../../../src/verify/find.ts'
import { checkLimits } from '../../../src/verify/limits.ts'
import { StepRecord } from '../../../src/verify/step.ts'

const LABEL = '20261122T020000Z-crm'
const HOUR = 3_600_000

const within = {
  recoverySeconds: 50,
  ageSeconds: 3600,
  intervalSeconds: 24 * 3600,
  content: 1000,
  proven: { label: '20261121T020000Z-crm', content: 900 },
}

const limits = { recoverySeconds: 60, ageHours: 2, intervalHours: 25, sizeChangePercent: 20 }

test('within all limits', () => {
  const record = new StepRecord('limits')
  checkLimits(record, limits, within)
  expect(record.result).toMatchObject({ outcome: 'pass', checks: 4, findings: [] })
})

test('beyond each of them, by name and number', () => {
  const record = new StepRecord('limits')
  checkLimits(record, limits, {
    recoverySeconds: 61,
    ageSeconds: 3 * 3600,
    intervalSeconds: 49 * 3600,
    content: 100,
    proven: within.proven,
  })
  expect(record.findings.map(({ message }) => message)).toEqual([
    'recovery took 61.0 s, the limit is 60',
    'the backup is 3.00 h old, the limit is 2',
    'the backup before is 49.0 h older, the limit is 25',
    '100 bytes, 20261121T020000Z-crm had 900: changed by -88.9 %, the limit is 20 %',
  ])
  expect(record.result.outcome).toBe('fail')
})

test('a recovery that was not measured is no pass', () => {
  const record = new StepRecord('limits')
  checkLimits(record, { recoverySeconds: 60 }, { ...within, recoverySeconds: null })
  expect(record.result.outcome).toBe('incomplete')
})

test('a backup that was empty and is not any more has changed beyond any limit', () => {
  const record = new StepRecord('limits')
  const proven = { label: 'x', content: 0 }
  checkLimits(record, { sizeChangePercent: 1000 }, { ...within, proven })
  expect(record.result.outcome).toBe('fail')
})

test('a label says when the snapshot was taken', () => {
  expect(new Date(timeOf(LABEL)).toISOString()).toBe('2026-11-22T02:00:00.000Z')
  expect(intervalOf(LABEL, '20261121T020000Z-crm')).toBe(24 * 3600)
  expect(intervalOf(LABEL, undefined)).toBeNull()
})

test('the latest backup is late once another should be there, half an hour after a day', () => {
  expect(lateness(LABEL, 24, timeOf(LABEL) + 24.4 * HOUR)).toBeUndefined()
  expect(lateness(LABEL, 24, timeOf(LABEL) + 25 * HOUR)).toBe(
    `a backup is missing: the latest, ${LABEL}, is 25.0 h old, one is expected every 24 h`,
  )
})
