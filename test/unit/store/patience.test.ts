import { describe, expect, test } from '@jest/globals'
import { Bandwidth, sharedBandwidth } from '../../../src/store/bandwidth.ts'
import { pause, PATIENCE, retry } from '../../../src/store/retry.ts'
import { errorCode, prospect, s3Failure } from '../../../src/store/s3-errors.ts'
import { diskFailure } from '../../../src/store/disk-errors.ts'
import { Failure } from '../../../src/errors.ts'

const QUICK = { attempts: 4, firstMs: 1, longestMs: 2 }

describe('retry', () => {
  test('ends with patience, and throws the last failure', async () => {
    let attempts = 0
    const act = async () => {
      throw new Error(`attempt ${++attempts}`)
    }
    await expect(retry(QUICK, act, async () => true, undefined)).rejects.toThrow('attempt 4')
  })

  test('stops at once where it does not pass', async () => {
    let attempts = 0
    const act = async () => {
      throw new Error(`attempt ${++attempts}`)
    }
    await expect(retry(QUICK, act, async () => false, undefined)).rejects.toThrow('attempt 1')
  })

  test('a signal ends a pause', async () => {
    const stop = new AbortController()
    const slow = { attempts: 4, firstMs: 60_000, longestMs: 60_000 }
    const act = async () => {
      setTimeout(() => stop.abort(new Error('enough')), 5)
      throw new Error('no')
    }
    await expect(retry(slow, act, async () => true, stop.signal)).rejects.toThrow('enough')
  })

  test('pauses grow, differ, and have a limit', () => {
    for (const attempt of [1, 2, 3, 8, 20]) {
      const pauses = Array.from({ length: 50 }, () => pause(PATIENCE, attempt))
      const most = Math.min(PATIENCE.longestMs, PATIENCE.firstMs * 2 ** (attempt - 1))
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(most / 2)
      expect(Math.max(...pauses)).toBeLessThanOrEqual(most)
      expect(new Set(pauses).size).toBeGreaterThan(1)
    }
  })
})

describe('bandwidth', () => {
  test('is kept on average', () => {
    const limit = new Bandwidth(1_000_000)
    let wait = 0
    for (let i = 0; i < 100; i++) wait = limit.charge(50_000)
    // 99 × 50 kB are paid for before the last may move, less what idle time made up for.
    expect(wait).toBeGreaterThan(4700)
    expect(wait).toBeLessThanOrEqual(4950)
  })

  test('is one for all stores of a rate', () => {
    expect(sharedBandwidth(123)).toBe(sharedBandwidth(123))
    expect(sharedBandwidth(undefined)).toBeUndefined()
  })
})

describe('what an error means', () => {
  const service = (code: string, httpStatusCode: number) =>
    Object.assign(new Error('secret words'), {
      name: code,
      Code: code,
      $fault: 'client',
      $metadata: { httpStatusCode },
    })

  const system = (code: string) => Object.assign(new Error(), { code })

  test.each<[string, unknown, string]>([
    ['SlowDown', service('SlowDown', 503), 'again'],
    ['502', service('Whatever', 502), 'again'],
    ['429', service('TooMany', 429), 'again'],
    ['an error inside 200', service('InternalError', 200), 'again'],
    ['501', service('NotImplemented', 501), 'never'],
    ['507', service('Full', 507), 'never'],
    ['AccessDenied', service('AccessDenied', 403), 'never'],
    ['NoSuchKey', service('NoSuchKey', 404), 'never'],
    ['PreconditionFailed', service('PreconditionFailed', 412), 'never'],
    ['ExpiredToken', service('ExpiredToken', 400), 'renew'],
    ['a reset', system('ECONNRESET'), 'again'],
    ['a name server that is busy', system('EAI_AGAIN'), 'again'],
    ['garbage for HTTP', system('HPE_INVALID_CONSTANT'), 'again'],
    ['an answer that ended early', system('ERR_STREAM_PREMATURE_CLOSE'), 'again'],
    ['no TLS', system('EPROTO'), 'never'],
    ['an expired certificate', system('CERT_HAS_EXPIRED'), 'never'],
    ['a certificate for another host', system('ERR_TLS_CERT_ALTNAME_INVALID'), 'never'],
    ['a bug', new TypeError('a bug'), 'never'],
    ['a bug with a code', system('ERR_INVALID_ARG_TYPE'), 'never'],
    ['what was told already', new Failure('store', 'told already'), 'never'],
  ])('%s', (_, error, expected) => {
    expect(prospect(error)).toBe(expected)
  })

  test('the server’s own words are not printed, beside the name of an action', () => {
    const told = s3Failure(service('Odd', 400), 'write x') as Failure
    expect(told.message).toBe('cannot write x: the server says 400 Odd')
    const denied = service('AccessDenied', 403)
    denied.message = 'User: arn:aws:iam::1:user/x is not authorized to perform: s3:PutObject'
    expect(s3Failure(denied, 'write x')).toMatchObject({
      message: 'cannot write x: access denied',
      hint: 'allow s3:PutObject to these credentials',
    })
    const strange = service('<Signature>abc', 400)
    expect((s3Failure(strange, 'write x') as Failure).message).not.toContain('abc')
  })

  test('a bug stays one', () => {
    const bug = new TypeError('x is not a function')
    expect(errorCode(bug)).toBe('')
    expect(s3Failure(bug, 'write x')).toBe(bug)
    expect(diskFailure(bug, 'write x')).toBe(bug)
  })

  test.each(['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EIO'])('%s comes with a remedy', (code) => {
    const told = diskFailure(Object.assign(new Error(), { code }), 'write /srv/a') as Failure
    expect(told.kind).toBe('store')
    expect(told.message).toMatch(/^cannot write \/srv\/a: [a-z]/)
    expect(told.hint).toBeTruthy()
  })

  test('certificates are told of by their code', () => {
    const error = Object.assign(new Error(), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
    expect(s3Failure(error, 'read x')).toMatchObject({
      message: expect.stringContaining('SELF_SIGNED_CERT_IN_CHAIN'),
      hint: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    })
  })
})
