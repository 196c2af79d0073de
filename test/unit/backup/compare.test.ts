import { expect, test } from '@jest/globals'
import type pg from 'pg'
import { compareRestored, type CompareRequest } from '../../../src/backup/compare.ts'
import type { Manifest } from '../../../src/backup/manifest.ts'

/** What no manifest can bring about, since a restore goes by it: rows that are fewer, a sequence that was not set. */

const MANIFEST = {
  tables: [{ rows: 2 }, { rows: 3 }],
  largeObjects: { count: 1 },
  sequences: [
    { schema: 'public', name: 'one', value: '7', called: true },
    { schema: 'public', name: 'two', value: '8', called: false },
  ],
} as Manifest

const OTHERS = [{ code: 'owner-left-out' }]

/** A server on which the second sequence stands there. */
function compare(two: { value: string; called: boolean }, change: Partial<CompareRequest> = {}) {
  const client = {
    query: (sql: string) =>
      Promise.resolve({
        rows: sql.includes('pg_largeobject')
          ? [{ count: 1 }]
          : [
              { k: 0, value: '7', called: true },
              { k: 1, ...two },
            ],
      }),
  } as unknown as pg.Client
  const request = { manifest: MANIFEST, whole: true, rows: 5, warnings: OTHERS, ...change }
  return compareRestored(client, request as CompareRequest)
}

const AS_SAID = { value: '8', called: false }

test('says what it has compared', async () => {
  await expect(compare(AS_SAID)).resolves.toEqual({ rows: 5, 'large objects': 1, sequences: 2 })
  const part = { whole: false, rows: 3 }
  await expect(compare(AS_SAID, part)).resolves.toEqual({ rows: 3, sequences: 2 })
})

test('another number of rows', async () => {
  await expect(compare(AS_SAID, { rows: 4 })).rejects.toMatchObject({
    kind: 'integrity',
    message: '4 rows were restored, the manifest says 5',
  })
})

test.each([
  { value: '9', called: false },
  { value: '8', called: true },
])('a sequence at %j', async (two) => {
  await expect(compare(two)).rejects.toMatchObject({
    kind: 'integrity',
    message: 'sequence public.two does not stand where the manifest says',
  })
})
