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

test('a first event at no time tells no rate, and later ones tell theirs', () => {
  const progress = new Progress()
  progress.see(event(0.000_001, 1_000_000), 0)
  expect(progress.rate).toBe(0)
  for (let s = 1; s <= 20; s++) progress.see(event(s, 1_000_000 * (s + 1)), s * 1000)
  expect(progress.rate).toBeGreaterThan(900_000)
  expect(progress.rate).toBeLessThan(1_100_000)
})
