import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { daysOf, type DaysRequest } from '../../../src/daily/days.ts'
import { mergeHistory, readHistory, writeHistory, type Past } from '../../../src/daily/history.ts'
import { labelName, stampTime } from '../../../src/backup/label.ts'
import { span } from '../../../src/daily/words.ts'

const AT = Date.parse('2026-11-22T07:00:00Z')

function past(day: number, sequence: number, more: Partial<Past> = {}): Past {
  const two = String(day).padStart(2, '0')
  return {
    label: `202611${two}T020000Z-crm`,
    sequence,
    time: `2026-11-${two}T02:00:00Z`,
    stored: 1000 + day,
    rows: 10 * day,
    outcome: 'pass',
    recoverySeconds: 60,
    ...more,
  }
}

function states(
  request: Partial<DaysRequest> & Pick<DaysRequest, 'history'>,
): Record<string, string> {
  const here = new Set(request.history.map(({ label }) => label))
  const days = daysOf({ here, damaged: [], everyHours: 24, at: AT, ...request })
  expect(days).toHaveLength(30)
  expect(days[0]?.date).toBe('2026-10-24')
  expect(days[29]?.date).toBe('2026-11-22')
  return Object.fromEntries(days.map(({ date, state }) => [date.slice(8), state]))
}

describe('nights', () => {
  test('a night without a backup is missed; before the first one none was due', () => {
    const found = states({ history: [past(18, 1), past(19, 2), past(21, 3), past(22, 4)] })
    expect(found).toMatchObject({ 17: 'idle', 18: 'pass', 19: 'pass', 20: 'missed', 21: 'pass' })
  })

  test('last night counts from the hour on in which the backup is late', () => {
    const history = [past(20, 1), past(21, 2)]
    const at = (time: string) => states({ history, at: Date.parse(time) })['22']
    expect(at('2026-11-22T01:30:00Z')).toBe('idle')
    expect(at('2026-11-22T02:30:00Z')).toBe('missed')
  })

  test('where one a week is expected, six days are idle', () => {
    const found = states({ history: [past(1, 1), past(8, 2), past(22, 3)], everyHours: 168 })
    expect(found).toMatchObject({
      '04': 'idle',
      14: 'idle',
      15: 'missed',
      21: 'missed',
      22: 'pass',
    })
  })

  test('what retention has removed is known from earlier reports, or at least suspected', () => {
    const history = [past(10, 40), past(11, 41), past(20, 47), past(22, 48)]
    const here = new Set(history.slice(1).map(({ label }) => label))
    const days = daysOf({ history, here, damaged: [], everyHours: 24, at: AT })
    const by = Object.fromEntries(days.map((day) => [day.date.slice(8), day]))
    expect(by['10']).toMatchObject({ state: 'pass', removed: true, stored: 1010 })
    expect(by['11']).not.toHaveProperty('removed')
    // Numbers 42 to 46 were made on some of these nights.
    expect(by['15']?.state).toBe('unknown')
    expect(by['09']?.state).toBe('unknown')
    // 48 follows 47: nothing was made in between.
    expect(by['21']?.state).toBe('missed')
  })

  test('the last backup of a day stands for it', () => {
    const later = past(22, 3, {
      time: '2026-11-22T05:00:00Z',
      outcome: 'fail',
      stored: 7,
      label: '20261122T050000Z-crm',
    })
    const days = daysOf({
      history: [past(22, 2), later],
      here: new Set(),
      damaged: [],
      everyHours: 24,
      at: AT,
    })
    expect(days[29]).toMatchObject({ state: 'fail', backups: 2, stored: 7 })
  })

  test('a damaged backup is seen, whether it was known or not', () => {
    const found = states({
      history: [past(20, 1), past(21, 2)],
      damaged: ['20261121T020000Z-crm', '20261122T020000Z-crm'],
    })
    expect(found).toMatchObject({ 20: 'pass', 21: 'damaged', 22: 'damaged' })
  })
})

describe('history', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgveil-history-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  test('what is in the store wins over what was seen', () => {
    const merged = mergeHistory([past(20, 1), past(21, 2, { outcome: 'open' })], [past(21, 2)])
    expect(merged.map(({ outcome }) => outcome)).toEqual(['pass', 'pass'])
  })

  test('comes back as it was written, what is old left out', async () => {
    const path = join(directory, 'deep', 'history.json')
    expect(await readHistory(path)).toEqual([])
    const old = past(1, 1, { time: '2026-08-01T02:00:00Z' })
    await writeHistory(path, [old, past(20, 2)], AT)
    expect(await readHistory(path)).toEqual([past(20, 2)])
    expect(await readdir(join(directory, 'deep'))).toEqual(['history.json'])
  })

  test('a damaged one is no history, and no error', async () => {
    const path = join(directory, 'history.json')
    for (const text of ['', '{', '{"format":"pgveil history 2","backups":[]}']) {
      await writeFile(path, text)
      expect(await readHistory(path)).toBeUndefined()
    }
  })

  test('a file that cannot be replaced stays, and nothing beside it', async () => {
    const path = join(directory, 'file', 'history.json')
    await writeFile(join(directory, 'file'), 'mine')
    await expect(writeHistory(path, [], AT)).rejects.toThrow(
      /^cannot write .*history\.json: (not a directory \(ENOTDIR\)|file already exists \(EEXIST\))$/,
    )
    expect(await readFile(join(directory, 'file'), 'utf8')).toBe('mine')
    expect(await readdir(directory)).toEqual(['file'])
  })
})

test('labels and spans in words', () => {
  expect(stampTime('20261122T020004Z-crm')).toBe(Date.parse('2026-11-22T02:00:04Z'))
  expect(stampTime('20261399T000000Z-crm')).toBe(Date.UTC(2027, 0, 99))
  expect(stampTime('crm')).toBeNaN()
  expect(labelName('20261122T020004Z-crm-z-z')).toBe('crm-z-z')
  expect([30, 90, 7_199, 172_800, 260_000].map(span)).toEqual([
    '30 s',
    '1 min',
    '1 h',
    '48 h',
    '3 days',
  ])
})
