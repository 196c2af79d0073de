import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { startRadosgw, type Radosgw } from '../../scripts/radosgw.mjs'
import { openStore } from '../../src/store/open.ts'
import type { S3Settings, Store } from '../../src/store/store.ts'
import { names, readAll, testsOfEveryStore, writeAll } from '../fixtures/store-conformance.ts'

// The contract against a real server that is not Amazon's. It takes Debian's packages of Ceph, so it runs only where
// it is asked for: npm run test:ceph.

const ASKED = process.env['PGVEIL_CEPH'] === '1'
if (!ASKED) process.stderr.write('test/ceph is skipped: npm run test:ceph runs it\n')

;(ASKED ? describe : describe.skip)('radosgw', () => {
  let server: Radosgw | undefined
  let client: S3Client
  let bucket: string

  const settings = (more: Partial<S3Settings> = {}): S3Settings => ({
    kind: 's3',
    bucket,
    prefix: 'backups',
    region: 'us-east-1',
    endpoint: (server as Radosgw).endpoint,
    pathStyle: true,
    allowedRegions: ['*'],
    checksums: 'always',
    stallSeconds: 30,
    ...more,
  })

  beforeAll(async () => {
    server = await startRadosgw()
    const { endpoint, accessKeyId, secretAccessKey } = server
    process.env['AWS_ACCESS_KEY_ID'] = accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
    client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true })
  }, 120_000)
  afterAll(async () => {
    client.destroy()
    await server?.stop()
  })

  const makeBucket = async (lock: boolean) => {
    bucket = `b${randomBytes(6).toString('hex')}`
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: lock }))
  }

  describe.each(['always', 'when-required'] as const)('with checksums %s', (checksums) => {
    beforeEach(() => makeBucket(false))
    testsOfEveryStore({ open: () => openStore(settings({ checksums })) })
  })

  describe('with Object Lock', () => {
    let store: Store
    beforeEach(() => makeBucket(true))
    const locked = (more: Partial<S3Settings> = {}) =>
      openStore(settings({ lock: { mode: 'compliance', days: 2 }, ...more }))

    test.each(['always', 'when-required'] as const)(
      'locks what is stored and keeps it, with checksums %s',
      async (checksums) => {
        store = await locked({ checksums })
        await store.check()
        await writeAll(store, 'small', [Buffer.from('x')])
        await writeAll(store, 'large', [randomBytes(9 * 1024 * 1024)])
        await store.create('manifest.json', Buffer.from('{}'))
        for (const name of ['small', 'large', 'manifest.json']) {
          const until = (await store.lockedUntil(name)) as Date
          expect(until.getTime() - Date.now()).toBeGreaterThan(47.9 * 60 * 60 * 1000)
          await expect(store.delete([name])).rejects.toMatchObject({
            kind: 'refused',
            message: expect.stringContaining('locked until'),
          })
          await expect(readAll(store, name)).resolves.toBeDefined()
        }
        const writer = store.write('verifier.asc', { lock: false })
        await writer.write(Buffer.from('to be removed early'))
        await writer.complete()
        expect(await store.lockedUntil('verifier.asc')).toBeUndefined()
        await store.delete(['verifier.asc'])
        expect(await names(store)).toEqual(['large', 'manifest.json', 'small'])
        await store.close()
      },
    )

    test('a bucket without Object Lock is not taken', async () => {
      await makeBucket(false)
      store = await locked()
      await expect(store.check()).rejects.toMatchObject({
        kind: 'store',
        message: expect.stringContaining('has no Object Lock'),
      })
      await store.close()
    })
  })

  test('uploads that never ended are found', async () => {
    await makeBucket(false)
    const store = await openStore(settings())
    const writer = store.write('a/b')
    for (let i = 0; i < 5; i++) await writer.write(Buffer.alloc(8 * 1024 * 1024))
    const later = new Date(Date.now() + 60_000)
    const found = await store.stranded(later, { remove: true })
    expect(found).toEqual([expect.stringContaining('a/b')])
    expect(await store.stranded(later, { remove: false })).toEqual([])
    await writer.abort()
    await store.close()
  })

  test('wrong credentials and absent buckets are told of', async () => {
    bucket = 'no-such-bucket'
    const nowhere = await openStore(settings())
    await expect(nowhere.check()).rejects.toMatchObject({
      kind: 'store',
      message: expect.stringContaining('there is no such bucket'),
    })
    await nowhere.close()
    const secret = process.env['AWS_SECRET_ACCESS_KEY']
    try {
      process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong'
      const store = await openStore(settings())
      await expect(store.check()).rejects.toMatchObject({
        message: expect.stringContaining('secret key does not fit'),
      })
      await store.close()
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = secret
    }
  })
})
