import { createHash } from 'node:crypto'
import { rmSync, statSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { Records } from './records.ts'

// Whatever is done to the records behind pgveil's back is named, with the first line that is not what it was.

const DAY = '2026-11-21.jsonl'
const LAST = '2026-11-22.jsonl'

const sha256 = (line: string) => createHash('sha256').update(line).digest('hex')

/** The record with other content. */
const altered = (line: string) => line.replace('"command":"backup"', '"command":"masked"')

/** A line that follows another as one of pgveil's would. */
function forged(before: string): string {
  const { sequence } = JSON.parse(before) as { sequence: number }
  return JSON.stringify({
    sequence: sequence + 1,
    previous: sha256(before),
    time: '2026-11-21T02:30:00.000Z',
    event: 'start',
    run: 'forged',
  })
}

/** Lines from `from` on, linked anew, as one who knows the format would. */
function relinked(lines: string[], from: number): string[] {
  const result = lines.slice(0, from)
  for (const line of lines.slice(from)) {
    const { sequence: _, previous: __, ...rest } = JSON.parse(line) as Record<string, unknown>
    const before = result.at(-1) as string
    const { sequence } = JSON.parse(before) as { sequence: number }
    result.push(JSON.stringify({ sequence: sequence + 1, previous: sha256(before), ...rest }))
  }
  return result
}

test('what pgveil wrote is whole, over days', async () => {
  const records = await new Records().fill()
  expect(records.names()).toEqual(['2026-11-20.jsonl', DAY, LAST, 'head'])
  expect(await records.broken()).toBeUndefined()
  const lines = records.text(DAY).split('\n')
  const opened = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  const former = records.text('2026-11-20.jsonl').trimEnd().split('\n').at(-1) as string
  expect(opened).toMatchObject({
    sequence: 6,
    previous: sha256(former),
    event: 'open',
    format: 'pgveil audit 1',
    file: DAY,
    former: '2026-11-20.jsonl',
  })
  for (const file of [DAY, 'head']) expect(statSync(records.path(file)).mode & 0o777).toBe(0o600)
  expect(statSync(records.directory).mode & 0o777).toBe(0o700)
})

type Edit = (lines: string[]) => string[]
const edit: Record<string, [string, Edit]> = {
  'changed in the middle': [`${DAY}:3 changed`, (l) => l.with(2, altered(l[2] as string))],
  'changed at the end of a file': [`${DAY}:5 changed`, (l) => l.with(4, altered(l[4] as string))],
  'changed first line': [
    `${DAY}:1 changed`,
    (l) => l.with(0, (l[0] as string).replace('"former"', '"Former"')),
  ],
  'no record any more': [`${DAY}:3 changed`, (l) => l.with(2, '{')],
  'another number': [
    `${DAY}:3 changed`,
    (l) => l.with(2, (l[2] as string).replace('"sequence":8', '"sequence":80')),
  ],
  'another previous hash': [
    `${DAY}:3 changed`,
    (l) => l.with(2, (l[2] as string).replace(/"previous":"./, '"previous":"x')),
  ],
  'a line is missing': [`${DAY}:3 missing`, (l) => l.toSpliced(2, 1)],
  'the first line is missing': [`${DAY}:1 missing`, (l) => l.slice(1)],
  'two lines are missing': [`${DAY}:2 missing`, (l) => l.toSpliced(1, 2)],
  'an empty file': [`${LAST}:1 missing`, () => []],
  'a line of nonsense': [`${DAY}:3 inserted`, (l) => l.toSpliced(2, 0, 'nonsense')],
  'a line that fits the one before it': [
    `${DAY}:3 inserted`,
    (l) => l.toSpliced(2, 0, forged(l[1] as string)),
  ],
  'a line again': [`${DAY}:3 inserted`, (l) => l.toSpliced(2, 0, l[1] as string)],
  'two lines change places': [
    `${DAY}:2 reordered`,
    (l) => [0, 2, 1, 3, 4].map((i) => l[i] as string),
  ],
  'changed and linked anew to the end of the file': [
    `${DAY}:5 changed`,
    (l) => relinked(l.with(2, altered(l[2] as string)), 3),
  ],
}

test.each(Object.entries(edit))('%s', async (_, [expected, change]) => {
  const records = await new Records().fill()
  records.edit(DAY, change)
  expect(await records.broken()).toBe(expected)
})

describe('the end', () => {
  const ends: Record<string, [string, Edit]> = {
    'the last line is changed': [`${LAST}:5 changed`, (l) => l.with(4, altered(l[4] as string))],
    'lines are cut off': [`${LAST}:4 truncated`, (l) => l.slice(0, 3)],
    'rewritten from a line on': [
      `${LAST}:5 changed`,
      (l) => relinked(l.with(1, altered(l[1] as string)), 2),
    ],
    'lines are added': [
      `${LAST}:6 inserted`,
      (l) => {
        const one = forged(l[4] as string)
        return [...l, one, forged(one)]
      },
    ],
  }
  test.each(Object.entries(ends))('%s', async (_, [expected, change]) => {
    const records = await new Records().fill()
    records.edit(LAST, change)
    expect(await records.broken()).toBe(expected)
  })

  test('a whole day is cut off', async () => {
    const records = await new Records().fill()
    rmSync(records.path(LAST))
    expect(await records.broken()).toBe(`${DAY}:6 truncated`)
  })

  test('the middle of the last line is cut off', async () => {
    const records = await new Records().fill()
    records.write(LAST, records.text(LAST).slice(0, -20))
    expect(await records.broken()).toBe(`${LAST}:5 truncated`)
  })

  test('what is cut off leaves a gap that later records do not close', async () => {
    const records = await new Records().fill()
    records.edit(LAST, (lines) => lines.slice(0, 3))
    const { damage } = await records.add('2026-11-22T05:00')
    expect(damage?.message).toContain(`${LAST} is shorter than it was`)
    await records.add('2026-11-23T01:00')
    expect(await records.broken()).toBe(`${LAST}:4 missing`)
  })

  test('lines that no command has written stay named, whatever follows', async () => {
    const records = await new Records().fill()
    records.edit(LAST, (lines) => {
      const one = forged(lines[4] as string)
      return [...lines, one, forged(one)]
    })
    expect((await records.add('2026-11-22T05:00')).damage).toBeDefined()
    expect(await records.broken()).toBe(`${LAST}:6 inserted`)
    await records.add('2026-11-22T06:00')
    expect(await records.broken()).toBe(`${LAST}:6 inserted`)
  })
})

describe('the head', () => {
  test.each([
    ['missing', (records: Records) => rmSync(records.path('head'))],
    ['damaged', (records: Records) => records.write('head', '{}')],
  ])('is %s', async (_, attack) => {
    const records = await new Records().fill()
    attack(records)
    expect(await records.broken()).toBe('head head-lost')
    const { damage } = await records.add('2026-11-22T05:00')
    expect(damage?.message).toMatch(/head is (missing|damaged)$/)
    expect(await records.broken()).toBe(`${LAST}:6 head-lost`)
  })

  test('the first days are gone, though nothing was removed for its age', async () => {
    const records = await new Records().fill()
    rmSync(records.path('2026-11-20.jsonl'))
    expect(await records.broken()).toBe(`${DAY}:1 missing`)
  })

  test('there is nothing at all', async () => {
    await expect(new Records().broken()).rejects.toThrow('there are no audit records in')
  })
})
