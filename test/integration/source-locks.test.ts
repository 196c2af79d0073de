import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { openClient, parseEndpoint } from '../../src/postgres/connect.ts'
import { beginLocked } from '../../src/source/locks.ts'
import {
  makeKeys,
  readManifest,
  runList,
  writeConfig,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { saw, startWatched, type WatchedRun } from '../fixtures/watched-run.ts'

type Manifest = import('../../src/backup/manifest.ts').Manifest

/**
 * Rows that TRUNCATE or ALTER TABLE has taken out of the way are out of sight of snapshots that were there before. No run
 * may take such a table for an empty one.
 */

const ROWS = 20_000
/** Of two kilobytes that do not compress well. */
const LARGE = 4_000
/** Then reading those takes two seconds. */
const BANDWIDTH = '2 MB/s'
const SLOW_MASK = `
  let calls = 0
  const cell = new Int32Array(new SharedArrayBuffer(4))
  export function slow(value) {
    if (++calls % 100 === 0) Atomics.wait(cell, 0, 0, 50)
    return value
  }`
/** What comes while other rows are read. */
const TRUNCATED = 'TRUNCATE late'
const ALTERED = 'ALTER TABLE late ALTER COLUMN id TYPE bigint'

let directory: string
let keys: TrialKeys
let server: Server
/** Takes no more locks than it must. */
let small: Server

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-locks-'))
  keys = await makeKeys(join(directory, 'keys'))
  ;[server, small] = await Promise.all([
    startPostgres(),
    startPostgres({ settings: { max_locks_per_transaction: 10, max_connections: 20 } }),
  ])
})
afterAll(async () => {
  await Promise.all([server?.stop(), small?.stop()])
  await rm(directory, { recursive: true })
})

/** A database with a large table that is read first, and one that comes late. */
async function makeSource(on: Server, name: string, tables = 0): Promise<string> {
  const url = await createDatabase(on, name)
  await execute(
    url,
    'CREATE TABLE early (id integer, text text STORAGE PLAIN)',
    `INSERT INTO early SELECT i, (SELECT string_agg(md5((i * 64 + j)::text), '') FROM generate_series(1, 64) j)
     FROM generate_series(1, ${LARGE}) i`,
    'CREATE TABLE late (id integer)',
    `INSERT INTO late SELECT i FROM generate_series(1, ${ROWS}) i`,
    `DO $$ BEGIN FOR i IN 1..${tables} LOOP EXECUTE format('CREATE TABLE other_%s ()', i); END LOOP; END $$`,
    'ANALYZE',
  )
  return url
}

/** Runs SQL while a run is under way, and tells whether it had to wait for a lock. */
async function meanwhile(url: string, sql: string, run: WatchedRun): Promise<'waited' | 'done'> {
  await saw(run.child, /"event":"progress","table":"public.early"/)
  let isDone = false
  const done = execute(url, sql).finally(() => (isDone = true))
  let waited = false
  while (!isDone && !waited) {
    const rows = await query(
      url,
      `SELECT FROM pg_stat_activity WHERE query = '${sql}' AND wait_event_type = 'Lock'`,
    )
    waited = rows.length > 0
  }
  await done
  return waited ? 'waited' : 'done'
}

async function startBackup(source: string, name: string) {
  const path = join(directory, name, 'store')
  await mkdir(path, { recursive: true, mode: 0o700 })
  const store = { directory: path, bandwidth: BANDWIDTH }
  const config = await writeConfig(join(directory, name), { keys, source, store, name: 'trip' })
  const args = ['backup', '--config', config, '--json', '--jobs', '1']
  return { run: startWatched(args, directory), store: path, config }
}

describe.each([TRUNCATED, ALTERED])('%s during a run', (sql) => {
  const name = sql === TRUNCATED ? 'truncated' : 'altered'

  test('of backup waits, and all rows are in it', async () => {
    const source = await makeSource(server, name)
    const { run, store } = await startBackup(source, name)
    expect(await meanwhile(source, sql, run)).toBe('waited')
    const { code, stdout, stderr } = await run.done
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const label = /"label":"(\w+Z-trip)"/.exec(stdout)?.[1] ?? ''
    const { tables } = await readManifest<Manifest>(store, label)
    expect(Object.fromEntries(tables.map((table) => [table.name, table.rows]))).toEqual({
      early: LARGE,
      late: ROWS,
    })
  })

  test('of copy waits, and all rows are in it', async () => {
    const source = await makeSource(server, `${name}_copied`)
    const target = databaseUrl(small, `${name}_copy`)
    const rules = join(directory, 'rules.yaml')
    await writeFile(join(directory, 'slow.mjs'), SLOW_MASK)
    await writeFile(
      rules,
      "version: 1\ntables:\n  early: { id: keep, text: { function: './slow.mjs#slow' } }\n  late: keep\n",
    )
    const args = ['copy', '--source', source, '--target', target, '--rules', rules]
    const run = startWatched([...args, '--json', '--jobs', '1'], directory)
    expect(await meanwhile(source, sql, run)).toBe('waited')
    expect(await run.done).toMatchObject({ code: 0, stderr: '' })
    expect(await query(target, 'SELECT count(*)::int AS count FROM late')).toEqual([
      { count: ROWS },
    ])
  })
})

test('where the server has no room for the locks, the run fails and names the table', async () => {
  const source = await makeSource(small, 'crowded', 120)
  const { run, config } = await startBackup(source, 'crowded')
  expect(await meanwhile(source, TRUNCATED, run)).toBe('done')
  const { code, stderr } = await run.done
  expect(stderr).toMatch(
    /public\.late was truncated or written anew meanwhile[^]*raise max_locks_per_transaction/,
  )
  expect(code).toBe(11)
  const { events } = await runList({ config })
  expect(events.find(({ event }) => event === 'backups')).toMatchObject({ backups: [] })
  // Undisturbed, it goes well.
  const again = await startBackup(source, 'crowded')
  expect(await again.run.done).toMatchObject({ code: 0, stderr: '' })
})

describe('the locks', () => {
  const wait = '200ms'

  test('name who has a table for himself', async () => {
    const source = await makeSource(server, 'held')
    const holder = new pg.Client(source)
    await holder.connect()
    const endpoint = parseEndpoint(source, 'source')
    const client = await openClient(endpoint, 'snapshot')
    try {
      await holder.query('BEGIN; LOCK TABLE late')
      const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
      await expect(beginLocked(client, endpoint, 2, wait)).rejects.toMatchObject({
        kind: 'source',
        message: expect.stringMatching(`session ${rows[0]?.pid} has public.late for itself`),
      })
      await holder.query('ROLLBACK')
      expect(await beginLocked(client, endpoint, 2, wait)).toMatch(/LOCK TABLE/)
    } finally {
      await Promise.all([holder.end(), client.end()])
    }
  })

  test('are all taken though tables come and go', async () => {
    const source = await makeSource(server, 'restless')
    const endpoint = parseEndpoint(source, 'source')
    let going = true
    const restless = Promise.all(
      [1, 2].map(async (who) => {
        for (let i = 0; going; i++)
          await execute(source, `CREATE TABLE t_${who}_${i} ()`, `DROP TABLE t_${who}_${i}`)
      }),
    )
    try {
      for (let i = 0; i < 20; i++) {
        const client = await openClient(endpoint, 'snapshot')
        try {
          expect(await beginLocked(client, endpoint, 2, wait)).toMatch(/public\.late/)
          const { rows } = await client.query(`
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT EXISTS (
              SELECT FROM pg_locks WHERE relation = c.oid AND pid = pg_backend_pid() AND mode = 'AccessShareLock')`)
          expect(rows).toEqual([])
        } finally {
          await client.end()
        }
      }
    } finally {
      going = false
      await restless
    }
  })

  test('leave out what this user may not read', async () => {
    const source = await makeSource(server, 'forbidden')
    await execute(
      source,
      'CREATE SCHEMA closed CREATE TABLE inside ()',
      'CREATE TABLE hidden ()',
      'CREATE ROLE looker LOGIN',
      'GRANT SELECT ON late, closed.inside TO looker',
    )
    const url = new URL(source)
    url.username = 'looker'
    const endpoint = parseEndpoint(url.href, 'source')
    const client = await openClient(endpoint, 'snapshot')
    try {
      const locks = await beginLocked(client, endpoint, 2, wait)
      expect(locks).toMatch(/LOCK TABLE ONLY public\.late IN ACCESS SHARE MODE$/)
    } finally {
      await client.end()
    }
  })
})
