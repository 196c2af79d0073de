import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import type { Failure } from '../../src/errors.ts'
import type { Event } from '../../src/report/events.ts'
import type { VerifyOptions } from '../../src/verify/run.ts'
import type { Verdict } from '../../src/verify/verdict.ts'
import { labelOf, runBackup } from '../fixtures/backups.ts'
import {
  BACKUP_VECTORS,
  copyVector,
  keysOfVector,
  labelsOfVector,
} from '../fixtures/backup-vectors.ts'
import { createDatabase, execute } from '../fixtures/databases.ts'
import { runPgveil } from '../fixtures/run-pgveil.ts'
import { makeVerifyTrial, verifyOptions, type VerifyTrial } from '../fixtures/verify-trial.ts'

// What a restore test compares beyond rows of ordinary tables: rows that may lie in another partition than on the
// source, large objects, and persons who were erased since. Each is left whole once, and made wrong in a way that
// leaves every number as it was.

/** The built ones: workers are files of their own. */
const RUN = '../../dist/verify/run.js'
const KEYS = '../../dist/backup/keys.js'
const ERRORS = '../../dist/errors.js'
const PIECE = 256 * 1024

let source: Server
let scratch: Server
let directory: string
let trial: VerifyTrial
let defaults: VerifyOptions
let runVerify: typeof import('../../src/verify/run.ts').runVerify
let loadSigners: typeof import('../../src/backup/keys.ts').loadSigners

beforeAll(async () => {
  ;({ runVerify } = (await import(RUN)) as typeof import('../../src/verify/run.ts'))
  ;({ loadSigners } = (await import(KEYS)) as typeof import('../../src/backup/keys.ts'))
  directory = mkdtempSync(join(tmpdir(), 'pgveil-verify-content-'))
  ;[source, scratch] = await Promise.all([startPostgres(), startPostgres()])
  const url = await createDatabase(source, 'crm')
  await execute(
    url,
    // So that numbers of enums, by which they hash, are others than on the scratch server.
    ...Array.from({ length: 5 }, (_, i) => `CREATE TYPE unused_${i} AS ENUM ('a', 'b')`),
    `CREATE TYPE colour AS ENUM (${Array.from({ length: 40 }, (_, i) => `'c${i}'`).join(', ')})`,
    'CREATE TABLE thing (colour colour, id int, name text) PARTITION BY HASH (colour)',
    'CREATE TABLE thing_0 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 0)',
    'CREATE TABLE thing_1 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    `INSERT INTO thing SELECT c, i, 'thing ' || i FROM unnest(enum_range(NULL::colour)) c, generate_series(1, 5) i`,
    'CREATE TABLE person (id int PRIMARY KEY, mail text)',
    `INSERT INTO person SELECT i, 'person' || i FROM generate_series(1, 5) i`,
    'CREATE FUNCTION revive() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$',
    'CREATE MATERIALIZED VIEW revived AS SELECT public.revive()',
    ...[0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE].map(
      (bytes, i) =>
        `SELECT lo_from_bytea(${90_001 + i}, convert_to(repeat('x', ${bytes}), 'UTF8'))`,
    ),
    // One with a hole.
    `SELECT lo_put(lo_create(90010), ${3 * PIECE + 5}, 'end')`,
  )
  writeFileSync(join(directory, 'secret'), 'the secret of the ledger, 32 bytes\n')
  const erasure = { secret: { file: join(directory, 'secret') }, references: {} }
  trial = await makeVerifyTrial(directory, { source: url, rest: { erasure } })
  labelOf(await runBackup({ config: trial.config }))
  const signers = await loadSigners({ signer: [{ file: trial.keys.signer.publicKey }] })
  defaults = { ...verifyOptions(trial, { signers, server: scratch.url }), erasure, record: false }
})

afterAll(async () => {
  await source?.stop()
  await scratch?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Restore tests of what is in a store, with all that was said. */
async function runAll(changes: Partial<VerifyOptions>) {
  const events: Event[] = []
  let failure: Failure | undefined
  const { signal } = new AbortController()
  const options = { ...defaults, ...changes }
  await runVerify(options, (event) => events.push(event), signal).catch((error: Failure) => {
    failure = error
  })
  const verdicts = events.flatMap((event) => (event.event === 'verdict' ? [event.verdict] : []))
  const warnings = events.flatMap((each) => (each.event === 'warning' ? [each] : []))
  return { failure, verdicts, warnings }
}

/** The verdict on a backup whose restored database was damaged by `statements`. */
async function verdictAfter(
  statements: string[],
  changes: Partial<VerifyOptions> = {},
): Promise<Verdict> {
  const events: Event[] = []
  const options: VerifyOptions = {
    ...defaults,
    beforeChecks: (url) => execute(url, ...statements),
    ...changes,
  }
  const { signal } = new AbortController()
  await runVerify(options, (event) => events.push(event), signal).catch(() => undefined)
  const found = events.find((event) => event.event === 'verdict')
  if (found?.event !== 'verdict') throw new Error('there is no verdict')
  return found.verdict
}

function findings({ steps }: Verdict): string[] {
  return steps.flatMap((step) => step.findings.map(({ message }) => message))
}

function logOf({ steps }: Verdict, wanted: string): string {
  return steps.find(({ step }) => step === wanted)?.log.join('\n') ?? ''
}

test('whole: it passes and says nothing, wherever rows of the tree lie now', async () => {
  const verdict = await verdictAfter([])
  expect(findings(verdict)).toEqual([])
  expect(verdict.outcome).toBe('pass')
  const log = logOf(verdict, 'compare')
  expect(log).toMatch(
    /rows of public\.thing, .* in other partitions .* all of its 200 rows are there/,
  )
  expect(log).toContain('7 large objects read again')
})

describe('a tree partitioned by the hash of an enum', () => {
  test('a field is another', async () => {
    const verdict = await verdictAfter([
      `UPDATE thing SET name = 'other' WHERE id = 3 AND colour = 'c7'`,
    ])
    expect(findings(verdict)).toEqual([
      'public.thing: 200 rows as expected, but not the same rows: their digest differs',
    ])
    expect(verdict.outcome).toBe('fail')
  })

  test('one row is there twice, and another is not', async () => {
    const verdict = await verdictAfter([
      `DELETE FROM thing WHERE id = 3 AND colour = 'c7'`,
      `INSERT INTO thing VALUES ('c8', 3, 'thing 3')`,
    ])
    expect(findings(verdict)).toEqual([
      'public.thing: 200 rows as expected, but not the same rows: their digest differs',
    ])
  })
})

describe('large objects', () => {
  const differs =
    'large objects 90001 to 90010: as many bytes as expected, but not the same: their digest differs'

  for (const [what, statement] of [
    ['a byte of the smallest is another', `SELECT lo_put(90002, 0, 'y')`],
    ['the last byte of the largest is another', `SELECT lo_put(90006, ${2 * PIECE - 1}, 'y')`],
    ['something is in the hole', `SELECT lo_put(90010, ${PIECE}, 'y')`],
    ['one has the number of another', 'SELECT lo_unlink(90001), lo_create(90007)'],
  ] as const) {
    test(what, async () => {
      const verdict = await verdictAfter([statement])
      expect(findings(verdict)).toEqual([differs])
      expect(verdict.outcome).toBe('fail')
    })
  }
})

describe('persons who were erased since', () => {
  const absent = /1 erased persons are absent, 1 rows of theirs were removed/
  const there = 'a person who was erased is there, or is referred to: public.person'
  let erased: string

  beforeAll(async () => {
    erased = join(directory, 'erased')
    cpSync(trial.store, erased, { recursive: true })
    const values = join(directory, 'values')
    writeFileSync(values, '3\n')
    const store = ['--store', erased]
    const person = ['--table', 'public.person', '--column', 'id', '--values-file', values]
    const run = await runPgveil(['erase', 'record', '--config', trial.config, ...store, ...person])
    expect(run.code).toBe(0)
  })

  const settings = (): Partial<VerifyOptions> => ({ store: { kind: 'directory', path: erased } })

  test('they are gone after the replay, and it passes', async () => {
    const verdict = await verdictAfter([], settings())
    expect(findings(verdict)).toEqual([])
    expect(verdict.outcome).toBe('pass')
    expect(logOf(verdict, 'health')).toMatch(absent)
  })

  test('without an erasure nobody is looked for', async () => {
    expect(logOf(await verdictAfter([]), 'health')).not.toMatch(/erased/)
  })

  test('a replay that leaves them there is found out', async () => {
    // It refreshes views once it has deleted, and this one brings the person back.
    const body = `CREATE OR REPLACE FUNCTION revive() RETURNS int LANGUAGE plpgsql AS
      $$ BEGIN INSERT INTO public.person VALUES (3, 'again') ON CONFLICT DO NOTHING; RETURN 1; END $$`
    const verdict = await verdictAfter([body], settings())
    expect(findings(verdict)).toContain(there)
    expect(verdict.outcome).toBe('fail')
    expect(logOf(verdict, 'health')).not.toMatch(absent)
  })

  test('where nothing says what becomes of those who refer to them, it is incomplete', async () => {
    const verdict = await verdictAfter(
      [
        'CREATE TABLE public.visit (person int REFERENCES public.person)',
        'INSERT INTO public.visit VALUES (3)',
      ],
      settings(),
    )
    expect(findings(verdict).at(-1)).toMatch(
      /rows of public\.visit refer to erased ones by the constraint visit_person_fkey.* \(write erasure: /,
    )
    const health = verdict.steps.find(({ step }) => step === 'health')
    expect(health?.outcome).toBe('incomplete')
  })

  test('without the ledger’s secret it is incomplete, and says so', async () => {
    const { erasure: _, ...without } = { ...defaults, ...settings() }
    const events: Event[] = []
    const { signal } = new AbortController()
    await runVerify(without, (event) => events.push(event), signal).catch(() => undefined)
    const found = events.find((event) => event.event === 'verdict')
    if (found?.event !== 'verdict') throw new Error('there is no verdict')
    expect(found.verdict.outcome).toBe('incomplete')
    expect(findings(found.verdict).join('\n')).toMatch(/erasure/)
  })
})

describe('several at once', () => {
  let two: string
  let labels: string[]

  beforeAll(async () => {
    two = join(directory, 'two')
    cpSync(trial.store, two, { recursive: true })
    await runBackup({ config: trial.config, args: ['--store', two] }).then(labelOf)
    labels = readdirSync(two).toSorted()
  })

  /** A store to itself, and all of it to be tested. */
  function all(): Partial<VerifyOptions> & { store: { kind: 'directory'; path: string } } {
    const path = mkdtempSync(join(directory, 'store-'))
    cpSync(two, path, { recursive: true })
    return { store: { kind: 'directory', path }, allUnproven: true, record: true }
  }

  test('one is refused, another fails: both are told, and what is worse is thrown', async () => {
    const { Failure: BuiltFailure } = (await import(ERRORS)) as typeof import('../../src/errors.ts')
    let tests = 0
    const beforeChecks = async (url: string) => {
      if (++tests === 1) throw new BuiltFailure('refused', 'this one is not to be tested')
      await execute(url, 'DELETE FROM person WHERE id = 1')
    }
    const { failure, verdicts, warnings } = await runAll({ ...all(), beforeChecks })
    expect(verdicts.map(({ label, outcome }) => [label, outcome])).toEqual([[labels[1], 'fail']])
    expect(failure?.kind).toBe('verdict')
    expect(warnings).toMatchObject([
      { code: 'verify-trouble', message: `${labels[0]}: this one is not to be tested` },
    ])
  })

  test('what the first has proven, the next is compared with', async () => {
    const rules = join(directory, 'within.yaml')
    const within = { percent: 1, of: 'lastProven' }
    const sql = 'SELECT count(*) FROM person'
    writeFileSync(rules, JSON.stringify({ assertions: [{ name: 'persons', sql, within }] }))
    const verify = { ...defaults.verify, rules }
    const { failure, verdicts } = await runAll({ ...all(), verify })
    expect(failure).toBeUndefined()
    expect(verdicts.map(findings)).toEqual([[expect.stringMatching(/^persons: not compared/)], []])
  })

  test('a verdict that cannot be stored is told all the same', async () => {
    const [, label = ''] = labels
    const blocked = () => {
      const { store } = all()
      writeFileSync(join(store.path, label, 'verdicts'), '')
      return { store, record: true }
    }
    const good = await runAll(blocked())
    expect(good.verdicts).toMatchObject([{ label, outcome: 'pass' }])
    expect(good.failure?.kind).toBe('store')
    const beforeChecks = (url: string) => execute(url, 'DELETE FROM person WHERE id = 1')
    const failed = await runAll({ ...blocked(), beforeChecks })
    expect(failed.verdicts).toMatchObject([{ label, outcome: 'fail' }])
    expect(failed.failure?.kind).toBe('verdict')
    expect(failed.warnings).toMatchObject([{ code: 'verify-trouble' }])
  })
})

test('what is gone beside a view that cannot be filled is found', async () => {
  const views = await createDatabase(source, 'views')
  await execute(
    views,
    'CREATE TABLE t AS SELECT generate_series(1, 3) AS x',
    'CREATE INDEX by_x ON t (x)',
    'CREATE MATERIALIZED VIEW closed AS SELECT x FROM t',
    'CREATE ROLE poor',
    'ALTER MATERIALIZED VIEW closed OWNER TO poor',
  )
  const store = join(directory, 'views')
  mkdirSync(store, { mode: 0o700 })
  const args = ['--source', views, '--store', store]
  labelOf(await runBackup({ config: trial.config, args }))
  const settings = { store: { kind: 'directory', path: store } } as Partial<VerifyOptions>
  const whole = await verdictAfter([], settings)
  expect(whole.outcome).toBe('pass')
  expect(findings(whole)).toContainEqual(expect.stringMatching(/^definitions were not compared/))
  const less = await verdictAfter(['DROP INDEX by_x'], settings)
  expect(less.outcome).toBe('fail')
  expect(findings(less)).toContainEqual('index by_x of public.t is missing')
})

describe.each(BACKUP_VECTORS)('backups of an earlier version: %s', (vector) => {
  const labels = labelsOfVector(vector)
  let old: Partial<VerifyOptions>

  beforeAll(async () => {
    const path = join(directory, vector)
    copyVector(vector, path)
    const keys = await keysOfVector(vector)
    old = {
      store: { kind: 'directory', path },
      signers: await loadSigners({ signer: [{ file: keys.signer.publicKey }] }),
      verify: { ...defaults.verify, key: keys.verifier.privateKey },
    }
  })

  test.each(labels)('%s passes', async (label) => {
    const verdict = await verdictAfter([], { ...old, label })
    expect(findings(verdict)).toEqual([])
    expect(verdict).toMatchObject({ label, outcome: 'pass' })
  })

  test.each(labels)('%s: a function that is another fails it', async (label) => {
    const other = `CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $1'`
    const verdict = await verdictAfter([other], { ...old, label })
    // Only what has the definitions with it can name the one that differs.
    const isTold = existsSync(join(directory, vector, label, 'definitions.txt.pgp'))
    const which = isTold
      ? 'function public.twice(integer)'
      : 'a function, constraint, index, view, default, comment or the like'
    expect(findings(verdict)).toEqual([
      `some definition (${which}) is not what it was: the digest of the structure differs`,
    ])
    expect(verdict.outcome).toBe('fail')
  })
})
