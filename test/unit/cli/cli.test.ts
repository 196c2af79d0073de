import { EventEmitter } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { EXIT_CODES, Failure } from '../../../src/errors.ts'
import type { Emit } from '../../../src/report/events.ts'
import { MASKS } from '../rules/masks.ts'

type Stage = (options: Record<string, unknown>, emit: Emit, signal: AbortSignal) => Promise<unknown>
const stages = {
  runCopy: jest.fn<Stage>(),
  planCopy: jest.fn<Stage>(),
  checkRules: jest.fn<Stage>(),
}
jest.unstable_mockModule('../../../src/copy/copy.ts', () => stages, { virtual: true })
jest.unstable_mockModule('../../../src/mask/registry.ts', () => ({ MASKS }), { virtual: true })
const { run } = await import('../../../src/cli.ts')

const cwd = await mkdtemp(join(tmpdir(), 'pgveil-cli-'))
await writeFile(join(cwd, 'rules.yaml'), 'version: 1\ntables:\n  t: keep\n')
afterAll(() => rm(cwd, { recursive: true }))
beforeEach(() => {
  for (const stage of Object.values(stages)) stage.mockReset().mockResolvedValue(undefined)
})

const URLS = ['--source', 'postgresql://a@h/d', '--target', 'postgresql://a@h2/d2']
const COPY = ['copy', ...URLS, '--rules', 'rules.yaml']

async function cli(argv: string[], env: NodeJS.ProcessEnv = {}, signals?: EventEmitter) {
  const out: string[] = []
  const err: string[] = []
  const code = await run(argv, {
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    env: { XDG_STATE_HOME: join(cwd, 'state'), ...env },
    cwd,
    isTTY: { stdout: false, stderr: false },
    size: () => ({ columns: 80, rows: 24 }),
    ...(signals && { signals }),
  })
  return { code, out: out.join(''), err: err.join('') }
}

test('--help and --version go to stdout', async () => {
  const help = await cli(['--help'])
  expect(help).toMatchObject({ code: 0, err: '' })
  for (const word of ['pgveil copy', 'pgveil rules', 'pgveil masks', 'Exit codes:'])
    expect(help.out).toContain(word)
  expect((await cli(['copy', '--help'])).out).toContain('--dry-run')
  expect((await cli(['copy', '-h'])).out).toContain('--dry-run')
  expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+/)
})

test.each(['--help', '--version'])(
  '%s reads no configuration and leaves no record',
  async (argv) => {
    const config = join(cwd, 'unreadable.yaml')
    await writeFile(config, 'nonsense: 1')
    const state = join(cwd, 'state-of-help')
    const { code, err } = await cli([argv], { PGVEIL_CONFIG: config, XDG_STATE_HOME: state })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(existsSync(state)).toBe(false)
  },
)

test('the help names every exit code', async () => {
  const { out } = await cli(['--help'])
  for (const code of Object.values(EXIT_CODES)) expect(out).toMatch(new RegExp(`\\b${code} `))
})

test.each(
  `copy, backup, list, restore, verify, prune, erase record, nightly, report, keys init, keys drill, keys rewrap,
  unlock request, unlock answer, audit show`.split(/,\s+/),
)('examples of %s stand in one line each', async (command) => {
  const { out } = await cli([...command.split(' '), '--help'])
  const [, examples = ''] = /^Examples:\n([\s\S]*?)(?:\n\n|$)/m.exec(out) ?? []
  for (const line of examples.trimEnd().split('\n'))
    expect(line).toMatch(new RegExp(`^  pgveil ${command}( |$)`))
})

describe('usage errors', () => {
  test.each([
    [[], 'which command?', 'pgveil --help'],
    [['frobnicate'], 'unknown argument: frobnicate', 'pgveil --help'],
    [['rules'], 'which rules command?', 'see pgveil rules --help'],
    [['rules', 'chek'], 'unknown argument: chek', 'did you mean check'],
    [['copy', '--sorce', 'x'], 'unknown argument: --sorce', 'did you mean --source'],
    [['copy', '--keep-previos=x'], 'unknown argument: --keep-previos', 'did you mean --keep-prev'],
    [['copy', '-x'], 'unknown argument: -x', 'see pgveil copy --help'],
    [['masks', '--deep'], 'unknown argument: --deep', 'see pgveil masks --help'],
    [['copy', '--source'], '--source wants a value', 'see pgveil copy --help'],
    [['erase', 'record'], 'missing: --table and --column', 'see pgveil erase record --help'],
    [['verify', '--label', 'x', '--latest'], '--label and --latest exclude each other', 'verify'],
    [['verify', '--label', 'x'], 'no store is set', 'PGVEIL_STORE'],
    [['restore', '--label', 'x', '--label', 'y'], '--label is given more than once', ''],
    [['list', '--quiet', '--quiet'], '--quiet is given more than once', ''],
    // yargs takes this for --dry-run=false
    [['prune', '--dry-run=yes'], '--dry-run takes no value', ''],
    [['report', '--no-ping=1'], '--no-ping takes no value', ''],
    [['copy', ...URLS, ...URLS], '--source is given more than once', ''],
    [['copy', '--pg-dump', 'x'], '--pg-dump: there is no x', 'auto, native, wasm'],
    [['copy', '--jobs', 'x', ...URLS], '--jobs: expected a whole number', ''],
    [['copy', ...URLS], 'no rule file is set', 'PGVEIL_RULES'],
    [['masks', 'internet.emial'], 'unknown mask "internet.emial"', 'internet.email'],
    [['masks', 'nonsense'], 'unknown mask "nonsense"', 'pgveil masks lists all'],
  ])('%j', async (argv, message, hint) => {
    const { code, out, err } = await cli(argv)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(`pgveil: error: ${message}`)
    expect(err).toContain(hint)
  })
})

describe('copy', () => {
  test('hands the settings to the copy', async () => {
    const { code, err } = await cli(
      [...COPY, '--jobs', '2', '--only', 'a,b', '--only', 'c', '--keep-previous'],
      { PGVEIL_SECRET: 'a rather long secret' },
    )
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(stages.planCopy).not.toHaveBeenCalled()
    expect(stages.runCopy.mock.calls[0]?.[0]).toMatchObject({
      source: 'postgresql://a@h/d',
      target: 'postgresql://a@h2/d2',
      jobs: 2,
      only: ['a', 'b', 'c'],
      keepPrevious: true,
      secret: Buffer.from('a rather long secret'),
      rules: { tables: [{ schema: 'public', table: 't' }] },
    })
  })

  test('--dry-run only plans', async () => {
    expect((await cli([...COPY, '--dry-run'])).code).toBe(0)
    expect(stages.planCopy).toHaveBeenCalledTimes(1)
    expect(stages.runCopy).not.toHaveBeenCalled()
  })

  test('prints failures with what is left behind and a hint', async () => {
    stages.runCopy.mockRejectedValue(
      new Failure('sink', 'cannot write postgresql://u:geheim@h/d', {
        hint: 'try again',
        left: 'database x',
        cause: new Error('row value'),
      }),
    )
    const { code, err } = await cli(COPY)
    expect(code).toBe(12)
    expect(err).toBe(
      'pgveil: error: cannot write postgresql://u:***@h/d\nleft behind: database x\nhint: try again\n',
    )
    const json = await cli([...COPY, '--json'])
    expect(JSON.parse(json.out)).toEqual({
      event: 'error',
      kind: 'sink',
      message: 'cannot write postgresql://u:***@h/d',
      hint: 'try again',
      left: 'database x',
      exitCode: 12,
    })
  })

  test('prints anything else as a bug, without what PostgreSQL quotes', async () => {
    const error = Object.assign(new Error('invalid input syntax: "geheim"'), {
      code: '22P02',
      severity: 'ERROR',
      routine: 'pg_strtoint32',
      detail: 'geheim',
      where: 'COPY t, line 1: "geheim"',
    })
    stages.runCopy.mockRejectedValue(new Error('while copying', { cause: error }))
    const { code, err } = await cli(COPY)
    expect(code).toBe(1)
    expect(err).not.toContain('geheim')
    expect(err).toContain('pgveil: error: Error: while copying\n')
    expect(err).toContain('caused by PostgreSQL error 22P02 in pg_strtoint32')
    expect(err).toContain('please report it')
    expect(err).toMatch(/\n {4}at /)
    stages.runCopy.mockRejectedValue(error)
    expect((await cli(COPY)).err).not.toContain('geheim')
  })

  test('a wrong rule file stops it before anything is touched', async () => {
    await writeFile(join(cwd, 'wrong.yaml'), 'version: 1\ntables:\n  t: { a: nonsense }\n')
    const { code, err } = await cli(['copy', ...URLS, '--rules', 'wrong.yaml'])
    expect(code).toBe(10)
    expect(err).toContain('wrong.yaml:3:11: unknown mask "nonsense"')
    expect(stages.runCopy).not.toHaveBeenCalled()
  })

  test('warns of passwords in arguments', async () => {
    const { err } = await cli(['copy', '--source', 'postgresql://a:geheim@h/d', ...COPY.slice(3)])
    expect(err).toContain('warning: a password in an argument')
    expect(err).not.toContain('geheim')
  })
})

describe('signals', () => {
  const untilAborted: Stage = (_options, _emit, signal) =>
    new Promise((_resolve, reject) => {
      const stop = () => reject(new Failure('sink', 'connection lost', { left: 'database b' }))
      signal.addEventListener('abort', () => setImmediate(stop))
    })

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('%s stops the run, which cleans up', async (name, exitCode) => {
    const signals = new EventEmitter()
    stages.runCopy.mockImplementation((...args) => {
      setImmediate(() => {
        signals.emit(name)
        signals.emit('SIGINT')
      })
      return untilAborted(...args)
    })
    const { code, err } = await cli(COPY, {}, signals)
    expect(code).toBe(exitCode)
    expect(err).toContain('stopping: dropping the unfinished database')
    expect(err).toContain('still dropping the unfinished database')
    expect(err).toContain(`pgveil: error: stopped by ${name}\nleft behind: database b\n`)
    expect(err).not.toContain('connection lost')
    expect(signals.listenerCount(name)).toBe(0)
  })

  test('an error that nobody caught stops the run as a bug', async () => {
    const signals = new EventEmitter()
    stages.runCopy.mockImplementation((...args) => {
      setImmediate(() => signals.emit('uncaughtException', new TypeError('oops')))
      return untilAborted(...args)
    })
    const { code, err } = await cli(COPY, {}, signals)
    expect(code).toBe(1)
    expect(err).toContain('TypeError: oops')
  })
})

test('rules check needs no target', async () => {
  const argv = ['rules', 'check', '--source', 'postgresql://a@h/d', '--rules', 'rules.yaml']
  expect((await cli(argv, { PGVEIL_TARGET: 'nonsense' })).code).toBe(0)
  stages.checkRules.mockRejectedValue(new Failure('refused', 'one column is not decided'))
  expect((await cli(argv)).code).toBe(16)
})

test('rules schema prints JSON', async () => {
  const { code, out } = await cli(['rules', 'schema'])
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ title: 'pgveil rule file' })
})

test('masks lists names, options and examples', async () => {
  const { out } = await cli(['masks'])
  expect(out).toContain('internet.email\n    summary of internet.email\n    types: text\n')
  expect(out).toContain('example: column: internet.email')
  const one = (await cli(['masks', 'date.shift'])).out
  expect(one).toContain('option days (integer from 1, default 30): how far at most')
  expect(one).not.toContain('internet.email')
})
