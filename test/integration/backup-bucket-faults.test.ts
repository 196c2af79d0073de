import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import {
  backUp,
  bench,
  expectEqual,
  expectFailed,
  listOf,
  place,
  setUp,
  start,
  tearDown,
} from '../fixtures/backup-places.ts'
import type { Asked, Fault } from '../fixtures/s3-stand-in.mjs'

// What a bucket does to a backup under way; see backup-faults.test.ts for what is expected of it.

beforeAll(setUp)
afterAll(tearDown)
beforeEach(() => {
  bench.s3.onRequest = () => undefined
  bench.s3.requests.length = 0
})

/** Faults for the first `times` requests of an operation. */
function failFirst(operation: RegExp, times: number, fault: Fault): void {
  let count = 0
  bench.s3.onRequest = (asked: Asked) =>
    operation.test(asked.operation) && ++count <= times ? fault : undefined
}

describe('the bucket', () => {
  const FORBIDDEN: Fault = { status: 403, code: 'QuotaExceeded' }

  test.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
    'refuses %s',
    async (operation) => {
      const at = await place('s3')
      failFirst(new RegExp(operation), 99, FORBIDDEN)
      await expectFailed(at, start(at), {
        code: 13,
        message: /error: cannot write s3:\/\/safe\/\S+\/tables\/\S+: .*quota/,
        hint: /./,
      })
    },
  )

  test.each([1, 3, 5, 7, 10, 12, 13])('refuses the PutObject number %i', async (number) => {
    const at = await place('s3', { database: 'small' })
    let count = 0
    bench.s3.onRequest = ({ operation }) =>
      operation === 'PutObject' && ++count === number ? FORBIDDEN : undefined
    const result = await start(at).done
    expect(result.code).toBe(13)
    expect(count).toBeGreaterThanOrEqual(number)
    expect(at.names()).toEqual([])
  })

  test('is overloaded for a while, resets and loses answers: nobody notices', async () => {
    const at = await place('s3')
    let count = 0
    const faults: Fault[] = [{ status: 503, code: 'SlowDown' }, 'reset', { loseAnswer: true }]
    bench.s3.onRequest = () => (++count % 3 === 0 ? faults[(count / 3) % 3] : undefined)
    const label = await backUp(at)
    expect(count).toBeGreaterThan(30)
    bench.s3.onRequest = () => undefined
    expect(await listOf(at)).toMatchObject([{ label, problems: [] }])
    await expectEqual(at, label)
  })

  test('a part hangs: it is sent again', async () => {
    const at = await place('s3')
    failFirst(/UploadPart/, 1, 'hang')
    expect(await listOf(at)).toEqual([])
    const label = await backUp(at)
    expect(await listOf(at)).toMatchObject([{ label, problems: [] }])
  })

  test('lies in another region: refused before the first byte, and before the source is asked', async () => {
    bench.s3.addBucket('abroad', { location: 'us-east-1' })
    const at = await place('s3', { s3: { bucket: 'abroad' } })
    const before = bench.source.log().length
    await expectFailed(at, start(at), { code: 16, message: /error: .*us-east-1/, hint: /./ })
    expect(bench.s3.requests.filter(({ method }) => method === 'PUT' || method === 'POST')).toEqual(
      [],
    )
    expect(bench.source.log().slice(before)).not.toContain('pgveil')
  })

  test('stays overloaded for longer than a run waits', async () => {
    const at = await place('s3', { database: 'small' })
    const storm: Fault = { status: 503, code: 'SlowDown' }
    bench.s3.onRequest = ({ operation, key }) =>
      operation === 'PutObject' && key.endsWith('restore.sh') ? storm : undefined
    await expectFailed(at, start(at), {
      code: 13,
      message: /error: cannot (write|create) s3:\/\/safe\/\S+restore\.sh: /,
      hint: /./,
    })
  })

  test('loses the answer to the very last request, and is gone: the backup is there, and the run says so', async () => {
    const at = await place('s3', { database: 'small' })
    let last = false
    bench.s3.onRequest = ({ operation, key }) => {
      if (!key.endsWith('/manifest.json') || operation === 'GetObject') return undefined
      if (operation === 'PutObject' && !last) {
        last = true
        return { loseAnswer: true }
      }
      return last ? { status: 403, code: 'AccessDenied' } : undefined
    }
    const { code, stderr } = await start(at).done
    bench.s3.onRequest = () => undefined
    const [found] = await listOf(at)
    expect(found?.problems).toEqual([])
    if (code !== 0) {
      expect(code).toBe(13)
      expect(stderr).toContain(`left behind: the backup ${found?.label}, which is whole`)
    }
  })
})
