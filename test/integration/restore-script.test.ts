import { spawn, spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import { readManifest, writeManifest, type Manifest } from '../../src/backup/manifest.ts'
import { restoreScript } from '../../src/backup/restore-script.ts'
import { generateKey } from '../../src/seal/generate.ts'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, databaseUrl, execute, query, type Server } from '../fixtures/databases.ts'
import { loadEveryType } from '../fixtures/every-type.mjs'
import { makeKey as makeOldKey } from '../unit/seal/made-keys.ts'

/**
 * restore.sh makes a whole database of a backup with gpg, zstd and psql, in each shell that is here, without node; and
 * makes nothing at all of a backup that is not what was signed.
 */

type Run = typeof import('../../src/backup/run.ts')
/** The built one: its workers are files of their own. */
const RUN = '../../dist/backup/run.js'

const PROGRAMS = ['gpg', 'zstd', 'psql', 'sha256sum']
const BASICS = 'sed tr cut sort wc od grep mktemp mkdir rm cat stty tty gpgconf'.split(' ')

function find(program: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter)
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path))
}

const absent = PROGRAMS.filter((program) => find(program) === undefined)
if (absent.length > 0) {
  process.stderr.write(`\nSKIPPED: restore.sh is not tested here, without ${absent.join(', ')}\n\n`)
}
const suite = absent.length > 0 ? describe.skip : describe

const SHELLS: Record<string, string[]> = {
  dash: ['dash'],
  'bash --posix': ['bash', '--posix'],
  'busybox sh': ['busybox', 'sh'],
}
const shells = Object.entries(SHELLS)
  .map(([name, [program = '', ...args]]) => ({ name, command: [find(program) ?? '', ...args] }))
  .filter(({ command }) => command[0])

/** What only some of the tests need; the others run. */
const fewer = ['dash', 'bash', 'busybox', 'script'].filter((program) => find(program) === undefined)
if (absent.length === 0 && fewer.length > 0) {
  process.stderr.write(`\nSKIPPED: what restore.sh does with ${fewer.join(', ')}: not here\n\n`)
}

/** One view lacks a right, one fails on a value, one reads the first of them. */
const VIEWS = [
  `CREATE TABLE t AS SELECT x, 'canary ' || x AS note FROM generate_series(1, 3) AS x`,
  'CREATE MATERIALIZED VIEW before AS SELECT x FROM t',
  `CREATE MATERIALIZED VIEW "50% o'closed\n" AS SELECT x FROM t`,
  `CREATE MATERIALIZED VIEW broken AS
     SELECT CASE current_database() WHEN 'views' THEN x ELSE note::integer END AS x FROM t`,
  `CREATE MATERIALIZED VIEW on_closed AS SELECT x FROM "50% o'closed\n"`,
  'CREATE MATERIALIZED VIEW on_filled AS SELECT x FROM before',
  'CREATE MATERIALIZED VIEW never AS SELECT x FROM t WITH NO DATA',
  'CREATE ROLE poor',
  `ALTER MATERIALIZED VIEW "50% o'closed\n" OWNER TO poor`,
]

let place = ''
let source: Server
let target: Server
/** Directory of each backup. */
const backups = new Map<string, string>()

const path = (...parts: string[]) => join(place, ...parts)

suite('restore.sh', () => {
  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), 'pgveil-sh-'))
    for (const name of ['store', 'keys', 'tools', 'home', 'tmp', 'custodian'])
      mkdirSync(path(name), { mode: 0o700 })
    for (const program of [...PROGRAMS, ...BASICS])
      symlinkSync(find(program) ?? '', path('tools', program))
    symlinkSync(find('sh') ?? '', path('tools', 'sh'))
    await makeKeys()
    ;[source, target] = await Promise.all([
      startPostgres({ settings: { wal_level: 'logical' } }),
      startPostgres({}),
    ])
    await fillSampleCrm(await createDatabase(source, 'crm'), { scale: 0.3 })
    const icu = `TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'hu'`
    const wild = await createDatabase(source, `wild "n'ame"`, icu)
    await execute(
      wild,
      readFileSync(new URL('../fixtures/wild-names.sql', import.meta.url), 'utf8'),
    )
    await loadEveryType(await createDatabase(source, 'every_type'))
    const ascii = `TEMPLATE template0 ENCODING 'SQL_ASCII'`
    await execute(
      await createDatabase(source, 'bytes', ascii),
      "CREATE TABLE t AS SELECT convert_from('\\xf5fbff5c0a'::bytea, 'SQL_ASCII') AS x",
    )
    await execute(await createDatabase(source, 'views'), ...VIEWS)
    for (const database of ['crm', `wild "n'ame"`, 'every_type', 'bytes', 'views'])
      await backUp(database)
    await createDatabase(source, 'single')
    await backUp('single', ['operations'])
  })

  afterAll(async () => {
    spawnSync('gpgconf', ['--homedir', path('custodian'), '--kill', 'all'])
    await Promise.all([source.stop(), target.stop()])
    rmSync(place, { recursive: true, force: true })
  })

  test.each(shells)('restores everything: $name', async ({ name, command }) => {
    const database = name.replace(/\W/g, '_')
    const { code, stderr } = await restore('crm', ['--database', database], { command })
    if (code !== 0) throw new Error(stderr)
    await expectSame('crm', database)
  })

  test.each([`wild "n'ame"`, 'every_type', 'bytes'])('%s', async (name) => {
    const before = listing(name)
    const args = ['--database', name, '--server', `postgres://postgres@127.0.0.1:${target.port}/x`]
    const { code, stderr } = await restore(name, args, { env: { PGHOST: '192.0.2.1' } })
    if (code !== 0) throw new Error(stderr)
    if (name === 'bytes') expect(await bytes(target)).toEqual(await bytes(source))
    else await expectSame(name, name)
    expect(listing(name)).toEqual(before)
  })

  test('a locale that the server does not know', async () => {
    const directory = await signedAnew('locale', (manifest) => {
      manifest.source.collate = 'nowhere.UTF-8'
      return manifest
    })
    const server = `host=127.0.0.1 port=${target.port} user=postgres`
    const args = ['--database', 'locale', '--server', server]
    const env = { PGHOST: '192.0.2.1' }
    const { code, stderr } = await restore('crm', args, { directory, signer: 'locale', env })
    expect(stderr).toContain('warning: not with the locale of the source')
    expect(code).toBe(0)
    await expectSame('crm', 'locale')
  })

  test('a materialized view that cannot be filled is empty, and all else is there', async () => {
    const { code, stderr } = await restore('views', ['--database', 'viewed'])
    if (code !== 0) throw new Error(stderr)
    const warned = stderr.match(/WARNING: {2}.*/g)
    expect(warned).toEqual([
      `WARNING:  materialized view public."50% o'closed?" could not be filled (SQLSTATE 42501); it has no rows`,
      'WARNING:  materialized view public.broken could not be filled (SQLSTATE 22P02); it has no rows',
      'WARNING:  materialized view public.on_closed could not be filled (SQLSTATE 55000); it has no rows',
    ])
    expect(stderr).not.toContain('canary')
    expect(stderr).toMatch(/warning: 3 materialized views could not be filled[^]*done: .*\n$/)
    const filled = await query(
      databaseUrl(target, 'viewed'),
      `SELECT relname AS name FROM pg_class WHERE relkind = 'm' AND relispopulated ORDER BY 1`,
    )
    expect(filled).toEqual([{ name: 'before' }, { name: 'on_filled' }])
    expect(await databases()).not.toContain('viewed_restoring')
  })

  test('a backup of one side', async () => {
    const { code, stderr } = await restore('single', ['--check-only'], { halves: ['operations'] })
    if (code !== 0) throw new Error(stderr)
    expect(stderr).toContain('opened: pre-data.sql.pgp')
  })

  test('what RESTORE.md says to check first', () => {
    const directory = backups.get('crm') ?? ''
    const text = readFileSync(join(directory, 'RESTORE.md'), 'utf8')
    const block = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)][1]?.[1] ?? ''
    const run = (cwd: string) => {
      cpSync(path('keys', 'signing.asc'), join(cwd, 'signing.asc'))
      const env = { PATH: path('tools'), HOME: path('home'), TMPDIR: path('tmp') }
      const { stdout, stderr } = spawnSync(find('sh') ?? '', ['-c', block], { cwd, env })
      for (const name of readdirSync(path('tmp'))) rmSync(path('tmp', name), { recursive: true })
      return `${String(stdout)}\n${String(stderr)}`
    }
    const good = path('good')
    cpSync(directory, good, { recursive: true })
    expect(run(good)).toMatch(/restore\.sh: OK[\s\S]*Good signature/)
    appendFileSync(join(good, 'restore.sh'), '# changed')
    expect(run(good)).toMatch(/restore\.sh: FAILED/)
    appendFileSync(join(good, 'manifest.json'), ' ')
    expect(run(good)).toMatch(/BAD signature/)
  })

  test('gpg opens an envelope whose key it has; the other half is asked for', async () => {
    const env = { GNUPGHOME: path('custodian') }
    const both = await restore('crm', ['--check-only'], { env, halves: ['offline'] })
    expect(both).toMatchObject({ code: 0 })
    expect(both.stderr).toContain('nothing was restored')
    const one = await restore('crm', ['--check-only'], { env, halves: [] })
    expect(one).toMatchObject({ code: 14 })
    expect(one.stderr).toContain('the half of side offline is missing')
  })

  const terminal = find('script') ? test : test.skip
  terminal('a half that is typed is not shown', async () => {
    const directory = backups.get('crm') ?? ''
    const signer = path('keys', 'signing.asc')
    const command = `exec sh '${directory}/restore.sh' --signer '${signer}' --check-only`
    // Its standard input is what is typed, its output what is seen.
    const child = spawn(find('script') ?? '', ['-qec', command, '/dev/null'], {
      env: { PATH: path('tools'), SHELL: find('sh'), HOME: path('home'), TMPDIR: path('tmp') },
    })
    let seen = ''
    const asked = new Set<string>()
    const halves = ['operations', 'offline'].map((side) => {
      const half = readFileSync(halfFile(directory, side), 'utf8').trim()
      return { half, prompt: `half of side ${side} (not shown): ` }
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen += text
      for (const { half, prompt } of halves) {
        if (!seen.includes(prompt) || asked.has(prompt)) continue
        asked.add(prompt)
        child.stdin.write(`${half}\n`)
      }
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(seen).toContain('nothing was restored')
    expect(code).toBe(0)
    for (const { half } of halves) expect(seen).not.toContain(half)
  })

  test('no secret is an argument, in the environment or in a file of any program', async () => {
    const log = path('log')
    mkdirSync(path('watched'))
    for (const program of [...PROGRAMS, ...BASICS]) {
      const wrapper = `#!/bin/sh
{ echo "$0 $*"; /usr/bin/env; /usr/bin/find "$TMPDIR" -type f -exec /bin/cat {} +; } >>'${log}' 2>/dev/null
exec '${path('tools', program)}' "$@"
`
      writeFileSync(path('watched', program), wrapper, { mode: 0o755 })
    }
    // Whoever traces, exports everything, or has such variables already.
    const command = [find('sh') ?? '', '-ax']
    const env = { PATH: path('watched'), half: 'x', passphrase: 'x' }
    const { code, stderr, stdout } = await restore('crm', ['--check-only'], { command, env })
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    const seen = readFileSync(log, 'utf8')
    expect(seen).toContain('--passphrase-fd 0')
    for (const side of ['operations', 'offline']) {
      const half = readFileSync(path(`half-${side}`), 'utf8').trim()
      expect(half).toHaveLength(43)
      expect(seen).not.toContain(half)
      expect(stderr).not.toContain(half)
    }
  })

  describe('stops before anything is made', () => {
    const flip = (directory: string, name: string) => {
      const bytes = readFileSync(join(directory, name))
      const middle = bytes.length >> 1
      bytes[middle] = (bytes[middle] as number) ^ 1
      writeFileSync(join(directory, name), bytes)
    }
    const attacks: Record<string, [(directory: string) => void, number, string]> = {
      'a flipped bit': [(d) => flip(d, 'tables/3.1.0.pgp'), 15, 'tables/3.1.0.pgp is not what was'],
      'a truncated object': [
        (d) => truncateSync(join(d, 'tables/1.1.0.pgp'), 1000),
        15,
        'tables/1.1.0.pgp has 1000 bytes',
      ],
      'an object that goes on': [
        (d) => appendFileSync(join(d, 'globals.sql.pgp'), 'x'),
        15,
        'globals.sql.pgp has ',
      ],
      'a missing object': [
        (d) => rmSync(join(d, 'post-data.sql.pgp')),
        15,
        'post-data.sql.pgp is missing',
      ],
      'objects that changed places': [
        (d) => {
          renameSync(join(d, 'tables/1.1.0.pgp'), join(d, 'x'))
          renameSync(join(d, 'tables/2.1.0.pgp'), join(d, 'tables/1.1.0.pgp'))
          renameSync(join(d, 'x'), join(d, 'tables/2.1.0.pgp'))
        },
        15,
        'tables/1.1.0.pgp has ',
      ],
      'a changed restore.sh': [
        (d) => appendFileSync(join(d, 'restore.sh'), '# harmless\n'),
        15,
        'restore.sh has ',
      ],
      'a changed RESTORE.md': [
        (d) => flip(d, 'RESTORE.md'),
        15,
        'RESTORE.md is not what was signed',
      ],
      'a changed manifest': [
        (d) => {
          const text = readFileSync(join(d, 'manifest.json'), 'utf8')
          writeFileSync(join(d, 'manifest.json'), text.replace('"sequence": 1', '"sequence": 2'))
        },
        15,
        'manifest.json has no good signature',
      ],
      'a manifest signed by somebody else': [
        (d) => sign(d, 'forger'),
        15,
        'manifest.json has no good signature',
      ],
      'a manifest without signature': [
        (d) => rmSync(join(d, 'manifest.json.asc')),
        15,
        'manifest.json.asc is missing',
      ],
      'the signature of something else': [
        (d) => cpSync(join(d, 'envelopes.json.asc'), join(d, 'manifest.json.asc')),
        15,
        'manifest.json has no good signature',
      ],
      'the manifest of another backup': [
        (d) => {
          for (const name of ['manifest.json', 'manifest.json.asc'])
            cpSync(join(backups.get('every_type') ?? '', name), join(d, name))
        },
        15,
        'is not what was signed|has .* bytes|is missing',
      ],
    }

    test.each(Object.entries(attacks))('%s', async (name, [attack, code, message]) => {
      const directory = path('attacked')
      cpSync(backups.get('crm') ?? '', directory, { recursive: true })
      attack(directory)
      await expectNothing({ directory }, code, message)
      rmSync(directory, { recursive: true })
    })

    test('one half only', () =>
      expectNothing({ halves: ['operations'] }, 14, 'the half of side offline is missing'))

    test('a wrong half', async () => {
      writeFileSync(path('half-wrong'), `${'A'.repeat(43)}\n`)
      const args = ['--half', `offline=${path('half-wrong')}`]
      const message = 'half-wrong does not hold the half of side offline'
      await expectNothing({ halves: ['operations'], args }, 14, message)
    })

    test('the half of the other side', async () => {
      const args = ['--half', `offline=${path('half-operations')}`]
      await expectNothing({ halves: ['operations'], args }, 14, 'half of side offline')
    })

    test('a key that is not the signer', () =>
      expectNothing({ signer: 'forger' }, 15, 'manifest.json has no good signature'))

    test.each(['crm', 'crm_restoring'])('database %s is there', async (name) => {
      await createDatabase(target, name)
      await expectNothing({}, 16, `there is a database ${name} already`)
      await execute(target.url, `DROP DATABASE ${name}`)
    })

    test('a password among the arguments', () =>
      expectNothing({ args: ['--server', 'postgres://u:secret@127.0.0.1'] }, 2, 'a password in an'))

    test('gpg is not installed', async () => {
      mkdirSync(path('fewer'))
      for (const program of [...PROGRAMS, ...BASICS].filter((each) => each !== 'gpg'))
        symlinkSync(find(program) ?? '', path('fewer', program))
      await expectNothing({ env: { PATH: path('fewer') } }, 2, 'not installed here: gpg')
    })
  })

  describe('a key that has ended', () => {
    test('what it signed before is believed', async () => {
      const directory = await signedAnew('ended', (manifest) => manifest, ENDED)
      const options = { directory, signer: 'ended' }
      const { code, stderr } = await restore('crm', ['--check-only'], options)
      expect({ code, warned: stderr.includes('has expired since') }).toEqual({
        code: 0,
        warned: true,
      })
    })
  })

  describe('stops on the way, and says what is left', () => {
    test('another number of rows', async () => {
      let changed = ''
      const directory = await signedAnew('rows', (manifest) => {
        const [table] = manifest.tables
        const segment = manifest.objects.find(({ name }) => name === table?.segments[0])
        if (!table || !segment) throw new Error('no table')
        segment.rows = (segment.rows ?? 0) + 1
        table.rows++
        changed = segment.name
        return manifest
      })
      await expectLeft(directory, 'rows', new RegExp(`${changed} did not become \\d+ rows`))
    })

    test('rows that do not fit, none of which is shown', async () => {
      const directory = await signedAnew('columns', (manifest) => {
        const table = manifest.tables.find(({ name }) => name === 'contacts')
        table?.columns.reverse()
        return manifest
      })
      const stderr = await expectLeft(directory, 'columns', /tables\/\S+ did not become 1500 rows/)
      expect(stderr).toMatch(/ERROR: {2}22[0-9A-Z]{3}\n/)
      expect(stderr).not.toMatch(/invalid input|CONTEXT|COPY contacts/)
    })
  })
})

async function makeKeys(): Promise<void> {
  for (const name of ['operations', 'offline', 'signing', 'forger'])
    await makeKey(name, name === 'operations' || name === 'offline' ? 'encrypt' : 'sign')
}

async function makeKey(name: string, use: 'encrypt' | 'sign'): Promise<void> {
  writeKey(name, await generateKey({ name, use }))
}

function writeKey(
  name: string,
  key: Record<'publicKey' | 'privateKey', string | Uint8Array>,
): void {
  writeFileSync(path('keys', `${name}.asc`), key.publicKey)
  writeFileSync(path('keys', `${name}.key`), key.privateKey)
}

/** Backs a database up, and lets gpg open the envelopes, as the custodians would. */
async function backUp(database: string, sides = ['operations', 'offline']): Promise<void> {
  const { runBackup } = (await import(RUN)) as Run
  const store = path('store', createHash('sha256').update(database).digest('hex').slice(0, 8))
  mkdirSync(store)
  const { label } = await runBackup(
    {
      source: databaseUrl(source, database),
      store: { kind: 'directory', path: store },
      backup: {
        sides: sides.map((name) => ({
          name,
          keys: [{ file: path('keys', `${name}.asc`) }],
        })),
        verifier: [],
        signer: [{ file: path('keys', 'signing.asc') }],
        signingKey: path('keys', 'signing.key'),
        level: 1,
      },
      jobs: 2,
      pgDump: 'auto',
      env: {},
      tool: 'pgveil test',
    },
    () => {},
    new AbortController().signal,
  )
  const directory = join(store, label)
  backups.set(database, directory)
  for (const side of sides) openHalf(directory, side)
}

function halfFile(directory: string, side: string): string {
  const isCrm = directory === backups.get('crm') || !directory.startsWith(path('store'))
  return path(isCrm ? `half-${side}` : `half-${side}-${directory.split('/').at(-1)}`)
}

/** The home of gpg with the key of operations stays, for whoever lets restore.sh ask gpg. */
function openHalf(directory: string, side: string): void {
  const home = side === 'operations' ? path('custodian') : path('keys')
  const gpg = (...args: string[]) => {
    const { stdout, stderr, status } = spawnSync('gpg', ['--homedir', home, '--batch', ...args])
    if (status !== 0) throw new Error(String(stderr))
    return stdout
  }
  gpg('--import', path('keys', `${side}.key`))
  const half = gpg('--decrypt', join(directory, 'envelopes', `${side}.asc`))
  writeFileSync(halfFile(directory, side), `${half.toString()}\n`, { mode: 0o600 })
  if (home === path('keys')) spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
}

interface RestoreOptions {
  /** The shell. */
  command?: string[]
  env?: NodeJS.ProcessEnv
  directory?: string
  halves?: string[]
  signer?: string
  args?: string[]
}

/** Runs restore.sh without terminal, with nothing on PATH but what it needs. */
async function restore(database: string, args: string[], options: RestoreOptions = {}) {
  const { command = [find('sh') ?? ''], env = {}, halves = ['operations', 'offline'] } = options
  const directory = options.directory ?? backups.get(database) ?? ''
  const [program = '', ...flags] = command
  const halfArgs = halves.flatMap((side) => ['--half', `${side}=${halfFile(directory, side)}`])
  const signer = path('keys', `${options.signer ?? 'signing'}.asc`)
  const script = join(directory, 'restore.sh')
  const child = spawn(
    program,
    [...flags, script, '--signer', signer, ...halfArgs, ...args, ...(options.args ?? [])],
    {
      cwd: path('home'),
      // A session of its own: without the terminal of whoever runs the tests.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: path('tools'),
        HOME: path('home'),
        TMPDIR: path('tmp'),
        PGHOST: '127.0.0.1',
        PGPORT: String(target.port),
        PGUSER: 'postgres',
        ...env,
      },
    },
  )
  const result = { code: -1, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (result.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (result.stderr += text))
  result.code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? -1))
  })
  expect(readdirSync(path('tmp'))).toEqual([])
  return result
}

/** What lies where restore.sh runs: a name or value that was obeyed would have made a file. */
function listing(database: string): string[] {
  return [path('home'), backups.get(database) ?? ''].flatMap((directory) => readdirSync(directory))
}

/** Owners and privileges, which compareDatabases leaves out, and what is of the database itself. */
const RIGHTS = `
  SELECT format('%s %s %s', c.oid::regclass, c.relowner::regrole, c.relacl) AS line
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  UNION ALL SELECT format('schema %I %s %s', nspname, nspowner::regrole, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast|temp)'
  UNION ALL SELECT format('large object %s %s %s %s', oid, lomowner::regrole, lomacl, obj_description(oid, 'pg_largeobject')) FROM pg_largeobject_metadata
  UNION ALL SELECT format('database %s %s %s', datdba::regrole, datconnlimit, datacl) FROM pg_database WHERE datname = current_database()
  UNION ALL SELECT format('setting %s %s', setrole, setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase AND datname = current_database()
  ORDER BY 1`

async function expectSame(database: string, restored: string): Promise<void> {
  const [from, to] = [databaseUrl(source, database), databaseUrl(target, restored)]
  expect(await compareDatabases(from, to, { dump: true })).toEqual([])
  expect(await query(to, RIGHTS)).toEqual(await query(from, RIGHTS))
  expect(await databases()).not.toContain(`${restored}_restoring`)
}

/** What no text in UTF-8 can hold. */
function bytes(server: Server) {
  return query(databaseUrl(server, 'bytes'), "SELECT convert_to(x, 'SQL_ASCII')::text AS x FROM t")
}

async function databases(): Promise<string[]> {
  const rows = await query<{ name: string }>(target.url, 'SELECT datname AS name FROM pg_database')
  return rows.map(({ name }) => name)
}

/** Databases and roles before and after are the same. */
async function expectNothing(options: RestoreOptions, code: number, message: string) {
  const state = `SELECT datname AS name FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1`
  const before = await query(target.url, state)
  const result = await restore('crm', ['--database', 'crm'], options)
  expect(result.stderr).toMatch(new RegExp(message))
  expect(result.code).toBe(code)
  expect(await query(target.url, state)).toEqual(before)
}

/** Signs a manifest with gpg's own means, now or at a time that is past. */
function sign(directory: string, key: string, at?: Date): void {
  const home = path('tmp-gpg')
  mkdirSync(home, { mode: 0o700 })
  const time = at?.toISOString().slice(0, 19).replace(/[-:]/g, '')
  const options = [...(time === undefined ? [] : ['--faked-system-time', time]), '--batch', '--yes']
  const gpg = (...args: string[]) => {
    const { stderr, status } = spawnSync('gpg', ['--homedir', home, ...options, ...args])
    if (status !== 0) throw new Error(String(stderr))
  }
  gpg('--import', path('keys', `${key}.key`))
  gpg('--armor', '--detach-sign', join(directory, 'manifest.json'))
  spawnSync('gpgconf', ['--homedir', home, '--kill', 'all'])
  rmSync(home, { recursive: true })
}

/** A key of an hour ago that ended half an hour later, and signed in between. */
const ENDED = { made: 60, lasts: 30, signs: 50 }

/**
 * The backup of crm with another manifest and the restore.sh of that, signed by a new key of that name.
 *
 * @param past minutes: how long ago the key was made, how long it lasts, how long ago it signs
 */
async function signedAnew(
  name: string,
  change: (manifest: Manifest) => Manifest,
  past?: typeof ENDED,
): Promise<string> {
  const directory = path(name)
  cpSync(backups.get('crm') ?? '', directory, { recursive: true })
  const bytes = readFileSync(join(directory, 'manifest.json'))
  const manifest = change(readManifest(bytes, (backups.get('crm') ?? '').split('/').at(-1) ?? ''))
  const script = Buffer.from(restoreScript(manifest))
  const sha256 = createHash('sha256').update(script).digest('hex')
  manifest.objects = manifest.objects.map((object) =>
    object.name === 'restore.sh' ? { ...object, size: script.length, sha256 } : object,
  )
  writeFileSync(join(directory, 'restore.sh'), script)
  writeFileSync(join(directory, 'manifest.json'), writeManifest(manifest))
  if (past) {
    const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000)
    const key = await makeOldKey({ date: ago(past.made), keyExpirationTime: past.lasts * 60 })
    writeKey(name, { publicKey: key.publicText, privateKey: key.privateText })
    sign(directory, name, ago(past.signs))
  } else {
    await makeKey(name, 'sign')
    sign(directory, name)
  }
  return directory
}

async function expectLeft(directory: string, name: string, message: RegExp): Promise<string> {
  const { code, stderr } = await restore('crm', ['--database', name], { directory, signer: name })
  expect(stderr).toMatch(message)
  expect(stderr).toContain(`left: database ${name}_restoring, which is not complete`)
  expect(code).toBe(12)
  expect(await databases()).toContain(`${name}_restoring`)
  expect(await databases()).not.toContain(name)
  return stderr
}
