import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Failure } from '../../src/errors.ts'
import { openS3Store } from '../../src/store/s3.ts'
import { AbsentObject, type S3Settings, type Store } from '../../src/store/store.ts'
import { type Asked, type Fault, startS3, type StandIn } from '../fixtures/s3-stand-in.mjs'
import { names, readAll, writeAll } from '../fixtures/store-conformance.ts'

// What goes wrong between here and a bucket, brought about one at a time.

const MIB = 1024 * 1024
const QUICK = { attempts: 5, firstMs: 10, longestMs: 50 }
const OPEN_JS = new URL('../../dist/store/open.js', import.meta.url).href

let server: StandIn
let opened: Store[]

const settings = (more: Partial<S3Settings> = {}): S3Settings => ({
  kind: 's3',
  bucket: 'safe',
  prefix: 'crm',
  region: 'eu-central-1',
  endpoint: server.endpoint,
  pathStyle: true,
  allowedRegions: ['eu-*'],
  checksums: 'always',
  stallSeconds: 10,
  ...more,
})

function open(more: Partial<S3Settings> = {}): Store {
  const store = openS3Store(settings(more), QUICK)
  opened.push(store)
  return store
}

/** Fails the first `times` requests of an operation. */
function failFirst(operation: string, times: number, fault: Fault | ((asked: Asked) => Fault)) {
  let count = 0
  server.onRequest = (asked) => {
    if (asked.operation !== operation || ++count > times) return undefined
    return typeof fault === 'function' ? fault(asked) : fault
  }
}

async function failure(act: Promise<unknown>): Promise<Failure> {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Failure)
  const { message, hint = '' } = error as Failure
  for (const secret of [server.accessKeyId, server.secretAccessKey, 'Signature=', 'X-Amz-']) {
    expect(`${message} ${hint}`).not.toContain(secret)
  }
  return error as Failure
}

const uploads = () => server.buckets.get('safe')?.uploads.size

beforeEach(async () => {
  opened = []
  server = await startS3({ buckets: { safe: {}, vault: { lock: true } } })
  process.env['AWS_ACCESS_KEY_ID'] = server.accessKeyId
  process.env['AWS_SECRET_ACCESS_KEY'] = server.secretAccessKey
  delete process.env['AWS_SESSION_TOKEN']
})
afterEach(async () => {
  for (const store of opened) await store.close()
  await server.close()
})

describe('what passes is tried again', () => {
  const large = randomBytes(17 * MIB)

  test.each<[string, Fault]>([
    ['503 SlowDown', { status: 503, code: 'SlowDown' }],
    ['500', { status: 500, code: 'InternalError' }],
    ['409', { status: 409, code: 'OperationAborted' }],
    ['a timeout of the server', { status: 400, code: 'RequestTimeout' }],
    ['damage on the way', { status: 400, code: 'BadDigest' }],
    ['a reset', 'reset'],
    ['a reset inside the body', { resetAfter: 1000 }],
    ['a lost answer', { loseAnswer: true }],
  ])('%s', async (_, fault) => {
    for (const operation of ['UploadPart', 'CompleteMultipartUpload', 'CreateMultipartUpload']) {
      failFirst(operation, 3, fault)
      await writeAll(open(), 'a', [large])
      expect(server.bytes('safe', 'crm/a')?.equals(large)).toBe(true)
      server.buckets.get('safe')?.objects.clear()
    }
    failFirst('PutObject', 3, fault)
    await writeAll(open(), 'b', [large.subarray(0, MIB)])
    expect(server.bytes('safe', 'crm/b')?.equals(large.subarray(0, MIB))).toBe(true)
    failFirst('PutObject', 3, fault)
    await open().create('c', large.subarray(0, 1000))
    expect(server.bytes('safe', 'crm/c')?.equals(large.subarray(0, 1000))).toBe(true)
  })

  test.each(
    ['CompleteMultipartUpload', 'ListObjectsV2', 'PutObject'].flatMap((operation) => [
      [operation, '<!doctype html><p>Log in to the network<br>'],
      [operation, '<html><body>Log in to the network</body></html>'],
      [operation, ''],
    ]),
  )('an answer to %s that is not one of S3: %j', async (operation = '', okWithBody = '') => {
    failFirst(operation, 2, { okWithBody })
    const store = open()
    await writeAll(store, 'a', [large])
    expect(await names(store)).toEqual(['a'])
    expect(server.bytes('safe', 'crm/a')?.equals(large)).toBe(true)
    await writeAll(store, 'small', [large.subarray(0, 1000)])
    expect(server.bytes('safe', 'crm/small')?.length).toBe(1000)
    failFirst(operation, 99, { okWithBody })
    const acts = [
      writeAll(store, 'b', [large]),
      writeAll(store, 'c', [Buffer.from('x')]),
      names(store),
    ]
    const results = await Promise.allSettled(acts)
    const told = results.find(({ status }) => status === 'rejected') as PromiseRejectedResult
    expect(told.reason).toMatchObject({ kind: 'store' })
  })

  test('a storm of 503 over all requests', async () => {
    server.onRequest = () => (Math.random() < 0.4 ? { status: 503, code: 'SlowDown' } : undefined)
    const store = openS3Store(settings(), { ...QUICK, attempts: 30 })
    opened.push(store)
    await writeAll(store, 'a', [large])
    expect((await readAll(store, 'a')).equals(large)).toBe(true)
    expect(await names(store)).toEqual(['a'])
    await store.delete(['a'])
    expect(await names(store)).toEqual([])
  })

  test('patience ends, and nothing can be seen then', async () => {
    server.onRequest = ({ operation }) =>
      operation === 'UploadPart' ? { status: 503, code: 'SlowDown' } : undefined
    const store = open()
    expect(await failure(writeAll(store, 'a', [large]))).toMatchObject({
      kind: 'store',
      message: 'cannot write s3://safe/crm/a: the server says 503 SlowDown',
    })
    expect(await names(store)).toEqual([])
    expect(uploads()).toBe(0)
    expect(server.count('UploadPart')).toBeLessThanOrEqual(2 * QUICK.attempts)
  })

  test.each(['AccessDenied', 'NoSuchBucket'])('%s is not', async (code) => {
    failFirst('PutObject', 99, { status: code === 'AccessDenied' ? 403 : 404, code })
    await failure(writeAll(open(), 'a', [Buffer.from('x')]))
    expect(server.count('PutObject')).toBe(1)
  })
})

describe('completion', () => {
  const large = randomBytes(9 * MIB)

  test('an error inside an answer 200 is an error, and tried again', async () => {
    failFirst('CompleteMultipartUpload', 2, { okWithError: 'InternalError' })
    await writeAll(open(), 'a', [large])
    expect(server.count('CompleteMultipartUpload')).toBe(3)
    expect(server.bytes('safe', 'crm/a')?.equals(large)).toBe(true)
  })

  test('one that never succeeds fails', async () => {
    failFirst('CompleteMultipartUpload', 99, { okWithError: 'InternalError' })
    await failure(writeAll(open(), 'a', [large]))
    expect(await names(open())).toEqual([])
    expect(uploads()).toBe(0)
  })

  test.each(['always', 'when-required'] as const)(
    'a lost answer is looked up, with checksums %s',
    async (checksums) => {
      failFirst('CompleteMultipartUpload', 1, { loseAnswer: true })
      await writeAll(open({ checksums }), 'a', [large])
      expect(server.count('CompleteMultipartUpload')).toBe(2)
      expect(server.count('HeadObject')).toBe(1)
    },
  )

  test.each(['always', 'when-required'] as const)(
    'an upload that vanished is no success, though an object of that size is there; checksums %s',
    async (checksums) => {
      const store = open({ checksums })
      await writeAll(store, 'a', [randomBytes(large.length)])
      failFirst('CompleteMultipartUpload', 1, () => {
        server.buckets.get('safe')?.uploads.clear()
        return { status: 503, code: 'SlowDown' }
      })
      expect((await failure(writeAll(store, 'a', [large]))).message).toContain('aborted meanwhile')
      expect(server.bytes('safe', 'crm/a')?.equals(large)).toBe(false)
    },
  )
})

describe('silence', () => {
  test.each(['UploadPart', 'PutObject', 'CompleteMultipartUpload', 'ListObjectsV2'])(
    'a hanging %s is given up and tried again',
    async (operation) => {
      failFirst(operation, 1, 'hang')
      const store = open({ stallSeconds: 1 })
      const bytes = randomBytes(operation === 'PutObject' ? MIB : 9 * MIB)
      await writeAll(store, 'a', [bytes])
      expect(await names(store)).toEqual(['a'])
      expect(server.bytes('safe', 'crm/a')?.equals(bytes)).toBe(true)
    },
  )

  test('a body that stops coming goes on where it stopped', async () => {
    const bytes = randomBytes(3 * MIB)
    const store = open({ stallSeconds: 1 })
    await writeAll(store, 'a', [bytes])
    failFirst('GetObject', 2, { hangAfter: 700_000 })
    expect((await readAll(store, 'a')).equals(bytes)).toBe(true)
    expect(server.count('GetObject')).toBe(3)
  })

  test('a reader that takes its time is not silence', async () => {
    const bytes = randomBytes(12 * MIB)
    const store = open({ stallSeconds: 1 })
    await writeAll(store, 'a', [bytes])
    let first = true
    const chunks: Buffer[] = []
    for await (const chunk of store.read('a')) {
      chunks.push(chunk)
      if (first) await new Promise((resolve) => setTimeout(resolve, 2500))
      first = false
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    expect(server.count('GetObject')).toBe(1)
  })

  test('a request that hangs for ever fails within the attempts', async () => {
    failFirst('PutObject', 99, 'hang')
    const store = openS3Store(settings({ stallSeconds: 0.4 }), { ...QUICK, attempts: 2 })
    opened.push(store)
    const { message, hint } = await failure(writeAll(store, 'a', [Buffer.from('x')]))
    expect(message).toContain('no byte moved')
    expect(hint).toContain('stallSeconds')
  })
})

describe('reading', () => {
  const bytes = randomBytes(5 * MIB)

  test.each<[string, Fault]>([
    ['cut off', { truncateAfter: 1_500_000 }],
    ['reset at the start', 'reset'],
    ['refused for a moment', { status: 503, code: 'SlowDown' }],
  ])('an answer that is %s goes on where it stopped', async (_, fault) => {
    const store = open()
    await writeAll(store, 'a', [bytes])
    failFirst('GetObject', 3, fault)
    expect((await readAll(store, 'a')).equals(bytes)).toBe(true)
    failFirst('GetObject', 2, fault)
    expect((await readAll(store, 'a', { offset: 1234 })).equals(bytes.subarray(1234))).toBe(true)
  })

  test('one that always breaks before the first byte ends', async () => {
    const store = open()
    await writeAll(store, 'a', [bytes])
    failFirst('GetObject', 99, { truncateAfter: 0 })
    const { kind, message } = await failure(readAll(store, 'a'))
    expect(kind).toBe('store')
    expect(message).toMatch(/^cannot read s3:\/\/safe\/crm\/a: /)
    expect(server.count('GetObject')).toBe(QUICK.attempts)
  })

  test.each([bytes.length, 1000])(
    'an object that is replaced meanwhile, by %d bytes, is not mixed with the other',
    async (size) => {
      const store = open()
      await writeAll(store, 'a', [bytes])
      failFirst('GetObject', 1, { truncateAfter: 1_500_000 })
      const reading = (async () => {
        let read = 0
        for await (const chunk of store.read('a')) {
          if (read === 0) await writeAll(store, 'a', [randomBytes(size)])
          expect(chunk.equals(bytes.subarray(read, read + chunk.length))).toBe(true)
          read += chunk.length
        }
      })()
      expect((await failure(reading)).message).toContain('it was replaced meanwhile')
    },
  )

  test('one that is removed meanwhile is absent', async () => {
    const store = open()
    await writeAll(store, 'a', [bytes])
    failFirst('GetObject', 1, { truncateAfter: 1_500_000 })
    const reading = (async () => {
      for await (const _ of store.read('a')) await store.delete(['a'])
    })()
    await expect(reading).rejects.toBeInstanceOf(AbsentObject)
  })
})

describe('where bytes may go', () => {
  const refused = async (more: Partial<S3Settings>) => {
    const store = open(more)
    const told = await failure(store.check())
    expect(told.kind).toBe('refused')
    expect((await failure(writeAll(store, 'a', [Buffer.from('x')]))).kind).toBe('refused')
    expect((await failure(writeAll(store, 'a', [randomBytes(17 * MIB)]))).kind).toBe('refused')
    expect((await failure(store.create('a', Buffer.from('x')))).kind).toBe('refused')
    const writing = /^(PutObject|CreateMultipartUpload|UploadPart)$/
    expect(server.requests.filter(({ operation }) => writing.test(operation))).toEqual([])
    return told
  }

  test('a region that is not allowed is refused before any request', async () => {
    const { message, hint } = await refused({ region: 'us-east-1' })
    expect(message).toContain('us-east-1')
    expect(message).toContain('eu-*')
    expect(hint).toContain('allowedRegions')
    expect(server.requests).toEqual([])
  })

  test('the region of an endpoint of Amazon counts', async () => {
    await refused({ endpoint: 'https://s3.us-west-2.amazonaws.com' })
  })

  test('where the bucket lies counts, not what is configured', async () => {
    server.addBucket('abroad', { location: 'us-west-2' })
    await refused({ bucket: 'abroad' })
    server.addBucket('elsewhere', { region: 'ap-south-1', location: '' })
    await refused({ bucket: 'elsewhere' })
  })

  test('EU is the old name of eu-west-1, and an empty answer of a server without regions is none', async () => {
    server.addBucket('old', { location: 'EU' })
    await open({ bucket: 'old', allowedRegions: ['eu-west-1', 'eu-central-1'] }).check()
    const strict = open({ bucket: 'old', allowedRegions: ['eu-central-1'] })
    expect((await failure(strict.check())).kind).toBe('refused')
    server.addBucket('plain', { location: '' })
    await open({ bucket: 'plain' }).check()
  })

  test('a bucket in another allowed region is told of', async () => {
    server.addBucket('near', { region: 'eu-north-1', location: '' })
    const { kind, hint } = await failure(open({ bucket: 'near' }).check())
    expect({ kind, hint }).toEqual({ kind: 'store', hint: 'set region to eu-north-1' })
  })

  test('the environment leads nowhere else', async () => {
    process.env['AWS_ENDPOINT_URL_S3'] = server.endpoint
    try {
      const { endpoint: _, ...amazon } = settings({ bucket: 'safe.invalid..name' })
      const store = openS3Store(amazon, { ...QUICK, attempts: 1 })
      opened.push(store)
      await failure(store.check())
      expect(server.requests).toEqual([])
    } finally {
      delete process.env['AWS_ENDPOINT_URL_S3']
    }
  })

  test('a policy that hides the location is lived with where the bucket tells its region', async () => {
    failFirst('GetBucketLocation', 99, { status: 403, code: 'AccessDenied' })
    await open().check()
  })

  test('an access point is no bucket', () => {
    const bucket = 'arn:aws:s3:us-east-1:123456789012:accesspoint/x'
    expect(() => open({ bucket })).toThrow('is no name of a bucket')
  })
})

describe('Object Lock', () => {
  const lock = { mode: 'compliance', days: 3 } as const
  const DAY = 24 * 60 * 60 * 1000

  test.each(['always', 'when-required'] as const)(
    'locks what is stored, reads it back, and refuses to remove it; checksums %s',
    async (checksums) => {
      const store = open({ bucket: 'vault', lock, checksums })
      await store.check()
      await writeAll(store, 'small', [Buffer.from('x')])
      await writeAll(store, 'large', [randomBytes(9 * MIB)])
      await store.create('made', Buffer.from('{}'))
      await store.create('made', Buffer.from('{}'))
      expect(server.count('GetObjectRetention')).toBe(4)
      for (const name of ['small', 'large', 'made']) {
        const until = (await store.lockedUntil(name)) as Date
        expect(Math.abs(until.getTime() - Date.now() - 3 * DAY)).toBeLessThan(60_000)
        const { kind, message } = await failure(store.delete([name]))
        expect(kind).toBe('refused')
        expect(message).toContain(until.toISOString())
      }
      expect(await names(store)).toEqual(['large', 'made', 'small'])
    },
  )

  test('a bucket without it is told of before the first byte', async () => {
    const told = await failure(open({ lock }).check())
    expect(told.message).toBe('bucket safe has no Object Lock, and the store is to lock')
  })

  test('a lock that is not applied is a failure, and the object is gone', async () => {
    server.addBucket('sieve', { lock: true, ignoresLock: true })
    const store = open({ bucket: 'sieve', lock })
    for (const act of [
      () => writeAll(store, 'a', [Buffer.from('x')]),
      () => writeAll(store, 'a', [randomBytes(9 * MIB)]),
      () => store.create('a', Buffer.from('x')),
    ]) {
      const { kind, message } = await failure(act())
      expect({ kind, message }).toEqual({
        kind: 'store',
        message: 'cannot write s3://sieve/crm/a: the server stored it not locked',
      })
      expect(await names(store)).toEqual([])
      expect(server.buckets.get('sieve')?.objects.size).toBe(0)
    }
  })

  test('what is stored without a lock can be removed, with every version', async () => {
    const store = open({ bucket: 'vault', lock })
    for (const text of ['one', 'two']) {
      const writer = store.write('verifier.asc', { lock: false })
      await writer.write(Buffer.from(text))
      await writer.complete()
    }
    expect(await store.lockedUntil('verifier.asc')).toBeUndefined()
    await store.delete(['verifier.asc'])
    expect(server.buckets.get('vault')?.objects.size).toBe(0)
  })

  test('a server that forgets the lock of an upload is asked for it again', async () => {
    server.addBucket('forgetful', { lock: true, forgetsLock: true })
    const store = open({ bucket: 'forgetful', lock })
    await writeAll(store, 'large', [randomBytes(9 * MIB)])
    await store.create('small', Buffer.from('x'))
    for (const name of ['large', 'small']) expect(await store.lockedUntil(name)).toBeDefined()
  })

  test('a lock that has ended is none', async () => {
    const store = open({ bucket: 'vault', lock })
    await writeAll(store, 'a', [Buffer.from('x')])
    const [version] = server.buckets.get('vault')?.objects.get('crm/a') ?? []
    if (version?.lock) version.lock.until = new Date(Date.now() - 1000)
    expect(await store.lockedUntil('a')).toBeUndefined()
    await store.delete(['a'])
    expect(await names(store)).toEqual([])
  })
})

describe('removing', () => {
  test('goes in batches of a thousand and leaves no version', async () => {
    server.addBucket('versions', { versioning: true })
    const store = open({ bucket: 'versions' })
    const given = Array.from({ length: 1203 }, (_, i) => `t/${i}`)
    for (const name of given) server.put('versions', `crm/${name}`, Buffer.from(name))
    await writeAll(store, 'keep', [Buffer.from('x')])
    await store.delete(given)
    expect(server.count('DeleteObjects')).toBe(2)
    expect([...(server.buckets.get('versions')?.objects.keys() ?? [])]).toEqual(['crm/keep'])
  })

  test('a bucket that keeps versions it does not show is told of', async () => {
    server.addBucket('versions', { versioning: true })
    const store = open({ bucket: 'versions' })
    await store.create('a', Buffer.from('x'))
    failFirst('ListObjectVersions', 99, { status: 403, code: 'AccessDenied' })
    const { message, hint } = await failure(store.delete(['a']))
    expect(message).toBe('bucket versions keeps what was removed')
    expect(hint).toContain('s3:ListBucketVersions')
  })

  test('one without versions needs no such permission', async () => {
    const store = open()
    await store.create('a', Buffer.from('x'))
    failFirst('ListObjectVersions', 99, { status: 403, code: 'AccessDenied' })
    await store.delete(['a', 'b'])
    expect(await names(store)).toEqual([])
  })
})

describe('conditional creation', () => {
  test('a lost answer is a success', async () => {
    failFirst('PutObject', 1, { loseAnswer: true })
    await open().create('manifest.json', Buffer.from('{}'))
    expect(server.count('PutObject')).toBe(2)
  })

  test('a conflict is tried again', async () => {
    failFirst('PutObject', 2, { status: 409, code: 'ConditionalRequestConflict' })
    await open().create('manifest.json', Buffer.from('{}'))
    expect(server.bytes('safe', 'crm/manifest.json')?.toString()).toBe('{}')
  })

  test('a server that does not know the condition is told of', async () => {
    server.addBucket('ancient', { knowsConditions: false })
    const { kind, hint } = await failure(open({ bucket: 'ancient' }).create('a', Buffer.from('x')))
    expect(kind).toBe('store')
    expect(hint).toContain('If-None-Match')
  })

  test('a server that ignores the condition does not lose the first object', async () => {
    server.addBucket('careless', { ignoresConditions: true })
    const store = open({ bucket: 'careless' })
    await store.create('a', Buffer.from('first'))
    expect((await failure(store.create('a', Buffer.from('second')))).kind).toBe('refused')
    expect(server.bytes('careless', 'crm/a')?.toString()).toBe('first')
  })

  test('credentials that may not read may create', async () => {
    failFirst('HeadObject', 99, { status: 403, code: 'AccessDenied' })
    await open().create('a', Buffer.from('x'))
    expect(server.bytes('safe', 'crm/a')?.toString()).toBe('x')
  })
})

describe('uploads that never ended', () => {
  test('an aborted writer leaves none, wherever it stands', async () => {
    for (const size of [0, MIB, 9 * MIB, 40 * MIB]) {
      const writer = open().write('a')
      void writer.write(randomBytes(size))?.catch(() => {})
      await writer.abort()
      expect(uploads()).toBe(0)
    }
    expect(server.buckets.get('safe')?.objects.size).toBe(0)
  })

  test('a process that was killed leaves one, which is found and removed', async () => {
    const script = `
      import { openStore } from ${JSON.stringify(OPEN_JS)}
      const store = await openStore(${JSON.stringify(settings())})
      const writer = store.write('label/tables/1.1.pgp')
      for (let i = 0; i < 5; i++) await writer.write(Buffer.alloc(8 * ${MIB}))
      console.log('under way')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env },
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = open()
    expect(await names(store)).toEqual([])
    expect(await store.stranded(new Date(Date.now() - 60_000), { remove: true })).toEqual([])
    const soon = new Date(Date.now() + 60_000)
    const line = expect.stringMatching(
      /^upload of s3:\/\/safe\/crm\/label\/tables\/1\.1\.pgp, begun /,
    )
    expect(await store.stranded(soon, { remove: false })).toEqual([line])
    expect(await store.stranded(soon, { remove: true })).toEqual([line])
    expect(await store.stranded(soon, { remove: true })).toEqual([])
    expect(uploads()).toBe(0)
  })
})

describe('what the user has to mend', () => {
  test.each<[string, Fault, string]>([
    ['QuotaExceeded', { status: 403, code: 'QuotaExceeded' }, 'the quota is used up'],
    ['a full server', { status: 507, code: 'XMinioStorageFull' }, 'the server is full'],
    ['AccessDenied', { status: 403, code: 'AccessDenied' }, 'access denied'],
    ['InvalidAccessKeyId', { status: 403, code: 'InvalidAccessKeyId' }, 'access key'],
    ['InvalidToken', { status: 400, code: 'InvalidToken' }, 'session token'],
    ['NoSuchBucket', { status: 404, code: 'NoSuchBucket' }, 'there is no such bucket'],
  ])('%s', async (_, fault, reason) => {
    failFirst('PutObject', 99, fault)
    const { kind, message, hint } = await failure(writeAll(open(), 'a', [Buffer.from('x')]))
    expect(kind).toBe('store')
    expect(message).toContain(`cannot write s3://safe/crm/a: `)
    expect(message).toContain(reason)
    expect(hint).toBeTruthy()
    expect(server.count('PutObject')).toBe(1)
  })

  test('a wrong secret key', async () => {
    process.env['AWS_SECRET_ACCESS_KEY'] = 'not-the-one'
    const { message } = await failure(open().check())
    expect(message).toContain('the secret key does not fit the access key')
    expect(message).not.toContain('not-the-one')
  })

  test('an unknown access key', async () => {
    process.env['AWS_ACCESS_KEY_ID'] = 'AKUNKNOWN'
    const { message } = await failure(open().check())
    expect(message).toContain('does not know the access key')
    expect(message).not.toContain('AKUNKNOWN')
  })

  test('an absent bucket', async () => {
    const { message } = await failure(open({ bucket: 'nowhere' }).check())
    expect(message).toContain('there is no such bucket')
  })

  test('nothing listens', async () => {
    const store = open()
    await server.close()
    const { message, hint } = await failure(store.check())
    expect(message).toContain('nothing listens there')
    expect(hint).toContain('endpoint')
    server = await startS3()
  })

  test('TLS asked of a server that has none', async () => {
    const endpoint = server.endpoint.replace('http:', 'https:')
    expect((await failure(open({ endpoint }).check())).message).toContain('does not speak TLS')
  })
})

describe('clock and credentials', () => {
  test('a clock that is an hour off is corrected once', async () => {
    server.clock = 60 * 60 * 1000
    await writeAll(open(), 'a', [Buffer.from('x')])
    expect(server.bytes('safe', 'crm/a')?.toString()).toBe('x')
  })

  test('credentials that expired are asked for anew, once', async () => {
    failFirst('PutObject', 1, { status: 400, code: 'ExpiredToken' })
    await writeAll(open(), 'a', [Buffer.from('x')])
    expect(server.count('PutObject')).toBe(2)
    failFirst('PutObject', 99, { status: 400, code: 'ExpiredToken' })
    const { message } = await failure(writeAll(open(), 'a', [Buffer.from('x')]))
    expect(message).toContain('the credentials have expired')
    expect(server.count('PutObject')).toBe(4)
  })

  test('what is renewed are the credentials themselves', async () => {
    const store = open()
    await writeAll(store, 'a', [Buffer.from('x')])
    const { accessKeyId } = server
    server.accessKeyId = 'AKROTATED'
    process.env['AWS_ACCESS_KEY_ID'] = 'AKROTATED'
    failFirst('PutObject', 1, { status: 400, code: 'ExpiredToken' })
    await writeAll(store, 'b', [Buffer.from('y')])
    expect(server.bytes('safe', 'crm/b')?.toString()).toBe('y')
    server.accessKeyId = accessKeyId
  })
})

test('credentials that changed in their file are read anew', async () => {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = process.env
  const directory = mkdtempSync(join(tmpdir(), 'pgveil-credentials-'))
  const file = join(directory, 'credentials')
  const save = () => {
    const { accessKeyId, secretAccessKey } = server
    const lines = [
      `aws_access_key_id = ${accessKeyId}`,
      `aws_secret_access_key = ${secretAccessKey}`,
    ]
    writeFileSync(file, ['[default]', ...lines, ''].join('\n'), { mode: 0o600 })
  }
  try {
    delete process.env['AWS_ACCESS_KEY_ID']
    delete process.env['AWS_SECRET_ACCESS_KEY']
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = file
    save()
    const store = open()
    await writeAll(store, 'a', [Buffer.from('x')])
    server.accessKeyId = 'AKROTATED'
    save()
    failFirst('PutObject', 1, { status: 400, code: 'ExpiredToken' })
    await writeAll(store, 'b', [Buffer.from('y')])
    expect(server.bytes('safe', 'crm/b')?.toString()).toBe('y')
  } finally {
    delete process.env['AWS_SHARED_CREDENTIALS_FILE']
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret })
    rmSync(directory, { recursive: true })
  }
})

test('bandwidth is limited over all objects, both ways, and keeping to it is no stall', async () => {
  const store = open({ bandwidth: 2 * MIB, stallSeconds: 1 })
  const started = performance.now()
  await Promise.all(['a', 'b'].map((name) => writeAll(store, name, [randomBytes(1.5 * MIB)])))
  const written = performance.now() - started
  await readAll(store, 'a')
  const read = performance.now() - started - written
  expect(written).toBeGreaterThan(1200)
  expect(written).toBeLessThan(4000)
  expect(read).toBeGreaterThan(500)
  expect(read).toBeLessThan(2500)
})

test('memory stays bounded while 300 MB are written', async () => {
  const size = 300 * MIB
  const child = spawn(process.execPath, ['--input-type=module', '-e', memoryScript(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env },
  })
  // Nothing is kept here: the point is the other process.
  server.onRequest = ({ operation }) => {
    if (operation === 'UploadPart')
      for (const { parts } of server.buckets.get('safe')?.uploads.values() ?? []) {
        for (const part of parts.values()) part.blob = Buffer.alloc(0)
      }
    return undefined
  }
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  await once(child, 'exit')
  const grown = Number(String(line))
  // Four parts of 6 MiB each, and as much again for what the connections hold.
  expect(grown).toBeGreaterThan(0)
  expect(grown).toBeLessThan(64 * MIB)
  expect(server.buckets.get('safe')?.objects.get('crm/a')?.[0]?.size).toBe(size)
})

function memoryScript(size: number): string {
  return `
    import { openStore } from ${JSON.stringify(OPEN_JS)}
    const store = await openStore(${JSON.stringify(settings())})
    const write = async (name, size) => {
      const writer = store.write(name)
      const chunk = Buffer.alloc(${MIB}, 7)
      for (let at = 0; at < size; at += chunk.length) await writer.write(chunk)
      await writer.complete()
    }
    await write('warm', ${MIB})
    const before = process.memoryUsage().rss
    let most = 0
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20)
    await write('a', ${size})
    clearInterval(watch)
    console.log(most - before)
    await store.close()`
}
