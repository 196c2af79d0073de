import { appendFileSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { verifyRecords } from '../../../src/audit/verify.ts'
import { Records } from './records.ts'

const DAY = '2026-11-22.jsonl'

function eventsOf(records: Records, file: string): string[] {
  const lines = records.text(file).trimEnd().split('\n')
  return lines.map((line) => (JSON.parse(line) as { event: string }).event)
}

describe('a process that died', () => {
  test('in the middle of a line: it is removed, and the next record says so', async () => {
    const records = await new Records().fill()
    appendFileSync(records.path(DAY), '{"sequence":16,"prev')
    const { torn, broken } = await verifyRecords(records.directory, undefined)
    expect({ torn, broken }).toEqual({ torn: 20, broken: undefined })
    expect((await records.add('2026-11-22T05:00')).damage).toBeUndefined()
    expect(eventsOf(records, DAY).slice(-2)).toEqual(['repaired', 'start'])
    expect(await records.broken()).toBeUndefined()
  })

  test('between a line and the head: the line counts', async () => {
    const records = await new Records().fill()
    const head = records.text('head')
    await records.add('2026-11-22T05:00')
    records.write('head', head)
    expect(await records.broken()).toBeUndefined()
    expect((await records.add('2026-11-22T06:00')).damage).toBeUndefined()
    expect(eventsOf(records, DAY)).toHaveLength(7)
    expect(await records.broken()).toBeUndefined()
  })

  test.each(['whole', 'torn', 'empty'])(
    'while it began a day, its first line %s',
    async (state) => {
      const records = await new Records().fill()
      const head = records.text('head')
      await records.add('2026-11-23T01:00')
      const [first = ''] = records.text('2026-11-23.jsonl').split('\n')
      const left = { whole: `${first}\n`, torn: first.slice(0, 30), empty: '' }[state] as string
      for (const today of ['2026-11-23', '2026-11-25']) {
        records.write('head', head)
        records.write('2026-11-23.jsonl', left)
        if (records.names().includes('2026-11-25.jsonl'))
          unlinkSync(records.path('2026-11-25.jsonl'))
        expect((await records.add(`${today}T02:00`)).damage).toBeUndefined()
        expect(await records.broken()).toBeUndefined()
        expect(eventsOf(records, `${today}.jsonl`)).toEqual(['open', 'start'])
      }
    },
  )

  test('while it wrote the very first line', async () => {
    const records = new Records()
    await records.add('2026-11-22T01:00')
    const [first = ''] = records.text(DAY).split('\n')
    for (const left of [`${first}\n`, first.slice(0, 30), '']) {
      unlinkSync(records.path('head'))
      records.write(DAY, left)
      expect((await records.add('2026-11-22T02:00')).damage).toBeUndefined()
      expect(eventsOf(records, DAY)).toEqual(['open', 'start'])
      expect(await records.broken()).toBeUndefined()
    }
  })
})

test('a clock that was put back begins no older file', async () => {
  const records = await new Records().fill()
  await records.add('2026-11-20T12:00')
  expect(eventsOf(records, DAY)).toHaveLength(6)
  expect(await records.broken()).toBeUndefined()
})

test('a file from the future is not gone on with', async () => {
  const records = await new Records().fill()
  writeFileSync(records.path('9999-12-31.jsonl'), '')
  await records.add('2026-11-23T01:00')
  expect(eventsOf(records, '2026-11-23.jsonl')).toEqual(['open', 'start'])
})

describe('retention', () => {
  test('removes whole days with their signatures, and the chain begins after them', async () => {
    const records = await new Records().fill()
    records.write('2026-11-20.jsonl.asc', 'signature')
    await records.add('2026-11-23T01:00', {}, 2)
    expect(records.names()).toEqual(['2026-11-21.jsonl', DAY, '2026-11-23.jsonl', 'head'])
    const removed = records.text('2026-11-23.jsonl').split('\n')[1] ?? ''
    expect(JSON.parse(removed)).toMatchObject({ event: 'removed', files: ['2026-11-20.jsonl'] })
    expect(await records.broken()).toBeUndefined()
    unlinkSync(records.path('2026-11-21.jsonl'))
    expect(await records.broken()).toBe(`${DAY}:1 missing`)
  })

  test('never removes the newest file, and nothing without a new day', async () => {
    const records = await new Records().fill()
    await records.add('2026-11-22T05:00', {}, 1)
    expect(records.names()).toHaveLength(4)
    await records.add('2027-11-22T05:00', {}, 1)
    expect(records.names()).toEqual(['2027-11-22.jsonl', 'head'])
    expect(await records.broken()).toBeUndefined()
  })

  test('what a process that died has not removed is no break', async () => {
    const records = await new Records().fill()
    const old = readFileSync(records.path('2026-11-20.jsonl'))
    await records.add('2026-11-23T01:00', {}, 2)
    writeFileSync(records.path('2026-11-20.jsonl'), old)
    expect(await records.broken()).toBeUndefined()
    await records.add('2026-11-24T01:00', {}, 2)
    expect(records.names()).toEqual([DAY, '2026-11-23.jsonl', '2026-11-24.jsonl', 'head'])
    expect(await records.broken()).toBeUndefined()
  })
})

test('records that come at once stand one after the other', async () => {
  const records = new Records()
  const runs = Array.from({ length: 20 }, (_, i) =>
    records.add('2026-11-22T01:00', { run: `${i}` }),
  )
  await Promise.all(runs)
  expect(eventsOf(records, DAY)).toHaveLength(21)
  expect(await records.broken()).toBeUndefined()
  expect(records.names()).toEqual([DAY, 'head'])
})
