import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals'
import { loadConfig, type Needed, type Settings } from '../../../src/config/config.ts'
import type { Flags } from '../../../src/config/layers.ts'
import { readSecret } from '../../../src/config/secret.ts'
import { hidePasswords } from '../../../src/config/url.ts'

const cwd = await mkdtemp(join(tmpdir(), 'pgveil-config-'))
const yaml = join(cwd, 'pgveil.yaml')
const SOURCE = 'postgresql://app@db.example:5432/crm'

beforeEach(() => rm(yaml, { force: true }))
afterAll(() => rm(cwd, { recursive: true }))

const load = (
  flags: Flags = {},
  env: NodeJS.ProcessEnv = {},
  needs: Needed[] = ['source'],
): Promise<Settings> => loadConfig({ flags, env, cwd, needs })

describe('layers', () => {
  test('flags win over the environment, that over the file, that over defaults', async () => {
    await writeFile(
      yaml,
      'source: postgresql://file/db\ntarget: postgresql://file/db2\nrules: r/a.yaml\njobs: 3\npgDump: wasm\n',
    )
    const settings = await load(
      { source: SOURCE },
      { PGVEIL_SOURCE: 'postgresql://env/db', PGVEIL_JOBS: '7', PGVEIL_ONLY: 'a, b' },
      ['source', 'target'],
    )
    expect(settings).toMatchObject({
      file: yaml,
      source: SOURCE,
      target: 'postgresql://file/db2',
      rules: join(cwd, 'r/a.yaml'),
      jobs: 7,
      only: ['a', 'b'],
      exclude: [],
      keepPrevious: false,
      pgDump: 'wasm',
      allowSameServer: false,
      variables: [],
      warnings: [],
    })
  })

  test('without a file there are defaults', async () => {
    const settings = await load({ source: SOURCE })
    expect(settings.jobs).toBeGreaterThanOrEqual(1)
    expect(settings.jobs).toBeLessThanOrEqual(4)
    expect(settings).not.toHaveProperty('file')
    expect(settings).not.toHaveProperty('secret')
  })

  test('production is never taken away', async () => {
    await writeFile(yaml, 'production: [db:5432]')
    const settings = await load({ source: SOURCE }, { PGVEIL_PRODUCTION: 'db2:5432/crm' })
    expect(settings.production).toEqual(['db:5432', 'db2:5432/crm'])
  })

  test('an empty file is a file without keys', async () => {
    await writeFile(yaml, '# nothing yet\n')
    expect((await load({ source: SOURCE })).file).toBe(yaml)
  })
})

describe('errors', () => {
  test.each([
    ['sorce: a', '1:1: unknown key sorce', 'did you mean source'],
    ['qqqqqq: a', '1:1: unknown key qqqqqq', 'known keys: source, target'],
    ['jobs: 0', '1:7: jobs: expected a whole number from 1 to 64', undefined],
    ['- a', '1:1: invalid input: expected object', undefined],
    ['jobs: 1\njobs: 2', '2:1: this key stands twice', undefined],
    ['production:\n  - 7301234567890123456', '2:5: production.0: expected text', undefined],
    ['production: [db]', '1:14: production.0: expected host:port', undefined],
    ['secret: hunter2hunter2', '1:9: secret: expected { env: NAME }', undefined],
    ['secret: { env: A, file: b }', '1:9: secret: expected', undefined],
    ['source: mysql://a/b', '1:9: source: not a connection URL', 'write postgresql'],
    ['source: postgresql://a', '1:9: source: the connection URL names no database', undefined],
    ['source: "postgresql://u:a#b@h/d"', '1:9: source:', 'percent-encode'],
    ['source: postgresql://u:${NO}@h/d', '1:9: source: environment variable NO is not', undefined],
  ])('%j', async (text, message, hint) => {
    await writeFile(yaml, text)
    const error = await load().catch((e: unknown) => e)
    expect(error).toMatchObject({ kind: 'config' })
    expect((error as Error).message).toContain(`${yaml}:${message}`)
    expect((error as Error).message).not.toContain('hunter2')
    expect((error as Error).message).not.toContain('a#b')
    expect((error as { hint?: string }).hint ?? '').toContain(hint ?? '')
  })

  test('of flags and variables name them', async () => {
    await expect(load({ source: 'x' })).rejects.toMatchObject({
      kind: 'usage',
      message: '--source: not a connection URL',
    })
    await expect(load({ jobs: 1.5 })).rejects.toMatchObject({ kind: 'usage' })
    await expect(load({}, { PGVEIL_JOBS: '4x' })).rejects.toMatchObject({
      kind: 'config',
      message: 'environment variable PGVEIL_JOBS: expected a whole number from 1 to 64',
    })
    await expect(load({}, { PGVEIL_SOURCE: 'x' })).rejects.toMatchObject({
      message: 'environment variable PGVEIL_SOURCE: not a connection URL',
    })
    await expect(load({}, { PGVEIL_KEEP_PREVIOUS: 'maybe' })).rejects.toMatchObject({
      kind: 'config',
    })
  })

  test('what is needed and nowhere set', async () => {
    await expect(load()).rejects.toMatchObject({
      kind: 'usage',
      message: 'no source database is set',
      hint: 'use --source, PGVEIL_SOURCE, or source: in pgveil.yaml',
    })
  })

  test('a named file must exist', async () => {
    await expect(load({ config: 'other.yaml' })).rejects.toMatchObject({
      kind: 'config',
      message: `cannot read ${join(cwd, 'other.yaml')}: no such file or directory (ENOENT)`,
    })
  })
})

describe('URLs', () => {
  test('variables are encoded in the credentials and taken as they are elsewhere', async () => {
    await writeFile(yaml, 'source: postgresql://${U}:${P}@${HOSTPORT}/crm\ntarget: ${T}')
    const settings = await load(
      {},
      { U: 'app', P: 'p@ss/#%', HOSTPORT: 'db:5433', T: 'postgresql://u:x%40y@h/d' },
      ['source', 'target'],
    )
    expect(settings.source).toBe('postgresql://app:p%40ss%2F%23%25@db:5433/crm')
    expect(settings.target).toBe('postgresql://u:x%40y@h/d')
    expect(settings.warnings).toEqual([])
  })

  test('one that is not needed may have variables that are not set', async () => {
    await writeFile(yaml, `source: ${SOURCE}\ntarget: postgresql://u:\${PGVEIL_X}@h/d`)
    const settings = await load({}, { PGVEIL_TARGET: 'nonsense' })
    expect(settings).not.toHaveProperty('target')
  })

  test('a password in an argument is warned about, once and without it', async () => {
    const url = 'postgresql://u:geheim@h/d'
    const { warnings } = await load({ source: url, target: url }, {}, ['source', 'target'])
    expect(warnings.map(({ code }) => code)).toEqual(['password-in-arguments'])
    expect(JSON.stringify(warnings)).not.toContain('geheim')
    expect((await load({}, { PGVEIL_SOURCE: url })).warnings).toEqual([])
  })

  test('passwords are taken out of any text', () => {
    expect(hidePasswords('at postgresql://u:p:a@ss@h/d?password=x&a=1 now')).toBe(
      'at postgresql://u:***@h/d?password=***&a=1 now',
    )
  })
})

test('variables that nobody reads are warned about', async () => {
  await writeFile(yaml, 'secret: { env: PGVEIL_KEY }')
  const { warnings, secret } = await load(
    { source: SOURCE },
    { PGVEIL_TARGTE: 'x', PGVEIL_KEY: 'y' },
  )
  expect(warnings).toEqual([
    {
      code: 'unknown-variable',
      message:
        'environment variable PGVEIL_TARGTE is not known and was ignored; did you mean PGVEIL_TARGET or PGVEIL_STORE',
    },
  ])
  expect(secret).toEqual({ env: 'PGVEIL_KEY' })
})

test('pgveil.yml is not overlooked in silence', async () => {
  const other = join(cwd, 'pgveil.yml')
  await writeFile(other, 'jobs: 1')
  const { warnings } = await load({ source: SOURCE })
  await rm(other)
  expect(warnings.map(({ code }) => code)).toEqual(['config-not-read'])
})

describe('the secret', () => {
  test('comes from the environment or a file, without its line break', async () => {
    const file = join(cwd, 'secret')
    await writeFile(file, 'correct horse battery\n')
    const bytes = Buffer.from('correct horse battery')
    expect(await readSecret({ file }, {})).toEqual(bytes)
    expect(await readSecret({ env: 'S' }, { S: 'correct horse battery' })).toEqual(bytes)
  })

  test.each([{ S: 'short' }, { S: 'aaaaaaaaaaaaaaaaaaaaaaaa' }, { S: '' }, {}])(
    'is refused where it is easy to guess or missing: %j',
    async (env) => {
      const error = await readSecret({ env: 'S' }, env).catch((e: unknown) => e)
      expect(error).toMatchObject({ kind: 'key', hint: expect.stringContaining('openssl') })
      expect((error as Error).message).not.toContain(env.S || 'never')
    },
  )

  test('in a file that is not there', async () => {
    await expect(readSecret({ file: '/nowhere' }, {})).rejects.toMatchObject({
      kind: 'key',
      message: 'cannot read the secret: file /nowhere: no such file or directory (ENOENT)',
    })
  })

  test('PGVEIL_SECRET wins over the file', async () => {
    await writeFile(yaml, 'secret: { file: s }')
    expect((await load({ source: SOURCE })).secret).toEqual({ file: join(cwd, 's') })
    expect((await load({ source: SOURCE }, { PGVEIL_SECRET: 'x' })).secret).toEqual({
      env: 'PGVEIL_SECRET',
    })
  })
})
