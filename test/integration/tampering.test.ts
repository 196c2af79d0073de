import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { findBackup } from '../../src/backup/backups.ts'
import { loadSigners } from '../../src/backup/keys.ts'
import {
  manifestDigest,
  readManifest,
  writeManifest,
  type Manifest,
} from '../../src/backup/manifest.ts'
import { loadConfig } from '../../src/config/config.ts'
import { Failure } from '../../src/errors.ts'
import { readPrivateKeys } from '../../src/seal/key-ring.ts'
import { signDetached } from '../../src/seal/signature.ts'
import { openStore } from '../../src/store/open.ts'
import {
  labelOf,
  makeKeys,
  runBackup,
  writeConfig,
  type JsonLine,
  type KeyFiles,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { createDatabase, databaseUrl, execute, query } from '../fixtures/databases.ts'

// Whoever can write into the store can take backups away. They cannot have another one believed: whatever they change,
// a restore of it ends with 15 and the name of what is wrong, before anything is on the target.

const INTEGRITY = 15

type Run = typeof import('../../src/cli.ts').run
/** The built one: its workers are files of their own. */
const CLI = '../../dist/cli.js'

let source: Server
let target: Server
let directory: string
let keys: TrialKeys
let attacker: TrialKeys
let config: string
/** Three backups as they were made. */
let pristine: string
/** Oldest first. */
let labels: [string, string, string]
let run: Run

let caught = 0
let total = 0

interface Result {
  code: number
  said: string
  events: JsonLine[]
}

/** One command line in this process: several hundred processes would take minutes. */
async function pgveil(argv: string[]): Promise<Result> {
  let stdout = ''
  let stderr = ''
  const code = await run(argv, {
    stdout: { write: (text: string) => ((stdout += text), true) },
    stderr: { write: (text: string) => ((stderr += text), true) },
    env: { PATH: process.env['PATH'], HOME: directory },
    cwd: directory,
    isTTY: { stdout: false, stderr: false },
    size: () => ({ columns: 80, rows: 24 }),
  } as Parameters<Run>[1])
  const events = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as JsonLine)
  return { code, said: stderr, events }
}

function restore(store: string, args: string[]): Promise<Result> {
  const opens = [keys.operations, keys.offline].flatMap(({ privateKey }) => ['--key', privateKey])
  const to = databaseUrl(target, 'restored')
  const command = [
    'restore',
    '--config',
    config,
    '--jobs',
    '1',
    '--store',
    store,
    '--target',
    to,
    '--json',
  ]
  return pgveil([...command, ...opens, ...args])
}

function list(store: string, args: string[] = []): Promise<Result> {
  return pgveil(['list', '--config', config, '--store', store, '--json', ...args])
}

interface Listed {
  label: string
  problems: string[]
}

function listedOf({ events }: Result): Listed[] {
  const found = events.find(({ event }) => event === 'backups')
  return (found?.['backups'] ?? []) as Listed[]
}

/** What a restore could make on the target: databases, and roles, which stay where rows show the harm last of all. */
async function lookAtTarget(roles: boolean): Promise<unknown> {
  return query(
    target.url,
    `SELECT 'database ' || datname AS what FROM pg_database UNION ALL
     SELECT 'role ' || rolname FROM pg_roles WHERE ${roles} ORDER BY 1`,
  )
}

/** A copy of the store to do harm to. */
function copyStore(): string {
  const store = mkdtempSync(join(directory, 'store-'))
  cpSync(pristine, store, { recursive: true })
  return store
}

interface Expected {
  /** What the failures must name. */
  names: RegExp
  /** Only reading everything shows it. */
  deep?: boolean
  /** Rows, or large objects, are read when the structure is there already; that is dropped again. */
  rows?: boolean
  /** Of the backup that is restored; the middle one unless told. */
  label?: string
}

/** Does harm to a copy of the store and expects a restore and a list to see it. */
async function attack(
  harm: (store: string) => void | Promise<void>,
  { names, deep = false, rows = false, label = labels[1] }: Expected,
): Promise<void> {
  total++
  const store = copyStore()
  try {
    await harm(store)
    const before = await lookAtTarget(!rows)
    const rolesBefore = await countClerks()
    const restored = await restore(store, ['--label', label])
    expect(restored.said).toMatch(names)
    expect(restored.code).toBe(INTEGRITY)
    expect(await lookAtTarget(!rows)).toEqual(before)
    const left = /left behind: roles that it has created on .*: clerk$/m.test(restored.said)
    expect(left).toBe((await countClerks()) > rolesBefore)
    const listed = await list(store, deep ? ['--deep'] : [])
    expect(listed.code).toBe(INTEGRITY)
    const found = listedOf(listed)
    expect(found.map((each) => each.label)).toEqual(labels)
    expect(found.find((each) => each.label === label)?.problems.join()).toMatch(names)
    caught++
  } finally {
    rmSync(store, { recursive: true })
    await cleanTarget()
  }
}

async function countClerks(): Promise<number> {
  return (await query(target.url, `SELECT FROM pg_roles WHERE rolname = 'clerk'`)).length
}

/** So that one attack that succeeds does not hide the next. */
async function cleanTarget(): Promise<void> {
  const left = await query<{ drop: string }>(
    target.url,
    `SELECT format('DROP DATABASE %I', datname) AS drop FROM pg_database WHERE datname LIKE 'restored%'`,
  )
  await execute(target.url, ...left.map(({ drop }) => drop), 'DROP ROLE IF EXISTS clerk')
}

/** A pattern for the name of an object; a signature is named by what it signs. */
function naming(name: string, label = labels[1]): RegExp {
  const signed = name.replace(/\.json\.asc$/, '.json')
  return new RegExp(`${label}/${signed.replaceAll('.', '\\.')}`)
}

const FIXED = [
  'manifest.json',
  'manifest.json.asc',
  'envelopes.json',
  'envelopes.json.asc',
  'envelopes/operations.asc',
  'envelopes/offline.asc',
  'envelopes/verifier.asc',
  'globals.sql.pgp',
  'pre-data.sql.pgp',
  'post-data.sql.pgp',
  'settings.sql.pgp',
  'definitions.txt.pgp',
  'large-objects.1.sql.pgp',
  'restore.sh',
  'RESTORE.md',
  'tables/1.1.0.pgp',
]
const isRows = (name: string) => /^(tables\/|large-objects)/.test(name)

const DATABASE = [
  `CREATE ROLE clerk`,
  `CREATE TABLE contact (id int PRIMARY KEY, name text)`,
  `INSERT INTO contact SELECT i, 'contact ' || i FROM generate_series(1, 500) i`,
  `CREATE TABLE invoice (id int PRIMARY KEY, contact int REFERENCES contact, total numeric)`,
  `INSERT INTO invoice SELECT i, i, i * 1.5 FROM generate_series(1, 500) i`,
  `GRANT SELECT ON invoice TO clerk`,
  `CREATE SEQUENCE number START 7`,
  `SELECT lo_from_bytea(0, repeat('large', 1000)::bytea)`,
]

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-tampering-'))
  ;[source, target] = await Promise.all([startPostgres(), startPostgres()])
  await createDatabase(source, 'crm')
  const url = databaseUrl(source, 'crm')
  await execute(url, ...DATABASE)
  keys = await makeKeys(join(directory, 'keys'))
  attacker = await makeKeys(join(directory, 'attacker'))
  pristine = mkdtempSync(join(directory, 'pristine-'))
  config = await writeConfig(directory, { keys, source: url, store: pristine })
  labels = [await backUp(), await backUp(), await backUp()]
  // Commands load this and others at the same time, which share modules: jest can do that only with what it has.
  await import(CLI.replace(/cli\.js$/, 'commands/opening.js'))
  ;({ run } = (await import(CLI)) as { run: Run })
})

afterAll(async () => {
  await Promise.all([source?.stop(), target?.stop()])
  rmSync(directory, { recursive: true, force: true })
  process.stderr.write(`tampering: caught ${caught} of ${total}\n`)
})

async function backUp(): Promise<string> {
  await execute(
    databaseUrl(source, 'crm'),
    `INSERT INTO contact SELECT max(id) + 1, 'x' FROM contact`,
  )
  const label = labelOf(await runBackup({ config }))
  // Labels have seconds, and a fast machine makes a backup within one.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  return label
}

function objectsOf(label: string): string[] {
  return readdirSync(join(pristine, label), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(pristine, label).length + 1))
    .sort()
}

test('what is attacked is all there is, and it restores', async () => {
  const found = objectsOf(labels[1])
  expect(found).toEqual(expect.arrayContaining(FIXED))
  expect(found.filter((name) => !FIXED.includes(name) && !isRows(name))).toEqual([])
  expect(await list(pristine, ['--deep'])).toMatchObject({ code: 0 })
  expect(await restore(pristine, ['--label', labels[1]])).toMatchObject({ code: 0 })
  await cleanTarget()
})

function flipBit(path: string, at: number): void {
  const bytes = readFileSync(path)
  const index = Math.min(bytes.length - 1, Math.floor(bytes.length * at))
  bytes[index]! ^= 4
  writeFileSync(path, bytes)
}

/** What can be done to any file. Deep: only the digest tells. */
const HARM: Record<string, { do: (path: string) => void; deep: boolean }> = {
  'a bit in the middle': { do: (path) => flipBit(path, 0.5), deep: true },
  'the first bit': { do: (path) => flipBit(path, 0), deep: true },
  'half of it cut off': {
    do: (path) => truncateSync(path, Math.floor(statSync(path).size / 2)),
    deep: false,
  },
  'all of it cut off': { do: (path) => truncateSync(path, 0), deep: false },
  'bytes added': { do: (path) => appendFileSync(path, 'more\n'), deep: false },
  deleted: { do: (path) => rmSync(path), deep: false },
}

describe.each(FIXED)('%s', (name) => {
  test.each(Object.keys(HARM))('%s', async (kind) => {
    // The verifier's goes when it has done its work.
    if (kind === 'deleted' && name === 'envelopes/verifier.asc') return expectVerifierMayGo()
    const { do: harm, deep } = HARM[kind]!
    const path = (store: string) => join(store, labels[1], name)
    if (kind === 'deleted' && name === 'manifest.json') return expectGone()
    await attack((store) => harm(path(store)), { names: naming(name), deep, rows: isRows(name) })
  })

  test('that of another backup', async () => {
    const harm = (store: string) =>
      cpSync(join(store, labels[0], name), join(store, labels[1], name))
    await attack(harm, { names: naming(name), deep: true, rows: isRows(name) })
  })
})

async function expectVerifierMayGo(): Promise<void> {
  const store = copyStore()
  rmSync(join(store, labels[1], 'envelopes/verifier.asc'))
  expect(await list(store)).toMatchObject({ code: 0 })
}

/** A manifest that is gone: that label is no backup, and the one after it tells. */
async function expectGone(): Promise<void> {
  total++
  const store = copyStore()
  rmSync(join(store, labels[1], 'manifest.json'))
  const restored = await restore(store, ['--label', labels[1]])
  expect(restored).toMatchObject({ code: INTEGRITY })
  expect(restored.said).toMatch(naming('manifest.json'))
  const listed = await list(store)
  expect(listed.code).toBe(INTEGRITY)
  expect(listed.said).toContain(`${labels[2]} follows ${labels[1]}, which is missing`)
  expect(listedOf(listed).map(({ label }) => label)).toEqual([labels[0], labels[2]])
  const unfinished = listed.events.find(({ event }) => event === 'backups')?.['unfinished']
  expect(unfinished).toMatchObject([{ label: labels[1] }])
  caught++
}

/** Objects with rows of the middle backup. */
function rowObjects(): [string, string] {
  const [one, other] = objectsOf(labels[1]).filter((name) => name.startsWith('tables/'))
  return [one!, other!]
}

function swap(one: string, other: string): void {
  renameSync(one, `${one}.away`)
  renameSync(other, one)
  renameSync(`${one}.away`, other)
}

describe('swapped', () => {
  test('segments of two tables', async () => {
    const [one, other] = rowObjects()
    const harm = (store: string) => swap(join(store, labels[1], one), join(store, labels[1], other))
    await attack(harm, { names: naming(one), deep: true, rows: true })
  })

  test.each([
    ['pre-data.sql.pgp', 'post-data.sql.pgp'],
    ['envelopes/operations.asc', 'envelopes/offline.asc'],
    ['envelopes/operations.asc', 'envelopes/verifier.asc'],
    ['manifest.json', 'envelopes.json'],
    ['manifest.json.asc', 'envelopes.json.asc'],
  ])('%s and %s', async (one, other) => {
    const harm = (store: string) => swap(join(store, labels[1], one), join(store, labels[1], other))
    const names = new RegExp(`${naming(one).source}|${naming(other).source}`)
    await attack(harm, { names, deep: true })
  })

  test('manifest and list of envelopes, each with its signature', async () => {
    const harm = (store: string) => {
      for (const end of ['', '.asc']) {
        const path = (name: string) => join(store, labels[1], `${name}${end}`)
        swap(path('manifest.json'), path('envelopes.json'))
      }
    }
    await attack(harm, { names: /manifest\.json is no manifest/ })
  })

  test.each([FIXED.slice(0, 2), FIXED.slice(2, 4), FIXED.slice(2, 7), FIXED.slice(4, 7)])(
    '%s … of two backups',
    async (...names) => {
      const harm = (store: string) => {
        for (const name of names) swap(join(store, labels[0], name), join(store, labels[1], name))
      }
      await attack(harm, { names: naming(names[0] as string) })
    },
  )

  test('two backups as a whole', async () => {
    const harm = (store: string) => swap(join(store, labels[0]), join(store, labels[1]))
    await attack(harm, { names: /manifest\.json is the manifest of / })
  })
})

test('a damaged backup before says nothing of this one; one that cannot be read is a failure', async () => {
  const { store: settings, backup } = await loadConfig({
    flags: { config, store: copyStore() },
    env: {},
    cwd: directory,
    needs: ['store', 'backup'],
  })
  const store = await openStore(settings)
  const find = async () =>
    findBackup(store, await loadSigners(backup), { label: labels[1], name: undefined })
  const manifest = `${labels[0]}/manifest.json`
  const read = store.read.bind(store)
  const fail = (kind: 'store' | 'integrity') => {
    store.read = (name, options) => {
      if (name === manifest) throw new Failure(kind, 'not now')
      return read(name, options)
    }
  }
  fail('integrity')
  await expect(find()).resolves.toMatchObject({ label: labels[1] })
  fail('store')
  await expect(find()).rejects.toMatchObject({ kind: 'store', message: 'not now' })
})

describe('replayed', () => {
  test('an older backup under the label of a newer one', async () => {
    const harm = (store: string) => {
      rmSync(join(store, labels[2]), { recursive: true })
      cpSync(join(store, labels[0]), join(store, labels[2]), { recursive: true })
    }
    await attack(harm, { names: naming('manifest.json', labels[2]), label: labels[2] })
  })

  test('an older backup under a label that is newer than all', async () => {
    total++
    const store = copyStore()
    const newer = '20990101T000000Z-crm'
    cpSync(join(store, labels[0]), join(store, newer), { recursive: true })
    for (const args of [[], ['--label', newer]]) {
      const restored = await restore(store, args)
      expect(restored.said).toMatch(naming('manifest.json', newer))
      expect(restored.code).toBe(INTEGRITY)
    }
    const listed = await list(store)
    expect(listed.said).toMatch(naming('manifest.json', newer))
    expect(listedOf(listed).map(({ label }) => label)).toEqual([...labels, newer])
    caught++
  })

  test('an older manifest put back, with its signature', async () => {
    const harm = (store: string) => {
      for (const name of ['manifest.json', 'manifest.json.asc'])
        cpSync(join(store, labels[1], name), join(store, labels[2], name))
    }
    await attack(harm, { names: naming('manifest.json', labels[2]), label: labels[2] })
  })

  test('the newest taken away: the next one follows none of it', async () => {
    const store = copyStore()
    rmSync(join(store, labels[2]), { recursive: true })
    // Nothing in the store can tell; what is left is whole.
    expect(await list(store)).toMatchObject({ code: 0 })
  })

  test('a newest one without its manifest is told of', async () => {
    const store = copyStore()
    rmSync(join(store, labels[2], 'manifest.json'))
    const { events } = await list(store)
    const unfinished = events.find(({ event }) => event === 'backups')?.['unfinished']
    expect(unfinished).toMatchObject([{ label: labels[2] }])
    const warnings = events.filter(({ event }) => event === 'warning')
    expect(warnings).toMatchObject([
      { code: 'manifest-missing', message: expect.stringContaining(labels[2] ?? '') },
    ])
  })

  test('one from the middle taken away: the next one shows it', async () => {
    total++
    const store = copyStore()
    rmSync(join(store, labels[1]), { recursive: true })
    const listed = await list(store)
    expect(listed.said).toContain(`${labels[2]} follows ${labels[1]}, which is missing`)
    expect(listed.code).toBe(INTEGRITY)
    expect(listedOf(listed).map(({ label }) => label)).toEqual([labels[0], labels[2]])
    expect(await restore(store, [])).toMatchObject({ code: INTEGRITY })
    caught++
  })
})

async function sign(path: string, { privateKey }: KeyFiles): Promise<void> {
  const [key] = await readPrivateKeys(privateKey, readFileSync(privateKey))
  writeFileSync(`${path}.asc`, await signDetached(readFileSync(path), key!.key))
}

/** Another manifest of a backup, and its list of envelopes, as whoever has the signing key could write them. */
async function signAnew(backup: string, change: (manifest: Manifest) => void): Promise<void> {
  const path = join(backup, 'manifest.json')
  const list = join(backup, 'envelopes.json')
  const old = readFileSync(path)
  const manifest = readManifest(old, basename(backup))
  change(manifest)
  const bytes = writeManifest(manifest)
  const envelopes = readFileSync(list, 'utf8')
  writeFileSync(path, bytes)
  writeFileSync(list, envelopes.replace(manifestDigest(old), manifestDigest(bytes)))
  await sign(path, keys.signer)
  await sign(list, keys.signer)
}

/** Another value of the same form. */
function edited(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'string') return value.replace(/.$/, (last) => (last === '1' ? '2' : '1'))
  if (Array.isArray(value)) return value.slice(1)
  if (value === null) return { label: labels[0], sha256: '0'.repeat(64) }
  return Object.fromEntries(
    Object.entries(value as object).map(([key, inner]) => [key, edited(inner)]),
  )
}

const FIELDS =
  `format tool label name sequence previous started source seal structure tables sequences views
  largeObjects warnings objects`.split(/\s+/)

describe('forged', () => {
  test('the fields that are edited are all there are', () => {
    const manifest = readFileSync(join(pristine, labels[1], 'manifest.json'), 'utf8')
    expect(Object.keys(JSON.parse(manifest) as object).sort()).toEqual(FIELDS.toSorted())
  })

  describe.each(['left unsigned', 'signed by another key'])('edited and %s', (how) => {
    test.each(FIELDS)('%s', async (field) => {
      await attack(
        async (store) => {
          const path = join(store, labels[1], 'manifest.json')
          const manifest = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
          const empty = Array.isArray(manifest[field]) && (manifest[field] as []).length === 0
          manifest[field] = empty ? [{}] : edited(manifest[field])
          writeFileSync(path, JSON.stringify(manifest))
          if (how !== 'left unsigned') await sign(path, attacker.signer)
        },
        { names: naming('manifest.json') },
      )
    })
  })

  test.each(['manifest.json', 'envelopes.json'])('%s as it was, by another key', async (name) => {
    await attack((store) => sign(join(store, labels[1], name), attacker.signer), {
      names: naming(name),
    })
  })

  describe('by the signing key itself, and the backup holds something else', () => {
    type Lie = (manifest: Manifest) => void
    // In the order in which workers came to their ends.
    const contact = ({ tables }: Manifest) => tables.find(({ name }) => name === 'contact')!
    const segment = (manifest: Manifest) =>
      manifest.objects.find(({ name }) => name === contact(manifest).segments[0])!
    const lies: Record<string, [Lie, RegExp]> = {
      'a row more': [
        (m) => void (contact(m).rows++, segment(m).rows!++),
        /holds 503 rows instead of 504/,
      ],
      'other rows': [(m) => (segment(m).digest = '0'.repeat(32)), /holds other rows than/],
      'a large object more': [
        (m) => m.largeObjects.count++,
        /1 large objects were restored, the manifest says 2/,
      ],
      'an index less': [
        (m) => m.structure.counts['indexes']!--,
        /the restored database has 2 indexes, the manifest says 1/,
      ],
      'other definitions': [
        (m) => (m.structure.digest = '0'.repeat(64)),
        /some definition of the restored database is not what it was/,
      ],
    }
    test.each(Object.entries(lies))('%s', async (_, [lie, message]) => {
      total++
      const store = copyStore()
      const before = await lookAtTarget(false)
      await signAnew(join(store, labels[2]), lie)
      const { code, said } = await restore(store, ['--label', labels[2]])
      expect(said).toMatch(message)
      expect(code).toBe(INTEGRITY)
      expect(await lookAtTarget(false)).toEqual(before)
      rmSync(store, { recursive: true })
      caught++
    })
  })

  test('a whole backup of other data, sealed to the real keys', async () => {
    await createDatabase(source, 'evil')
    await execute(databaseUrl(source, 'evil'), 'CREATE TABLE contact (id int)')
    const store = mkdtempSync(join(directory, 'evil-'))
    const own = await writeConfig(join(directory, 'evil-config'), {
      keys: { ...keys, signer: attacker.signer },
      source: databaseUrl(source, 'evil'),
      store,
      name: 'crm',
    })
    const forged = labelOf(await runBackup({ config: own }))
    total++
    const victim = copyStore()
    cpSync(join(store, forged), join(victim, forged), { recursive: true })
    for (const args of [[], ['--label', forged]]) {
      const restored = await restore(victim, args)
      expect(restored.said).toMatch(new RegExp(`${forged}/manifest\\.json: .*unknown key`))
      expect(restored.code).toBe(INTEGRITY)
    }
    const listed = await list(victim)
    expect(listed.code).toBe(INTEGRITY)
    expect(listedOf(listed).map(({ label }) => label)).toEqual([...labels, forged])
    caught++
    // Only the envelopes are the attacker's: they hold a secret that opens nothing here.
    const swapIn = (names: string[]) => (victimStore: string) => {
      for (const name of names)
        cpSync(join(store, forged, name), join(victimStore, labels[1], name))
    }
    await attack(swapIn(['envelopes/operations.asc', 'envelopes/offline.asc']), {
      names: naming('envelopes/operations.asc'),
    })
    await attack(swapIn(FIXED.slice(2, 7)), { names: naming('envelopes.json') })
    await attack(swapIn(['pre-data.sql.pgp', 'globals.sql.pgp']), {
      names: naming('globals.sql.pgp'),
      deep: true,
    })
  })
})
