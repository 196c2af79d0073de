import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { runLoadJob, type LoadJob } from '../../src/backup/load.ts'
import { writeSealed } from '../../src/backup/object-writer.ts'
import { tableDigestKey } from '../../src/backup/secrets.ts'
import { openClient, parseEndpoint } from '../../src/postgres/connect.ts'
import { drawSecret, passphraseOf } from '../../src/seal/secret.ts'
import { openStore } from '../../src/store/open.ts'
import type { Store } from '../../src/store/store.ts'
import { LineRows } from '../../src/stream/rows.ts'
import { execute, query, type Server } from '../fixtures/databases.ts'

const LABEL = '20261122T020000Z-crm'
const NAME = 'tables/1.1.0.pgp'
/** The target refuses the first row while megabytes of the object are still to be read. */
const REFUSED = Buffer.from(`${randomBytes(4_000_000).toString('base64')}\n`.repeat(2))

let server: Server
let client: pg.Client
let directory: string
let store: Store
const passphrase = passphraseOf(drawSecret())

beforeAll(async () => {
  server = await startPostgres()
  await execute(server.url, 'CREATE TABLE numbers (n integer)')
  client = await openClient(parseEndpoint(server.url, 'sink'), 'test')
  directory = mkdtempSync(join(tmpdir(), 'pgveil-load-'))
  store = await openStore({ kind: 'directory', path: directory })
})
afterAll(async () => {
  await client?.end()
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('rows that the target refuses', () => {
  async function load(change: { sha256?: string }): Promise<unknown> {
    const sealed = await writeSealed(store, `${LABEL}/${NAME}`, REFUSED, { passphrase, level: 1 })
    const of = { schema: 'public', name: 'numbers' }
    const digestKey = Buffer.alloc(32)
    const lines = new LineRows(tableDigestKey(digestKey, of))
    lines.take(REFUSED)
    const { rows } = lines
    const job: LoadJob = {
      id: 1,
      kind: 'rows',
      table: 'public.numbers',
      object: { ...sealed, name: NAME, rows, digest: lines.digest(), ...change },
      of,
      tree: undefined,
      copyIn: 'COPY public.numbers FROM STDIN',
      prepare: undefined,
      finish: 'SELECT',
    }
    const session = { client, store, label: LABEL, passphrase, digestKey }
    return runLoadJob(job, session, () => {}).then(
      () => undefined,
      (error: unknown) => error,
    )
  }

  test('are the target’s where the object is what it was', async () => {
    expect(await load({})).toMatchObject({
      kind: 'sink',
      message: expect.stringContaining('cannot write public.numbers: a value is malformed'),
    })
  })

  test('are damage where the object is not what the manifest says', async () => {
    expect(await load({ sha256: 'f'.repeat(64) })).toMatchObject({
      kind: 'integrity',
      message: `${LABEL}/${NAME}: was changed: its SHA-256 is another`,
    })
    expect(await query(server.url, 'SELECT n FROM numbers')).toEqual([])
  })
})
