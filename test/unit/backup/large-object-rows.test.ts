import { expect, test } from '@jest/globals'
import { LargeObjectRows } from '../../../src/backup/large-object-rows.ts'
import { LineRows } from '../../../src/stream/rows.ts'

const KEY = Buffer.from('0123456789abcdef')
const SQL = `SET client_encoding = 'UTF8';
BEGIN;
SELECT pg_catalog.lo_create(17);
COMMENT ON LARGE OBJECT 17 IS 'SELECT pg_catalog.lo_put(1, 0, ''\\x00'');';
SELECT pg_catalog.lo_put(17, 0, '\\xab01');
SELECT pg_catalog.lo_put(17, 262144, '\\xff');
SELECT pg_catalog.lo_create(20);
DO $pgveil$BEGIN END$pgveil$;
COMMIT;
`
const ROWS = '17\t-1\t\n17\t0\tab01\n17\t262144\tff\n20\t-1\t\n'

function digestOf(rows: string): string {
  const lines = new LineRows(KEY)
  lines.take(Buffer.from(rows))
  return lines.digest()
}

test('a row for each object and for each piece of its content, wherever the SQL is cut', () => {
  const expected = { fromOid: 17, toOid: 20, digest: digestOf(ROWS) }
  for (let size = 1; size <= SQL.length; size++) {
    const rows = new LargeObjectRows(KEY)
    for (let at = 0; at < SQL.length; at += size) rows.take(Buffer.from(SQL.slice(at, at + size)))
    expect(rows.contents).toEqual(expected)
  }
})

test('no object, no contents', () => {
  const rows = new LargeObjectRows(KEY)
  rows.take(Buffer.from('BEGIN;\nCOMMIT;\n'))
  expect(rows.contents).toBeUndefined()
})
