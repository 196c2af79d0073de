import { describe, expect, test } from '@jest/globals'
import { operationsSettings } from '../../../src/config/operations.ts'

type Raw = Parameters<typeof operationsSettings>[0]

const settings = (raw: Raw = {}) => operationsSettings(raw, '/etc/pgveil', { HOME: '/home/me' })

describe('audit', () => {
  test('records are kept for 365 days, detailed logs for 90, and nothing depends on them', () => {
    const expected = { records: true, required: false, days: 365, detailDays: 90 }
    expect(settings().audit).toEqual(expected)
  })

  test('what is configured is required; each number has its own default', () => {
    const required = { records: true, required: true }
    expect(settings({ audit: {} }).audit).toEqual({ ...required, days: 365, detailDays: 90 })
    const days = settings({ audit: { days: 30 } }).audit
    expect(days).toEqual({ ...required, days: 30, detailDays: 90 })
    const detailed = settings({ audit: { detailDays: 400 } }).audit
    expect(detailed).toEqual({ ...required, days: 365, detailDays: 400 })
  })

  test('off', () => {
    expect(settings({ audit: 'off' }).audit).toMatchObject({ records: false, required: false })
  })
})

describe('retention', () => {
  const DEFAULTS = { days: 7, daily: 14, weekly: 8, monthly: 12, yearly: 0, graceHours: 48 }

  test('defaults', () => {
    expect(settings().retention).toEqual(DEFAULTS)
    expect(settings({ retention: {} }).retention).toEqual(DEFAULTS)
  })

  test.each(Object.keys(DEFAULTS))('%s alone is another', (key) => {
    // 0 is a number, and not the absence of one.
    for (const value of key === 'graceHours' ? [3] : [0, 3]) {
      const { retention } = settings({ retention: { [key]: value } })
      expect(retention).toEqual({ ...DEFAULTS, [key]: value })
    }
  })
})
