import { spawn, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import type { Verdict } from '../../src/verify/verdict.ts'
import {
  eventOf,
  labelOf,
  runBackup,
  runList,
  warningsOf,
  type JsonRun,
} from '../fixtures/backups.ts'
import { createDatabase, execute, query } from '../fixtures/databases.ts'
import { runPgveil, type RunOptions } from '../fixtures/run-pgveil.ts'
import { makeVerifyTrial, type VerifyTrial } from '../fixtures/verify-trial.ts'
import { saw } from '../fixtures/watched-run.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const VERDICT = 20
/** In a row, and nowhere else. */
const CANARY = 'canary-of-a-row-5f2c'

let source: Server
let url: string
let directory: string
/** Where scratch servers of this test lie. */
let temporary: string

beforeAll(async () => {
  source = await startPostgres()
  directory = mkdtempSync(join(tmpdir(), 'pgveil-verify-'))
  // The server of a test runs as another user, who has to come by.
  temporary = mkdtempSync(join(tmpdir(), 'pgveil-verify-tmp-'))
  chmodSync(temporary, 0o1777)
  url = await createDatabase(source, 'crm')
  await execute(
    url,
    'CREATE ROLE clerk',
    'CREATE TABLE contact (id int PRIMARY KEY, email text UNIQUE, CHECK (id > 0))',
    `INSERT INTO contact SELECT i, format('%s-%s', '${CANARY}', i) FROM generate_series(1, 300) i`,
    'ALTER TABLE contact OWNER TO clerk',
    'CREATE TABLE note (contact int REFERENCES contact, text text)',
    `INSERT INTO note SELECT i, repeat('x', i) FROM generate_series(1, 100) i`,
    `CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black')`,
    'CREATE TABLE thing (colour colour, id int) PARTITION BY HASH (colour)',
    'CREATE TABLE thing_0 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
    'CREATE TABLE thing_1 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    `INSERT INTO thing SELECT c, i FROM unnest(enum_range(NULL::colour)) c, generate_series(1, 10) i`,
    `CREATE SUBSCRIPTION draws CONNECTION 'host=127.0.0.1 port=1 dbname=no' PUBLICATION p WITH (connect = false)`,
  )
})

afterAll(async () => {
  await source?.stop()
  for (const path of [directory, temporary]) rmSync(path, { recursive: true, force: true })
})

/** A store with one backup. */
async function trialWith(
  name: string,
  verify: Readonly<Record<string, unknown>> = {},
): Promise<VerifyTrial & { label: string }> {
  const trial = await makeVerifyTrial(join(directory, name), { source: url, verify })
  return { ...trial, label: labelOf(await runBackup({ config: trial.config })) }
}

async function verify(
  { config }: VerifyTrial,
  args: string[] = [],
  options: RunOptions = {},
): Promise<JsonRun> {
  const env = { TMPDIR: temporary, ...options.env }
  const run = await runPgveil(['verify', '--config', config, '--json', ...args], {
    ...options,
    env,
  })
  const lines = run.stdout.split('\n').filter((line) => line.startsWith('{'))
  return { ...run, events: lines.map((line) => JSON.parse(line) as JsonRun['events'][number]) }
}

function verdictOf(run: JsonRun): Verdict {
  return eventOf(run, 'verdict')['verdict'] as Verdict
}

function listed(run: JsonRun): { proven: string; verifierEnvelope: boolean }[] {
  return eventOf(run, 'backups')['backups'] as { proven: string; verifierEnvelope: boolean }[]
}

/** Directories of scratch servers that are there. */
function scratches(): string[] {
  return readdirSync(temporary).filter((name) => name.startsWith('pgveil-scratch-'))
}

/** Whether its server takes sessions. initdb, which comes before, has a postmaster.pid too, without that word. */
function isReady(scratch: string): boolean {
  const file = join(temporary, scratch, 'data', 'postmaster.pid')
  return existsSync(file) && /^ready/m.test(readFileSync(file, 'utf8'))
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

describe('a backup that is whole', () => {
  let trial: VerifyTrial & { label: string }

  beforeAll(async () => {
    trial = await trialWith('whole')
    writeFileSync(
      join(directory, 'whole', 'verification.yaml'),
      `minimumChecks: 2
assertions:
  - { name: contacts, sql: SELECT count(*) FROM contact, equals: 300 }
  - { name: notes, sql: SELECT count(*) FROM note, within: { percent: 10, of: lastProven } }
commands:
  - name: smoke
    run: [sh, -c, 'env; echo "database=$PGDATABASE"; test -n "$PGVEIL_SCRATCH_URL"']
limits: { recoverySeconds: 600, ageHours: 1 }
`,
    )
  })

  test('passes; the verdict lies beside it, list shows it, the envelope is gone', async () => {
    expect(listed(await runList({ config: trial.config }))).toMatchObject([
      { proven: 'open', verifierEnvelope: true },
    ])
    const run = await verify(trial, ['--rules', join(directory, 'whole', 'verification.yaml')], {
      env: {
        TMPDIR: temporary,
        PGPASSWORD: 'of-another-server',
        PGVEIL_SECRET: 'a-secret-of-masks-1234',
      },
    })
    expect(run.stderr).toBe('')
    expect(run.code).toBe(0)
    const verdict = verdictOf(run)
    expect(verdict).toMatchObject({
      outcome: 'pass',
      label: trial.label,
      rows: 440,
      tables: 4,
      measured: { contacts: 300, notes: 100 },
      intervalSeconds: null,
      envelopeDestroyed: true,
    })
    expect(verdict.recoverySeconds).toBeGreaterThan(0)
    const checks = Object.fromEntries(verdict.steps.map((step) => [step.step, step.checks]))
    expect(checks).toMatchObject({ assertions: 2, commands: 1, limits: 2 })
    // A table, an index, a check, a foreign key: each was looked at.
    expect(checks['health']).toBeGreaterThanOrEqual(8)
    const list = await runList({ config: trial.config })
    expect(listed(list)).toMatchObject([{ proven: 'pass', verifierEnvelope: false }])
    expect(warningsOf(list)).toEqual([])
    expect(scratches()).toEqual([])
  })

  test('logs are this user’s alone, and only what commands printed may hold rows', () => {
    const logs = filesBelow(join(trial.state, 'verify'))
    const steps = 'signature objects restore compare health assertions commands limits'.split(' ')
    expect(new Set(logs.map((path) => basename(path)))).toEqual(
      new Set([
        ...steps.map((step) => `${step}.log`),
        ...['command-1.log', 'verdict.json', 'verdict.json.asc'],
      ]),
    )
    for (const path of logs) {
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(readFileSync(path, 'utf8')).not.toContain(CANARY)
    }
    const printed = readFileSync(logs.find((path) => path.endsWith('command-1.log')) ?? '', 'utf8')
    expect(printed).toMatch(/the last lines of its output, which may be rows/)
    expect(printed).toMatch(/database=pgveil_verify__building_/)
    expect(printed).not.toMatch(/of-another-server|a-secret-of-masks/)
  })

  test('nothing of the scratch server’s password, or of a row, came into the store', () => {
    const password = /postgres:\/\/[^\s]+:([^@\s]+)@/.exec(
      readFileSync(
        filesBelow(join(trial.state, 'verify')).find((path) => path.endsWith('command-1.log')) ??
          '',
        'utf8',
      ),
    )
    for (const path of filesBelow(join(trial.store, trial.label, 'verdicts'))) {
      const text = readFileSync(path, 'utf8')
      expect(text).not.toContain(CANARY)
      if (password?.[1]) expect(text).not.toContain(password[1])
    }
  })

  test('a second test tells the first one’s verdict', async () => {
    const run = await verify(trial)
    expect(run.code).toBe(0)
    expect(eventOf(run, 'verdict')).toMatchObject({ earlier: true, verdict: { outcome: 'pass' } })
  })

  test('custodians can have it tested all the same', async () => {
    const keys = [trial.keys.operations, trial.keys.offline].flatMap(({ privateKey }) => [
      '--key',
      privateKey,
    ])
    const run = await verify(trial, ['--no-record', ...keys])
    expect(run.code).toBe(0)
    expect(eventOf(run, 'verdict')['earlier']).toBeUndefined()
    expect(eventOf(run, 'verdict')['stored']).toBeUndefined()
  })

  test('a verdict that was changed does not count, and list says so', async () => {
    const verdicts = join(trial.store, trial.label, 'verdicts')
    const name = join(verdicts, readdirSync(verdicts).find((each) => each.endsWith('.json')) ?? '')
    const text = readFileSync(name, 'utf8')
    writeFileSync(name, text.replace('"rows": 440', '"rows": 441'))
    try {
      const list = await runList({ config: trial.config })
      expect(listed(list)).toMatchObject([{ proven: 'open' }])
      expect(list.stdout).toMatch(/verdicts\/\d{8}T\d{6}Z\.json does not count: the signature/)
    } finally {
      writeFileSync(name, text)
    }
  })
})

test('a backup of a database that was written to all the time passes', async () => {
  const busy = await createDatabase(source, 'busy')
  await execute(
    busy,
    'CREATE TABLE entry (id bigserial PRIMARY KEY, amount int, note text)',
    `INSERT INTO entry (amount, note) SELECT i, repeat('n', 200) FROM generate_series(1, 30000) i`,
    'CREATE TABLE total (sum bigint)',
    'INSERT INTO total SELECT sum(amount) FROM entry',
  )
  let going = true
  let writes = 0
  const writer = async (sql: (i: number) => string) => {
    const client = new pg.Client(busy)
    await client.connect()
    for (; going; writes++) await client.query(sql(writes))
    await client.end()
  }
  const writers = [
    writer((i) => `INSERT INTO entry (amount) VALUES (${i}); UPDATE total SET sum = sum + ${i}`),
    writer((i) => `UPDATE entry SET note = 'w${i}' WHERE id = ${1 + (i % 30_000)}`),
    writer((i) => `CREATE TABLE passing_${i} AS SELECT 1 AS x; COMMENT ON TABLE total IS '${i}'`),
  ]
  const trial = await makeVerifyTrial(join(directory, 'busy'), { source: busy })
  const before = writes
  const backup = await runBackup({ config: trial.config })
  const during = writes - before
  going = false
  await Promise.all(writers)
  labelOf(backup)
  expect(during).toBeGreaterThan(100)
  const rules = join(directory, 'busy', 'verification.yaml')
  const sql = 'SELECT (SELECT sum(amount) FROM entry) - (SELECT sum FROM total)'
  writeFileSync(rules, JSON.stringify({ assertions: [{ name: 'sum', sql, equals: 0 }] }))
  const run = await verify(trial, ['--rules', rules])
  expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' })
  expect(verdictOf(run).outcome).toBe('pass')
})

describe('what is left', () => {
  test('--no-record and --keep-envelope leave the envelope', async () => {
    const trial = await trialWith('kept')
    expect((await verify(trial, ['--no-record'])).code).toBe(0)
    expect(listed(await runList({ config: trial.config }))).toMatchObject([
      { proven: 'open', verifierEnvelope: true },
    ])
    expect((await verify(trial, ['--all-unproven', '--keep-envelope'])).code).toBe(0)
    expect(listed(await runList({ config: trial.config }))).toMatchObject([
      { proven: 'pass', verifierEnvelope: true },
    ])
    const none = await verify(trial, ['--all-unproven'])
    expect(none.code).toBe(0)
    expect(none.events.filter(({ event }) => event === 'verdict')).toEqual([])
  })

  test('a failed test destroys the envelope, and list says FAILED', async () => {
    const trial = await trialWith('failed')
    const rules = join(directory, 'failed', 'verification.yaml')
    writeFileSync(
      rules,
      'assertions: [{ name: contacts, sql: SELECT count(*) FROM contact, equals: 1 }]\n',
    )
    const run = await verify(trial, ['--rules', rules])
    expect(run.code).toBe(VERDICT)
    expect(run.stderr).toMatch(/contacts: expected 1, found 300/)
    const list = await runPgveil(['list', '--config', trial.config])
    expect(list.stdout).toMatch(/FAILED/)
    expect(existsSync(join(trial.store, trial.label, 'envelopes', 'verifier.asc'))).toBe(false)
    // It cannot be tested again, and is not forgotten.
    expect((await verify(trial)).code).toBe(VERDICT)
  })

  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const) {
    test(`after ${signal} no server and no directory`, async () => {
      const trial = await trialWith(signal.toLowerCase())
      const child = startVerify(trial)
      await saw(child, /"step":"restore","state":"started"/)
      await until(() => scratches().some(isReady))
      const data = join(temporary, scratches()[0] ?? '', 'data')
      child.kill(signal)
      const [ended] = (await once(child, 'exit')) as [number | null]
      expect(ended).toBe(code)
      await until(() => scratches().length === 0)
      await until(() => serversOn(data).length === 0)
      expect(existsSync(join(trial.store, trial.label, 'verdicts'))).toBe(false)
      expect(existsSync(join(trial.store, trial.label, 'envelopes', 'verifier.asc'))).toBe(true)
    })
  }

  test('what even the warden could not remove, the next run does', async () => {
    const trial = await trialWith('orphan')
    const child = startVerify(trial)
    await saw(child, /"event":"plan"/)
    const [name = ''] = scratches()
    const data = join(temporary, name, 'data')
    const pid = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
    // Its warden, which is the parent of the server, goes first.
    process.kill(parentOf(pid), 'SIGKILL')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(data)).toBe(true)
    const run = await verify(trial)
    expect(run.code).toBe(0)
    expect(JSON.stringify(verdictOf(run).steps)).toContain(`removed ${join(temporary, name)}`)
    expect(scratches()).toEqual([])
    await until(() => serversOn(data).length === 0)
  })

  test('on a server that was given: no database, and no subscription was ever made', async () => {
    const given = await startPostgres()
    try {
      const trial = await trialWith('given', { server: given.url })
      const rules = join(directory, 'given', 'verification.yaml')
      writeFileSync(
        rules,
        'assertions: [{ name: subscriptions, sql: SELECT count(*) FROM pg_subscription, equals: 0 }]\n',
      )
      const run = await verify(trial, ['--rules', rules])
      expect(run.stderr).toBe('')
      expect(run.code).toBe(0)
      expect(
        await query(given.url, `SELECT datname FROM pg_database WHERE datname LIKE 'pgveil%'`),
      ).toEqual([])
    } finally {
      await given.stop()
    }
  })
})

function startVerify({ config }: VerifyTrial): ChildProcess {
  return spawn(process.execPath, [CLI, 'verify', '--config', config, '--json'], {
    env: { PATH: process.env['PATH'], HOME: directory, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it never came to that')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Servers that run on that data directory. */
function serversOn(data: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`${data}\0`)
      } catch {
        return false
      }
    })
    .map(Number)
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}
