import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import type * as Library from '../../src/index.ts'
import { createDatabase, databaseUrl, execute, query } from '../fixtures/databases.ts'
import { runPgveil } from '../fixtures/run-pgveil.ts'
import { makeVerifyTrial } from '../fixtures/verify-trial.ts'

// What comes after a backup, as a program that imports pgveil reaches it: the built package, by its entry.

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: { '.': { default: string } }
}
const entry = pathToFileURL(join(ROOT, exports['.'].default)).href
const pgveil = (await import(entry)) as typeof Library

const RULES = `
version: 1
tables:
  public.contact: { email: internet.email, keep: [id] }
  public.note: keep
`

let server: Server
let directory = ''
let label = ''
let events: Library.Event[] = []

const emit = (event: Library.Event) => void events.push(event)
const { signal } = new AbortController()
const event = (name: string) => events.findLast((each) => each.event === name)

/** Everything that a stage may ask for, from a pgveil.yaml. */
async function options(flags: Library.Flags = {}) {
  // That of masks; there is none, and a copy takes bytes.
  const { secret: _, ...settings } = await pgveil.loadConfig({
    flags: { config: join(directory, 'pgveil.yaml'), ...flags },
    env: process.env,
    cwd: directory,
    needs: ['source', 'store', 'backup'],
  })
  return {
    ...settings,
    ...settings.operations,
    signers: await pgveil.loadSigners(settings.backup),
    env: process.env,
    tool: 'library.test',
    at: Date.now(),
  }
}

const UNLESS_TOLD = { everyHours: 24, allUnproven: false, keepEnvelope: false, record: true }

beforeAll(async () => {
  server = await startPostgres()
  directory = mkdtempSync(join(tmpdir(), 'pgveil-library-'))
  const source = await createDatabase(server, 'crm')
  await execute(
    source,
    'CREATE TABLE contact (id int PRIMARY KEY, email text UNIQUE)',
    `INSERT INTO contact SELECT i, format('anna%s@cegem.hu', i) FROM generate_series(1, 200) i`,
    'CREATE TABLE note (contact int REFERENCES contact, length int)',
    'INSERT INTO note SELECT i, i FROM generate_series(1, 100) i',
  )
  await makeVerifyTrial(directory, { source })
  ;({ label } = await pgveil.runBackup(await options(), emit, signal))
})

afterAll(async () => {
  await server?.stop()
  rmSync(directory, { recursive: true, force: true })
})

beforeEach(() => {
  events = []
})

test('a masked copy of a backup opens it by the verifier’s key', async () => {
  const given = await options({ target: databaseUrl(server, 'crm_dev'), allowSameServer: true })
  const rules = pgveil.parseRules(RULES, 'rules.yaml', pgveil.MASKS)
  const opening = await pgveil.loadVerifierKey(given.verify, given.env)
  const target = databaseUrl(server, 'crm_dev')
  const request = { ...given, target, rules, opening }

  await pgveil.planCopyFromBackup(request, emit, signal)
  expect(event('plan')).toMatchObject({ source: label })
  const report = await pgveil.runCopyFromBackup(request, emit, signal)

  expect(report).toMatchObject({ source: label, rows: 300 })
  const rows = await query(target, `SELECT count(*)::int AS n FROM contact WHERE email ~ 'cegem'`)
  expect(rows).toEqual([{ n: 0 }])
})

describe('a restore test', () => {
  test('that finds something rejects, after it has told what', async () => {
    const rules = join(directory, 'verification.yaml')
    const [name, sql] = ['contacts', 'SELECT count(*) FROM contact']
    await writeFile(rules, JSON.stringify({ assertions: [{ name, sql, equals: 201 }] }))
    const given = await options()
    const request = {
      ...given,
      ...UNLESS_TOLD,
      verify: { ...given.verify, rules },
      record: false,
    }

    const run = pgveil.runVerify(request, emit, signal)

    await expect(run).rejects.toBeInstanceOf(pgveil.Failure)
    await expect(run).rejects.toMatchObject({ kind: 'verdict', exitCode: 20 })
    expect(event('verdict')).toMatchObject({ verdict: { label, outcome: 'fail' } })
  })

  test('that passes resolves with its verdict, and the list says so', async () => {
    const given = await options()

    const verdicts = await pgveil.runVerify({ ...given, ...UNLESS_TOLD }, emit, signal)

    expect(verdicts).toMatchObject([{ label, outcome: 'pass', rows: 300, tool: 'library.test' }])
    const verdictSigners = await pgveil.loadSigners(given.verify)
    const listed = await pgveil.listBackups({ ...given, verdictSigners, deep: true }, emit, signal)
    expect(listed.backups).toMatchObject([{ label, proven: 'pass', problems: [] }])
    const message: unknown = expect.stringMatching(`^reading ${label}, .* kB \\(1 of 1\\)$`)
    expect(event('note')).toMatchObject({ message })
  })
})

test('a report is written, and can be rendered', async () => {
  const output = join(directory, 'report')
  const request = {
    ...(await options()),
    formats: ['html', 'json'] as const,
    output,
    mail: false,
    ping: false,
  }

  const report = await pgveil.runReport({ ...request, strict: false }, emit, signal)

  expect(report).toMatchObject({ tool: 'library.test', name: 'crm', latest: { label, rows: 300 } })
  expect(JSON.parse(await readFile(join(output, 'report.json'), 'utf8'))).toEqual(report)
  expect(readdirSync(output).sort()).toEqual(['report.html', 'report.json'])
  expect(pgveil.REPORT_FORMATS.text.render(report)).toContain(label)
})

test('a report of a day that is not good rejects where that is asked for, and is delivered', async () => {
  const output = join(directory, 'strict')
  const given = { ...(await options()), formats: ['text'] as const, mail: false, ping: false }
  const empty = { kind: 'directory', path: mkdtempSync(join(directory, 'empty-')) } as const

  const run = pgveil.runReport(
    { ...given, store: empty, output, strict: true, operations: given.operations },
    emit,
    signal,
  )

  await expect(run).rejects.toMatchObject({ kind: 'findings', exitCode: 21 })
  expect(await readFile(join(output, 'report.txt'), 'utf8')).toContain('BAD')
})

test('retention tells its decisions, and removes what they say', async () => {
  const left = join(directory, 'store', '20200101T000000Z-crm')
  mkdirSync(left)
  await writeFile(join(left, 'object'), 'left by one who died')
  const longAgo = new Date('2020-01-01')
  utimesSync(join(left, 'object'), longAgo, longAgo)
  const given = await options()

  const would = await pgveil.pruneBackups({ ...given, dryRun: true }, emit, signal)
  expect(would.leftovers).toMatchObject([{ outcome: 'would-remove', objects: 1 }])
  expect(readdirSync(join(directory, 'store'))).toContain('20200101T000000Z-crm')

  const done = await pgveil.pruneBackups({ ...given, dryRun: false }, emit, signal)
  expect(done.leftovers).toMatchObject([{ outcome: 'removed' }])
  expect(done.backups).toMatchObject([{ label, outcome: 'kept' }])
  expect(event('prune')).toEqual(done)
  expect(readdirSync(join(directory, 'store'))).toEqual([label])
})

test('persons are recorded once, by a hash', async () => {
  await writeFile(join(directory, 'secret'), 'nobody finds a person without it')
  const erasure = { secret: { file: join(directory, 'secret') }, references: {} }
  const table = { schema: 'public', name: 'contact' }
  const request = { ...(await options()), table, column: 'email', values: ['anna7@cegem.hu'] }
  await expect(pgveil.recordErasures(request, emit)).rejects.toMatchObject({ kind: 'key' })

  const first = await pgveil.recordErasures({ ...request, erasure }, emit)
  expect(first).toMatchObject({ number: 1, name: 'crm', added: 1, known: 0 })
  const again = await pgveil.recordErasures({ ...request, erasure }, emit)
  expect(again).toMatchObject({ added: 0, known: 1 })

  const { records } = await pgveil.listErasures(request, emit)
  expect(records).toMatchObject([{ number: 1, table: 'public.contact', persons: 1 }])
  expect(JSON.stringify(events)).not.toContain('anna7')
})

describe('audit records', () => {
  let given: Awaited<ReturnType<typeof options>>
  beforeAll(async () => {
    given = await options()
  })

  test('are not written by a program that calls the library', async () => {
    const run = pgveil.verifyAudit({ ...given, strict: false }, emit)
    await expect(run).rejects.toMatchObject({ kind: 'integrity' })
  })

  test('are checked and listed, and the first that was changed is named', async () => {
    await runPgveil(['keys', 'check', '--config', join(directory, 'pgveil.yaml')])

    const whole = await pgveil.verifyAudit({ ...given, strict: true }, emit)
    expect(whole).toMatchObject({ records: 3, files: 1, signaturesChecked: true, unfinished: [] })
    const runs = await pgveil.listAuditRuns({ ...given, command: 'keys' }, emit)
    expect(runs).toMatchObject([{ command: 'keys check', result: 'done', exitCode: 0 }])
    expect(await pgveil.listAuditRuns({ ...given, command: 'copy' }, emit)).toEqual([])

    const [file = ''] = readdirSync(join(given.state, 'audit')).filter((name) =>
      name.endsWith('.jsonl'),
    )
    const path = join(given.state, 'audit', file)
    await writeFile(path, (await readFile(path, 'utf8')).replace('"done"', '"gone"'))
    const run = pgveil.verifyAudit({ ...given, strict: false }, emit)
    await expect(run).rejects.toMatchObject({ kind: 'integrity', exitCode: 15 })
    expect(event('audit')).toMatchObject({ broken: { file, line: 3, kind: 'changed' } })
  })
})
