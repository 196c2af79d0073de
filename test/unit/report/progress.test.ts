import { expect, test } from '@jest/globals'
import type { ProgressEvent } from '../../../src/report/events.ts'
import { Progress } from '../../../src/report/progress.ts'

const event = (seconds: number, bytes: number): ProgressEvent => ({
  event: 'progress',
  table: 'public.t',
  rows: 1,
  bytes,
  estimatedRows: 100,
  seconds,
})

test('a first event at no time tells no rate of its table, and later ones tell theirs', () => {
  const progress = new Progress()
  const rate = () => progress.running[0]?.rate
  progress.see(event(0.000_001, 1_000_000), 0)
  expect(rate()).toBe(0)
  for (let s = 1; s <= 20; s++) progress.see(event(s, 1_000_000 * (s + 1)), s * 1000)
  expect(rate()).toBeGreaterThan(900_000)
  expect(rate()).toBeLessThan(1_100_000)
})

test('the rate of all counts tables that are over before they told anything', () => {
  const progress = new Progress()
  progress.see({ event: 'phase', phase: 'rows', state: 'started' }, 10_000)
  expect(progress.rate(10_000)).toBe(0)
  for (let s = 1; s <= 4; s++) {
    const { table, rows, bytes } = event(0.2, 1_000_000)
    const over = { event: 'table', table, rows, bytes, seconds: 0.2, codec: 'text' } as const
    progress.see({ ...over, masked: {} }, 10_000 + s * 1000)
  }
  expect(progress.running).toEqual([])
  expect(progress.rate(14_000)).toBe(1_000_000)
})
