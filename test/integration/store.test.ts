import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe } from '@jest/globals'
import { openStore } from '../../src/store/open.ts'
import type { S3Settings } from '../../src/store/store.ts'
import { startS3, type StandIn } from '../fixtures/s3-stand-in.mjs'
import { testsOfEveryStore } from '../fixtures/store-conformance.ts'

// What every store keeps of its contract, one suite against each.

describe('a directory', () => {
  let path: string
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'pgveil-store-'))
  })
  afterEach(() => rmSync(path, { recursive: true, force: true }))
  testsOfEveryStore({ open: () => openStore({ kind: 'directory', path }) })
})

const VARIANTS: [string, Partial<S3Settings>, object][] = [
  ['a bucket', {}, {}],
  ['a bucket with a prefix, in small pages', { prefix: 'deep/er' }, { versioning: true }],
  ['a bucket that takes no checksums', { checksums: 'when-required' }, { takesChecksums: false }],
]

describe.each(VARIANTS)('%s', (_, settings, options) => {
  let server: StandIn
  let bucket: string
  beforeAll(async () => {
    server = await startS3({ pageSize: 3 })
    process.env['AWS_ACCESS_KEY_ID'] = server.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = server.secretAccessKey
  })
  afterAll(() => server.close())
  beforeEach(() => {
    bucket = `b${randomBytes(6).toString('hex')}`
    server.addBucket(bucket, options)
  })
  afterEach(() => {
    server.buckets.delete(bucket)
  })

  testsOfEveryStore({
    open: () =>
      openStore({
        kind: 's3',
        bucket,
        prefix: '',
        region: 'eu-central-1',
        endpoint: server.endpoint,
        pathStyle: true,
        allowedRegions: ['eu-*'],
        checksums: 'always',
        stallSeconds: 10,
        ...settings,
      }),
  })
})
