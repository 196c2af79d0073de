import { describe, expect, test } from '@jest/globals'
import { copyOutSql, pageRanges, type CopyOutRequest } from '../../../src/source/copy-sql.ts'

const MIB = 1024 * 1024

describe('page ranges', () => {
  const heap = (mebibytes: number, pages = (mebibytes * MIB) / 8192) => ({
    isHeap: true,
    pages,
    bytes: mebibytes * MIB,
  })

  test.each([
    ['an empty table', heap(0), MIB],
    ['a small table', heap(127), MIB],
    ['a table of one range', heap(300), 200 * MIB],
    ['a table that is no heap', { ...heap(9000), isHeap: false }, 100 * MIB],
    ['one page with much TOAST', heap(9000, 1), 100 * MIB],
    ['no page', heap(9000, 0), 100 * MIB],
  ])('%s is not cut', (_, table, bytes) => {
    expect(pageRanges(table, bytes)).toEqual([undefined])
  })

  test.each([
    ['two', heap(128), MIB, 2],
    ['as many as asked', heap(1000), 100 * MIB, 10],
    ['never below 64 MiB', heap(1000), 1, 15],
    ['never more than pages', heap(1000, 3), 1, 3],
    ['an odd number of pages', heap(1000, 1009), 100 * MIB, 10],
  ])('%s', (_, table, bytes, count) => {
    const ranges = pageRanges(table, bytes)
    expect(ranges).toHaveLength(count)
    let next = 0
    for (const range of ranges) {
      expect(range?.from).toBe(next)
      next = range?.to ?? Number.NaN
      if (range?.to !== undefined) expect(range.to - range.from).toBeGreaterThan(0)
    }
    // pages that came after the count was taken belong to the last
    expect(next).toBeNaN()
    const sizes = ranges
      .slice(0, -1)
      .map((range) => (range?.to as number) - (range?.from as number))
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
  })
})

describe('COPY TO', () => {
  const sql = (request: Partial<CopyOutRequest>) =>
    copyOutSql({
      table: { schema: 'a', name: 'b"c' },
      columns: ['x', 'Y "z"'],
      conditions: [],
      where: undefined,
      range: undefined,
      codec: 'binary',
      ...request,
    })
  const selected = 'COPY (SELECT "x", "Y ""z""" FROM ONLY "a"."b""c"'

  test.each<[string, Partial<CopyOutRequest>, string]>([
    ['all', {}, 'COPY "a"."b""c" ("x", "Y ""z""") TO STDOUT (FORMAT binary)'],
    ['as text', { codec: 'text' }, 'COPY "a"."b""c" ("x", "Y ""z""") TO STDOUT (FORMAT text)'],
    [
      'no columns',
      { columns: [] },
      'COPY (SELECT  FROM ONLY "a"."b""c") TO STDOUT (FORMAT binary)',
    ],
    [
      'a range without bounds',
      { range: { from: 0, to: undefined } },
      `${selected}) TO STDOUT (FORMAT binary)`,
    ],
    [
      'the first range',
      { range: { from: 0, to: 7 } },
      `${selected} WHERE ctid < '(7,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)`,
    ],
    [
      'a range in the midst',
      { range: { from: 7, to: 9 } },
      `${selected} WHERE ctid >= '(7,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)`,
    ],
    [
      'the last range',
      { range: { from: 9, to: undefined } },
      `${selected} WHERE ctid >= '(9,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)`,
    ],
    [
      'a filter',
      { where: 'x > 1 OR true' },
      `${selected} WHERE (x > 1 OR true)) TO STDOUT (FORMAT binary)`,
    ],
    [
      'conditions',
      { columns: ['x'], conditions: ['x > 1', 'true'] },
      'COPY (SELECT (x > 1)::bool, (true)::bool, "x" FROM ONLY "a"."b""c") TO STDOUT (FORMAT binary)',
    ],
  ])('%s', (_, request, wanted) => {
    expect(sql(request)).toBe(wanted)
  })
})
