import { createHash } from 'node:crypto'
import { createServer, type Server as HttpServer } from 'node:http'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { SMTPServer } from 'smtp-server'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import type { DailyReport } from '../../src/daily/facts.ts'
import { generateKey } from '../../src/seal/generate.ts'
import { readPrivateKeys, unlockKey } from '../../src/seal/key-ring.ts'
import { signDetached } from '../../src/seal/signature.ts'
import { STEPS, verdictName, writeVerdict, type Outcome } from '../../src/verify/verdict.ts'
import { labelOf, makeKeys, runBackup, writeConfig, type TrialKeys } from '../fixtures/backups.ts'
import { createDatabase, execute } from '../fixtures/databases.ts'
import { runPgveil } from '../fixtures/run-pgveil.ts'
import { makeCertificate } from '../unit/notify/certificate.ts'
import { elementsOf } from '../unit/report/well-formed.ts'

// What a night has left is told as it is: nothing in the store that is not signed makes a day look better, and a report
// that does not arrive is an error.

const HOUR = 3_600_000
const PASSWORD = 'mail-pass-canary-8151'
const PING_TOKEN = 'ping-token-canary-4711'
const FINDINGS = 21
const ROWS = 500

type Run = typeof import('../../src/cli.ts').run

let server: Server
let directory: string
let keys: TrialKeys
let config: string
/** The store with two backups, as they were made; the second is not tested yet. */
let pristine: string
let labels: [string, string]
let made: number
let run: Run

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-report-'))
  server = await startPostgres()
  const source = await createDatabase(server, 'crm')
  await execute(
    source,
    `CREATE TABLE t AS SELECT i, 'row ' || i AS v FROM generate_series(1, ${ROWS}) i`,
  )
  keys = await makeKeys(join(directory, 'keys'))
  for (const name of ['verdicts', 'stranger']) {
    const { publicKey, privateKey } = await generateKey({ name, use: 'sign' })
    writeFileSync(join(directory, `${name}.public.asc`), publicKey)
    writeFileSync(join(directory, `${name}.private.asc`), privateKey, { mode: 0o600 })
  }
  pristine = join(directory, 'pristine')
  config = await configure('main', {})
  const first = labelOf(await runBackup({ config }))
  const second = labelOf(await runBackup({ config }))
  labels = [first, second]
  made = Date.now()
  // Where reports are made they have no business.
  mkdirSync(join(directory, 'safe'))
  for (const name of ['operations', 'offline', 'verifier'] as const)
    renameSync(keys[name].privateKey, join(directory, 'safe', `${name}.private.asc`))
  ;({ run } = await import('../../src/cli.ts'))
})

afterAll(async () => {
  await server.stop()
  rmSync(directory, { recursive: true })
})

/** A pgveil.yaml whose reports have a place of their own. */
function configure(name: string, report: Record<string, unknown>): Promise<string> {
  const at = join(directory, `config-${name}`)
  return writeConfig(at, {
    keys,
    source: `${server.url.replace(/\/[^/]*$/, '')}/crm`,
    store: pristine,
    name: 'crm',
    rest: {
      state: join(at, 'state'),
      verify: { signer: join(directory, 'verdicts.public.asc') },
      report: { directory: join(at, 'reports'), ...report },
    },
  })
}

interface Result {
  code: number
  said: string
  out: string
  report: DailyReport
  event: Record<string, unknown>
}

/** One `pgveil report --json` in this process, of a store, some hours after the backups were made. */
async function report(
  store: string,
  args: string[] = [],
  hours = 1,
  file = config,
): Promise<Result> {
  let out = ''
  let said = ''
  const at = new Date(made + hours * HOUR).toISOString()
  const argv = ['report', '--config', file, '--store', store, '--at', at, '--json', ...args]
  const code = await run(argv, {
    stdout: { write: (text: string) => ((out += text), true) },
    stderr: { write: (text: string) => ((said += text), true) },
    env: { PATH: process.env['PATH'], HOME: directory, MAIL_PASSWORD: PASSWORD },
    cwd: directory,
    isTTY: { stdout: false, stderr: false },
    size: () => ({ columns: 80, rows: 24 }),
  } as Parameters<Run>[1])
  const events = out
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const event = events.find((each) => each['event'] === 'daily-report') ?? {}
  expect(out + said).not.toContain(PASSWORD)
  expect(out + said).not.toContain(PING_TOKEN)
  return { code, said, out, event, report: event['report'] as DailyReport }
}

/** A copy of the store, and a configuration whose history is empty. */
async function fresh(): Promise<{ store: string; file: string }> {
  const store = mkdtempSync(join(directory, 'store-'))
  cpSync(pristine, store, { recursive: true })
  return { store, file: await configure(store.slice(-6), {}) }
}

/** A verdict as the restore test writes it, signed by hand; the verifier's envelope is destroyed. */
async function judge(
  store: string,
  label: string,
  outcome: Outcome,
  signer = 'verdicts',
): Promise<void> {
  const manifest = readFileSync(join(store, label, 'manifest.json'))
  const finished = new Date(made + HOUR / 2).toISOString()
  const bytes = writeVerdict({
    format: 'pgveil verdict 1',
    tool: 'pgveil test',
    label,
    manifest: createHash('sha256').update(manifest).digest('hex'),
    outcome,
    started: new Date(made + HOUR / 3).toISOString(),
    finished,
    host: 'restore-1',
    server: '17.2',
    steps: STEPS.map((step) => ({
      step,
      outcome: step === 'compare' ? outcome : 'pass',
      seconds: 1.5,
      checks: 4,
      findings:
        step === 'compare' && outcome === 'fail'
          ? [{ severity: 'failure' as const, message: 'public.t: 500 rows expected, 499 found' }]
          : [],
      log: ['a line of the log'],
    })),
    recoverySeconds: 12,
    intervalSeconds: null,
    rows: ROWS,
    tables: 1,
    stored: 1,
    content: 1,
    envelopeDestroyed: true,
  })
  const path = join(store, label, verdictName({ finished }))
  mkdirSync(join(path, '..'), { recursive: true })
  const file = join(directory, `${signer}.private.asc`)
  const [key] = await readPrivateKeys(file, readFileSync(file))
  writeFileSync(path, bytes)
  writeFileSync(`${path}.asc`, await signDetached(bytes, await unlockKey(key!, undefined)))
  rmSync(join(store, label, 'envelopes', 'verifier.asc'), { force: true })
}

function standings({ checks }: DailyReport): Record<string, string> {
  return Object.fromEntries(checks.map(({ check, standing }) => [check, standing]))
}

describe('a day', () => {
  test('is good when the latest backup is there and proven', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[0], 'pass')
    await judge(store, labels[1], 'pass')
    const { report: day, code } = await report(store, ['--strict'], 1, file)
    expect(day.problems).toEqual([])
    expect({ code, standing: day.standing }).toEqual({ code: 0, standing: 'good' })
    expect(day.latest).toMatchObject({
      label: labels[1],
      sequence: 2,
      rows: ROWS,
      tables: 1,
      proven: 'pass',
    })
    expect(day.latest?.stored).toBe(sizeUnder(join(store, labels[1])))
    expect(day.test).toMatchObject({ ofLatest: true, outcome: 'pass', host: 'restore-1' })
    expect(day.test?.steps.map(({ step }) => step)).toEqual([...STEPS])
    expect(JSON.stringify(day)).not.toContain('a line of the log')
    expect(day.reason).toContain('500 rows came back as they were')
    const night = day.days.find(({ label }) => label === labels[1])
    expect(night).toMatchObject({ state: 'pass', recoverySeconds: 12, rows: ROWS })
  })

  test('wants attention while nothing is proven', async () => {
    const { store, file } = await fresh()
    const { report: day, code } = await report(store, [], 1, file)
    expect({ code, standing: day.standing }).toEqual({ code: 0, standing: 'attention' })
    expect(day.reason).toContain('has not been tested yet')
    expect(day.verifierEnvelopes).toEqual([...labels])
    expect((await report(store, ['--strict'], 1, file)).code).toBe(FINDINGS)
  })

  test('is not made better by a verdict that a stranger signed, or that was changed', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[0], 'pass')
    await judge(store, labels[1], 'pass', 'stranger')
    const forged = await report(store, [], 1, file)
    expect(forged.report.latest?.proven).toBe('open')
    expect(forged.report.standing).toBe('attention')
    expect(forged.report.notes.join('\n')).toMatch(
      /verdicts\/\S+ does not count: the signature is by an unknown key/,
    )
    await judge(store, labels[1], 'fail')
    const folder = join(store, labels[1], 'verdicts')
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
      const text = readFileSync(join(folder, name), 'utf8')
      writeFileSync(join(folder, name), text.replaceAll('"fail"', '"pass"'))
    }
    const changed = await report(store, [], 1, file)
    expect(changed.report.latest?.proven).toBe('open')
    expect(changed.report.notes.join('\n')).toContain('does not count')
  })

  test('is not made better by the verdict of another backup', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[0], 'pass')
    cpSync(join(store, labels[0], 'verdicts'), join(store, labels[1], 'verdicts'), {
      recursive: true,
    })
    const { report: day } = await report(store, [], 1, file)
    expect(day.latest?.proven).toBe('open')
    expect(day.notes.join('\n')).toContain('belongs to another backup')
  })

  test('is bad after a restore test that failed', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[1], 'fail')
    const { report: day, code } = await report(store, ['--strict'], 1, file)
    expect({ code, standing: day.standing }).toEqual({ code: FINDINGS, standing: 'bad' })
    expect(day.reason).toContain('failed at compare: public.t: 500 rows expected, 499 found')
  })

  test('is bad when the night brought nothing, and the night stays visible', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[1], 'pass')
    const { report: day } = await report(store, [], 49, file)
    expect(day.reason).toMatch(/^no backup for 4[89] h, though one is expected every 24 h$/)
    expect(day.days.slice(-2).map(({ state }) => state)).toEqual(['missed', 'missed'])
    expect(standings(day)).toMatchObject({ backup: 'bad', test: 'good', chain: 'good' })
  })

  test('is bad when a backup was damaged or one in between is gone', async () => {
    const { store, file } = await fresh()
    truncateSync(join(store, labels[0], 'restore.sh'), 10)
    const damaged = await report(store, [], 1, file)
    expect(standings(damaged.report)['chain']).toBe('bad')
    expect(damaged.report.problems[0]?.message).toContain(`${labels[0]}/restore.sh has 10 bytes`)
    rmSync(join(store, labels[0]), { recursive: true })
    const gone = await report(store, [], 1, file)
    expect(gone.report.problems[0]?.message).toContain(`follows ${labels[0]}, which is missing`)
  })

  test('is bad when the latest has vanished since the last report', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[0], 'pass')
    await judge(store, labels[1], 'pass')
    expect((await report(store, [], 1, file)).report.standing).toBe('good')
    rmSync(join(store, labels[1]), { recursive: true })
    const { report: day } = await report(store, [], 2, file)
    expect(day.reason).toBe(`${labels[1]}, which an earlier report has seen, is gone`)
  })

  test('is bad when there is nothing yet, or no store', async () => {
    const { file } = await fresh()
    const empty = mkdtempSync(join(directory, 'empty-'))
    const first = await report(empty, [], 1, file)
    expect(first.code).toBe(0)
    expect(first.report).toMatchObject({ standing: 'bad', latest: null, test: null })
    expect(first.report.reason).toContain('there is no backup in')
    expect(first.report.days.every(({ state }) => state === 'idle')).toBe(true)
    const nowhere = await report(join(directory, 'nowhere'), [], 1, file)
    expect(nowhere.code).toBe(0)
    expect(nowhere.report.standing).toBe('bad')
    expect(nowhere.report.reason).toMatch(/^nothing is known of the backups: .*nowhere/)
  })

  test('wants attention where a custodian’s private key lies beside the public ones', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[1], 'pass')
    const lying = join(directory, 'keys', 'found.asc')
    cpSync(join(directory, 'safe', 'offline.private.asc'), lying)
    try {
      const { report: day } = await report(store, [], 1, file)
      expect(day.problems.find(({ check }) => check === 'keys')?.message).toMatch(
        /found\.asc holds the PRIVATE key [0-9A-F]{40} of offline/,
      )
    } finally {
      rmSync(lying)
    }
  })

  test('tells what dead runs have left, after the time of grace', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[1], 'pass')
    const dead = join(store, '20200101T000000Z-crm')
    mkdirSync(dead)
    writeFileSync(join(dead, 'pre-data.sql.pgp'), 'x')
    const { report: day } = await report(store, [], 1, file)
    expect(standings(day)['leftovers']).toBe('attention')
    expect(day.unfinished).toMatchObject([{ label: '20200101T000000Z-crm', objects: 1 }])
  })
})

describe('delivery', () => {
  test('files of all formats, each readable by its kind', async () => {
    const { store, file } = await fresh()
    await judge(store, labels[1], 'fail')
    const output = join(directory, 'out', 'deep')
    const args = ['--format', 'html,text,json,junit,prometheus', '--output', output]
    const { event, report: day } = await report(store, args, 1, file)
    const names = ['html', 'json', 'prom', 'txt', 'xml'].map((end) => `report.${end}`)
    expect(readdirSync(output).toSorted()).toEqual(names)
    expect((event['files'] as string[]).toSorted()).toEqual(names.map((name) => join(output, name)))
    const read = (end: string) => readFileSync(join(output, `report.${end}`), 'utf8')
    expect(elementsOf(read('html')).find(({ name }) => name === 'h1')?.text).toContain('Bad')
    expect(elementsOf(read('xml')).filter(({ name }) => name === 'testsuite')).toHaveLength(9)
    expect(JSON.parse(read('json'))).toEqual(day)
    expect(read('txt')).toContain('✕ BAD')
    expect(read('prom')).toContain('pgveil_verify_outcome{chain="crm",outcome="fail"} 1\n')
  })

  test('dated files where reports are kept, and metrics where they are wanted', async () => {
    const { store } = await fresh()
    const metrics = join(directory, 'metrics', 'pgveil.prom')
    const file = await configure('dated', { metrics })
    await report(store, [], 1, file)
    await report(store, [], 2, file)
    const reports = readdirSync(join(directory, 'config-dated', 'reports'))
    expect(reports.filter((name) => /^crm-\d{8}T\d{6}Z\.(html|txt|json)$/.test(name))).toHaveLength(
      6,
    )
    expect(reports.filter((name) => !name.startsWith('crm-'))).toEqual(['history.json'])
    expect(readdirSync(join(metrics, '..'))).toEqual(['pgveil.prom'])
    expect(readFileSync(metrics, 'utf8')).toContain('pgveil_backup_age_seconds{chain="crm"}')
  })

  test('mail over STARTTLS, then the ping, from the built program', async () => {
    const { store } = await fresh()
    await judge(store, labels[1], 'fail')
    const { cert: ca, key } = await makeCertificate(directory)
    const happened: string[] = []
    let message = ''
    const smtp = new SMTPServer({
      cert: readFileSync(ca),
      key: readFileSync(key),
      onAuth({ username, password }, { secure }, callback) {
        const good = secure && username === 'reports' && password === PASSWORD
        callback(good ? null : new Error('no'), good ? { user: username } : undefined)
      },
      onData(stream, _session, callback) {
        stream.setEncoding('utf8').on('data', (chunk: string) => (message += chunk))
        stream.on('end', () => (happened.push('mail'), callback()))
      },
    })
    const listening = smtp.listen(0, '127.0.0.1')
    const switched = await listen(() => happened.push('ping'))
    await new Promise((resolve) =>
      listening.listening ? resolve(0) : listening.once('listening', resolve),
    )
    try {
      const file = await configure('mail', {
        mail: {
          host: 'localhost',
          port: (listening.address() as { port: number }).port,
          user: 'reports',
          password: { env: 'MAIL_PASSWORD' },
          from: 'pgveil@acme.example',
          to: 'ops@acme.example',
        },
        ping: switched.url,
      })
      const args = ['report', '--config', file, '--store', store]
      const env = { MAIL_PASSWORD: PASSWORD, NODE_EXTRA_CA_CERTS: ca }
      const { code, stdout, stderr } = await runPgveil(args, { env })
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('error') })
      expect(happened).toEqual(['mail', 'ping'])
      expect(stdout).toContain('✕ BAD')
      expect(stdout).toContain('mailed to ops@acme.example\ntold the switch\n')
      expect(message).toMatch(/^Subject: BAD: backups of crm/m)
      expect(message).toMatch(/multipart\/alternative/)
      expect(stdout + stderr).not.toContain(PASSWORD)
      expect(stdout + stderr).not.toContain(PING_TOKEN)
      const silent = await runPgveil([...args, '--no-mail', '--no-ping', '--quiet'], { env })
      expect({ ...silent, happened }).toMatchObject({
        code: 0,
        stdout: '',
        happened: ['mail', 'ping'],
      })
    } finally {
      await new Promise<void>((resolve) => smtp.close(() => resolve()))
      await switched.stop()
    }
  })

  test('that fails is an error: files stay, the switch is not told', async () => {
    const { store } = await fresh()
    let pings = 0
    const switched = await listen(() => pings++)
    const metrics = join(directory, 'metrics-2', 'pgveil.prom')
    const mail = {
      host: '127.0.0.1',
      port: 1,
      security: 'none',
      from: 'a@b.example',
      to: 'c@d.example',
    }
    const file = await configure('down', { mail, metrics, ping: switched.url })
    try {
      const { code, said, event } = await report(
        store,
        ['--output', join(directory, 'out-2')],
        1,
        file,
      )
      expect(code).toBe(22)
      expect(said).toMatch(/error: mail server 127\.0\.0\.1:1 takes no connections/)
      expect(event).toEqual({})
      expect(pings).toBe(0)
      expect(existsSync(metrics)).toBe(true)
      expect(existsSync(join(directory, 'out-2', 'report.html'))).toBe(true)
    } finally {
      await switched.stop()
    }
  })

  test('to a switch that does not answer well is an error', async () => {
    const { store } = await fresh()
    const switched = await listen(() => {}, 404)
    const file = await configure('refusing', { ping: switched.url })
    try {
      const { code, said } = await report(store, [], 1, file)
      expect(code).toBe(22)
      expect(said).toContain('the report is delivered, but 127.0.0.1')
    } finally {
      await switched.stop()
    }
  })

  test('into a directory that cannot be written is an error', async () => {
    const { store, file } = await fresh()
    const output = join(directory, 'a-file')
    writeFileSync(output, '')
    const { code, said } = await report(store, ['--output', output], 1, file)
    expect(code).not.toBe(0)
    expect(said).toContain(`error: cannot write ${output}/report.html`)
  })

  test.each([
    [['--format', 'htlm'], 2, 'there is no format htlm'],
    [['--mail'], 10, 'report.mail is not set'],
    [['--at', 'yesterday'], 2, '--at'],
    [['--output', 'a', '--output', 'b'], 2, '--output is given more than once'],
  ])('%j is refused', async (args, exitCode, words) => {
    const { code, said } = await report(pristine, args)
    expect({ code, said }).toEqual({ code: exitCode, said: expect.stringContaining(words) })
  })
})

function sizeUnder(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + readFileSync(join(parentPath, name)).length, 0)
}

/** A dead-man's switch. */
async function listen(
  asked: () => unknown,
  status = 200,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const http: HttpServer = createServer((_request, response) => {
    asked()
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/${PING_TOKEN}`,
    stop: () => {
      http.closeAllConnections()
      return new Promise((resolve) => http.close(() => resolve()))
    },
  }
}
