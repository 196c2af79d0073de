import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server as NetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { append } from '../../src/audit/log.ts'
import { labelOf, makeKeys, runBackup, writeConfig, type TrialKeys } from '../fixtures/backups.ts'
import { runPgveil, type RunResult } from '../fixtures/run-pgveil.ts'

// Every command that touches production, keys, backups or copies leaves two records, and says nothing it must not.

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const PASSWORD = 'Kanári-jelszó-77'
const PERSON = 'Kanári Elemér'
/** Port 1: nobody listens. */
const NOWHERE = `postgresql://reader:${encodeURIComponent(PASSWORD)}@127.0.0.1:1/crm`

let root = ''
let keys: TrialKeys
let place = ''
let env: NodeJS.ProcessEnv = {}
let config = ''

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pgveil-audit-'))
  keys = await makeKeys(join(root, 'keys'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))
beforeEach(async () => {
  place = mkdtempSync(join(root, 'at-'))
  env = { XDG_STATE_HOME: place }
  config = await configured({ source: NOWHERE })
})

function configured(options: { source: string; rest?: Record<string, unknown> }): Promise<string> {
  return writeConfig(place, { keys, store: join(place, 'store'), ...options })
}

const records = () => join(place, 'pgveil', 'audit')

type AuditRecord = Record<string, unknown>

function read(): AuditRecord[] {
  const files = readdirSync(records()).filter((name) => name.endsWith('.jsonl'))
  const text = files.sort().map((name) => readFileSync(join(records(), name), 'utf8'))
  const lines = text
    .join('')
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as AuditRecord)
}

function pgveil(...args: string[]): Promise<RunResult> {
  return runPgveil([...args, '--config', config], { env })
}

describe('a run', () => {
  let server: Server

  beforeAll(async () => {
    server = await startPostgres()
    const client = new pg.Client(server.url)
    await client.connect()
    await client.query(`CREATE TABLE person (name text); INSERT INTO person VALUES ('${PERSON}')`)
    await client.end()
  })
  afterAll(() => server.stop())

  test('of backup says who, what, on which source, to which store, with which result', async () => {
    config = await configured({ source: server.url.replace(/\/\/(\w+).*@/, `//$1:${PASSWORD}@`) })
    const label = labelOf(await runBackup({ config, env, args: ['--jobs', '1'] }))
    const [opened, start, end, ...more] = read()
    expect(opened).toMatchObject({ event: 'open', format: 'pgveil audit 1' })
    expect(start).toMatchObject({
      event: 'start',
      command: 'backup',
      options: ['config', 'json', 'jobs'],
      user: expect.stringMatching(/./),
      host: expect.stringMatching(/./),
      tool: expect.stringMatching(/^pgveil \d/),
      source: expect.stringMatching(/^postgres:\/\/\w+@\S+\/postgres$/),
      store: join(place, 'store'),
    })
    expect(end).toMatchObject({
      event: 'end',
      run: start?.['run'],
      result: 'done',
      exitCode: 0,
      label,
      counts: { tables: 1, rows: 1, sequence: expect.any(Number), objects: expect.any(Number) },
    })
    expect(more).toEqual([])
    const text = JSON.stringify(read())
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), PERSON])
      expect(text).not.toContain(secret)
  })
})

test('what failed is recorded with the kind of failure, and without passwords', async () => {
  expect((await pgveil('backup', '--source', NOWHERE)).code).toBe(11)
  expect(read().at(-1)).toMatchObject({
    event: 'end',
    result: 'source',
    exitCode: 11,
    warnings: { 'password-in-arguments': 1 },
  })
  expect(read().at(-2)).toMatchObject({ source: 'postgres://reader@127.0.0.1:1/crm' })
  expect(JSON.stringify(read())).not.toContain(encodeURIComponent(PASSWORD))
})

test('who looks at backups leaves a record; who looks at nothing of theirs, or errs, leaves none', async () => {
  await pgveil('backup', '--frobnicate')
  await runPgveil(['backup', '--help'], { env })
  await runPgveil(['masks'], { env })
  await runPgveil(['audit', 'show', '--config', config], { env })
  expect(existsSync(records())).toBe(false)
  await pgveil('list')
  const { stdout } = await runPgveil(['audit', 'show', '--config', config], { env })
  expect(stdout).toMatch(/ list +\S* *done /)
})

describe('where nothing can be recorded', () => {
  beforeEach(() => writeFileSync(join(place, 'pgveil'), 'no directory'))

  test('a backup is not made, and keys are not touched', async () => {
    for (const command of [['backup'], ['keys', 'check']]) {
      const { code, stderr } = await pgveil(...command)
      expect(stderr).toMatch(
        /error: cannot write audit records to \S+audit: [a-z ]+ \((ENOTDIR|EEXIST)\)\nhint: nothing was/,
      )
      expect(code).toBe(10)
    }
    expect(readdirSync(join(place, 'store'))).toEqual([])
  })

  test('backups are listed all the same, with a warning', async () => {
    const { code, stderr } = await pgveil('list')
    expect(stderr).toMatch(/warning: cannot write audit records to .*\(audit-not-written\)/)
    expect(code).toBe(0)
  })

  test('a copy is made all the same where there is no configuration, with a warning', async () => {
    const rules = join(place, 'rules.yaml')
    writeFileSync(rules, 'version: 1\ntables: {}\n')
    const urls = ['--source', NOWHERE, '--target', NOWHERE.replace('crm', 'dev')]
    const { code, stderr } = await runPgveil(['copy', ...urls, '--rules', rules], { env })
    expect(stderr).toMatch(/warning: cannot write audit records to .*\(audit-not-written\)/)
    expect(code).toBe(11)
  })

  test('it is refused where configuration asks for records, and is no matter where it wants none', async () => {
    for (const [audit, code] of [
      ['off', 11],
      [{ days: 30 }, 10],
    ] as const) {
      config = await configured({ source: NOWHERE, rest: { audit } })
      expect((await pgveil('backup')).code).toBe(code)
    }
  })
})

test('many at once: one whole chain', async () => {
  const runs = await Promise.all(Array.from({ length: 6 }, () => pgveil('keys', 'check')))
  expect(runs.map(({ code }) => code)).toEqual(Array(6).fill(0))
  expect(read()).toHaveLength(13)
  const { code, stdout } = await pgveil('audit', 'verify')
  expect(stdout).toContain('every line is as it was written')
  expect(code).toBe(0)
})

describe('a run that is ended from outside', () => {
  let silent: NetServer

  beforeEach(async () => {
    silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    config = await configured({ source: `postgresql://reader@127.0.0.1:${port}/crm` })
  })
  afterEach(() => void silent.close())

  async function started() {
    const child = spawn(process.execPath, [CLI, 'backup', '--config', config], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    })
    while (!existsSync(records()) || read().length < 2) await sleep(20)
    return child
  }

  test('by SIGKILL: it has no end, which is noted', async () => {
    const child = await started()
    child.kill('SIGKILL')
    await once(child, 'close')
    const { code, stdout } = await pgveil('audit', 'verify')
    expect(stdout).toMatch(/note: without an end, killed or still running: .* backup$/m)
    expect(code).toBe(0)
    expect((await pgveil('audit', 'show')).stdout).toMatch(/ backup +no end +postgres:/m)
    expect((await pgveil('keys', 'check')).code).toBe(0)
  })

  test('by SIGTERM: its end says so', async () => {
    const child = await started()
    child.kill('SIGTERM')
    await once(child, 'close')
    expect(read().at(-1)).toMatchObject({ event: 'end', result: 'terminated', exitCode: 143 })
  })
})

describe('audit verify', () => {
  test('names the first broken line', async () => {
    for (let i = 0; i < 3; i++) await pgveil('keys', 'check')
    const [file = ''] = readdirSync(records()).filter((name) => name.endsWith('.jsonl'))
    const path = join(records(), file)
    const lines = readFileSync(path, 'utf8').split('\n')
    writeFileSync(path, lines.with(3, (lines[3] ?? '').replace('"user":"', '"user":"x')).join('\n'))
    const { code, stdout, stderr } = await pgveil('audit', 'verify', '--json')
    expect(code).toBe(15)
    expect(stderr).toContain(`audit records are broken: ${path}:4: changed: `)
    const [event] = stdout.split('\n').map((line) => line && (JSON.parse(line) as AuditRecord))
    expect(event).toMatchObject({
      event: 'audit',
      records: 7,
      broken: { file, line: 4, kind: 'changed' },
    })
    expect((await pgveil('audit', 'show')).stderr).toContain('(audit-broken)')
  })

  test('wants records', async () => {
    const { code, stderr } = await pgveil('audit', 'verify')
    expect(stderr).toContain('there are no audit records in')
    expect(code).toBe(15)
  })
})

describe('former days', () => {
  const DAY = '2026-01-02.jsonl'

  async function earlier(directory: string, command: string): Promise<void> {
    for (const day of ['02', '03']) {
      const time = new Date(`2026-01-${day}T01:00:00Z`)
      const told = {
        event: 'start',
        run: day,
        command,
        options: [],
        user: 'u',
        host: 'h',
        pid: 1,
        tool: 't',
      }
      await append(directory, told, { time, keepDays: 36_500 })
    }
  }

  beforeEach(async () => {
    config = await configured({ source: NOWHERE, rest: { audit: { days: 36_500 } } })
    await earlier(records(), 'backup')
  })

  test('are signed by the next command that has the key; gpg believes it', async () => {
    expect((await pgveil('audit', 'verify', '--strict')).code).toBe(21)
    expect((await pgveil('keys', 'check')).stderr).toBe('')
    const signed = readdirSync(records()).filter((name) => name.endsWith('.asc'))
    expect(signed).toEqual([`${DAY}.asc`, '2026-01-03.jsonl.asc'])
    const { code, stdout } = await pgveil('audit', 'verify', '--strict')
    expect(stdout).toContain('signatures: 2 of 2 closed files')
    expect(code).toBe(0)
    if (spawnSync('gpg', ['--version']).status !== 0) return
    const home = { GNUPGHOME: mkdtempSync(join(tmpdir(), 'gpg-')), PATH: process.env['PATH'] }
    try {
      spawnSync('gpg', ['--import', keys.signer.publicKey], { env: home })
      const path = join(records(), DAY)
      expect(spawnSync('gpg', ['--verify', `${path}.asc`, path], { env: home }).status).toBe(0)
    } finally {
      spawnSync('gpgconf', ['--kill', 'all'], { env: home })
      rmSync(home.GNUPGHOME, { recursive: true })
    }
  })

  test('written anew as a whole, with a chain that holds, do not fit their signatures', async () => {
    await pgveil('keys', 'check')
    const forged = join(place, 'forged')
    await earlier(forged, 'copy')
    for (const name of [`${DAY}.asc`, '2026-01-03.jsonl.asc'])
      cpSync(join(records(), name), join(forged, name))
    rmSync(records(), { recursive: true })
    cpSync(forged, records(), { recursive: true })
    const { code, stderr } = await pgveil('audit', 'verify')
    expect(stderr).toContain(`${join(records(), DAY)}: signature: the signature by key`)
    expect(code).toBe(15)
  })

  test('that are broken are not signed', async () => {
    const path = join(records(), DAY)
    writeFileSync(path, readFileSync(path, 'utf8').replace('backup', 'masked'))
    const { code, stderr } = await pgveil('keys', 'check')
    expect(stderr).toContain(
      `not signed: the audit records are broken in ${DAY} (audit-not-signed)`,
    )
    expect(code).toBe(0)
    expect(readdirSync(records()).filter((name) => name.endsWith('.asc'))).toEqual([])
  })

  test('audit show chooses by time and command', async () => {
    await pgveil('keys', 'check')
    const commandsOf = async (...args: string[]) => {
      const { stdout } = await pgveil('audit', 'show', '--json', ...args)
      const { runs } = JSON.parse(stdout) as { runs: { command: string }[] }
      return runs.map(({ command }) => command)
    }
    expect(await commandsOf()).toEqual(['backup', 'backup', 'keys check'])
    expect(await commandsOf('--since', '2026-01-03')).toEqual(['backup', 'keys check'])
    expect(await commandsOf('--since', '1h')).toEqual(['keys check'])
    expect(await commandsOf('--command', 'keys')).toEqual(['keys check'])
    expect((await pgveil('audit', 'show', '--since', 'yesterday')).code).toBe(2)
  })

  test('and logs of restore tests go when they are old', async () => {
    config = await configured({ source: NOWHERE, rest: { audit: { days: 1, detailDays: 30 } } })
    const logs = join(place, 'pgveil', 'verify')
    mkdirSync(join(logs, 'new'), { recursive: true })
    mkdirSync(join(logs, 'old', 'deep'), { recursive: true })
    spawnSync('touch', ['-d', '40 days ago', join(logs, 'old')])
    await pgveil('keys', 'check')
    expect(readdirSync(logs)).toEqual(['new'])
    expect(existsSync(join(records(), DAY))).toBe(false)
    expect((await pgveil('audit', 'verify')).code).toBe(0)
  })
})
