import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import type { Failure } from '../../src/errors.ts'
import type { Manifest } from '../../src/backup/manifest.ts'
import type { Event } from '../../src/report/events.ts'
import { readPrivateKeys } from '../../src/seal/key-ring.ts'
import { signDetached } from '../../src/seal/signature.ts'
import type { VerifyOptions } from '../../src/verify/run.ts'
import type { Verdict } from '../../src/verify/verdict.ts'
import {
  eventOf,
  labelOf,
  makeKeys,
  readManifest,
  runBackup,
  runList,
  succeeded,
  warningsOf,
  type KeyFiles,
} from '../fixtures/backups.ts'
import { createDatabase, execute, query } from '../fixtures/databases.ts'
import {
  makeSigner,
  makeVerifyTrial,
  verifyOptions,
  type VerifyTrial,
} from '../fixtures/verify-trial.ts'

// A restore test that cannot fail proves nothing. Here everything that can be wrong with a backup, with what was
// restored of it, and with the test itself is made wrong, and each time the test must say so, and name it.

type RunVerify = typeof import('../../src/verify/run.ts').runVerify
type LoadSigners = typeof import('../../src/backup/keys.ts').loadSigners
/** The built ones: workers are files of their own. */
const RUN = '../../dist/verify/run.js'
const KEYS = '../../dist/backup/keys.js'

let source: Server
let scratch: Server
let directory: string
let trial: VerifyTrial
let pristine: string
/** Oldest first. */
let labels: [string, string]
let runVerify: RunVerify
let defaults: VerifyOptions

let caught = 0
let total = 0

interface Outcome {
  kind: Failure['kind'] | 'pass'
  /** All that was said: the failure and every finding. */
  said: string
  verdict: Verdict | undefined
}

/** Runs a restore test of a store in this process. */
async function verify(store: string, changes: Partial<VerifyOptions> = {}): Promise<Outcome> {
  const events: Event[] = []
  const options = {
    ...defaults,
    store: { kind: 'directory', path: store },
    ...changes,
  } as VerifyOptions
  let failure: Failure | undefined
  try {
    await runVerify(options, (event) => events.push(event), new AbortController().signal)
  } catch (error) {
    failure = error as Failure
  }
  const found = events.find((event) => event.event === 'verdict')
  const verdict = found?.event === 'verdict' ? found.verdict : undefined
  const findings =
    verdict?.steps.flatMap((step) => step.findings.map(({ message }) => message)) ?? []
  const warnings = events.flatMap((event) => (event.event === 'warning' ? [event.message] : []))
  const said = [failure?.message ?? '', failure?.hint ?? '', ...findings, ...warnings].join('\n')
  return { kind: failure ? failure.kind : 'pass', said, verdict }
}

/** A copy of the store to do harm to. */
function copyStore(): string {
  const store = mkdtempSync(join(directory, 'store-'))
  cpSync(pristine, store, { recursive: true })
  return store
}

interface Sabotage {
  harm?: (store: string) => unknown
  changes?: Partial<VerifyOptions> | ((store: string) => Partial<VerifyOptions>)
  /** What must be said, all of it. */
  says: RegExp | RegExp[]
  kind?: Failure['kind']
  outcome?: Verdict['outcome']
}

async function sabotage({
  harm,
  changes = {},
  says,
  kind = 'verdict',
  outcome,
}: Sabotage): Promise<void> {
  const patterns = [says].flat()
  total += patterns.length
  const store = copyStore()
  try {
    await harm?.(store)
    const given = typeof changes === 'function' ? changes(store) : changes
    const found = await verify(store, given)
    expect(found.kind).toBe(kind)
    for (const pattern of patterns) {
      expect(found.said).toMatch(pattern)
      caught++
    }
    if (outcome) expect(found.verdict?.outcome).toBe(outcome)
    expect(await leftOnScratch()).toEqual([])
  } finally {
    rmSync(store, { recursive: true })
  }
}

/** Damages what was restored, and expects to hear of all of it. */
function damage(statements: string[], says: RegExp | RegExp[]): Promise<void> {
  const superuser = ['SET session_replication_role = replica', ...statements]
  const beforeChecks = (url: string) => execute(url, ...superuser)
  return sabotage({ changes: { beforeChecks }, says, outcome: 'fail' })
}

async function leftOnScratch(): Promise<string[]> {
  const rows = await query<{ name: string }>(
    scratch.url,
    `SELECT datname AS name FROM pg_database WHERE datname LIKE 'pgveil%'`,
  )
  return rows.map(({ name }) => name)
}

/** Rules for verification.yaml, as a file. */
function rules(value: unknown): Partial<VerifyOptions> {
  const path = join(mkdtempSync(join(directory, 'rules-')), 'verification.yaml')
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return { verify: { ...defaults.verify, rules: path } }
}

function escape(text: string): string {
  return text.replace(/[.()]/g, '\\$&')
}

function swap(directory: string, one: string, other: string): void {
  const [a, b, between] = [one, other, 'between'].map((name) => join(directory, name))
  renameSync(a!, between!)
  renameSync(b!, a!)
  renameSync(between!, b!)
}

/** Two segments that differ in their content only. */
async function twinSegments(): Promise<[string, string]> {
  const { tables, objects } = await readManifest<Manifest>(pristine, labels[1])
  const names = tables
    .filter(({ name }) => name.startsWith('twin_'))
    .flatMap(({ segments }) => segments)
  const sizes = names.map((name) => objects.find((object) => object.name === name)?.size)
  expect(sizes).toEqual([sizes[0], sizes[0]])
  return names as [string, string]
}

async function signAs({ privateKey }: KeyFiles, bytes: Buffer): Promise<Buffer> {
  const [file] = await readPrivateKeys(privateKey, readFileSync(privateKey))
  return signDetached(bytes, file!.key)
}

/** What the list says of the latest backup's verdict. */
async function provenOf(store: string) {
  const run = succeeded(await runList({ config: trial.config, args: ['--store', store] }))
  const { backups } = eventOf(run, 'backups') as { backups: { label: string; proven: string }[] }
  const proven = backups.find(({ label }) => label === labels[1])?.proven
  return { proven, warnings: warningsOf(run) }
}

function flip(path: string, at = 0.6): void {
  const bytes = readFileSync(path)
  const i = Math.floor(bytes.length * at)
  bytes[i] = (bytes[i] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

beforeAll(async () => {
  ;({ runVerify } = (await import(RUN)) as { runVerify: RunVerify })
  const { loadSigners } = (await import(KEYS)) as { loadSigners: LoadSigners }
  directory = mkdtempSync(join(tmpdir(), 'pgveil-sabotage-'))
  ;[source, scratch] = await Promise.all([
    startPostgres(),
    startPostgres({ settings: { event_triggers: 'off' } }),
  ])
  const url = await createDatabase(source, 'crm')
  await execute(url, readFileSync(new URL('sabotage.sql', import.meta.url), 'utf8'))
  trial = await makeVerifyTrial(directory, { source: url })
  pristine = trial.store
  const first = labelOf(await runBackup({ config: trial.config }))
  // Labels have seconds.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  labels = [first, labelOf(await runBackup({ config: trial.config }))]
  const signers = await loadSigners({ signer: [{ file: trial.keys.signer.publicKey }] })
  defaults = {
    ...verifyOptions(trial, { signers, server: scratch.url }),
    store: { kind: 'directory', path: pristine },
  }
})

afterAll(async () => {
  process.stderr.write(`sabotage: ${caught} of ${total} caught\n`)
  await source?.stop()
  await scratch?.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('nothing is wrong: it passes, and says nothing', async () => {
  const store = copyStore()
  const { kind, said, verdict } = await verify(store)
  expect({ kind, said: said.trim() }).toEqual({ kind: 'pass', said: '' })
  expect(verdict).toMatchObject({ outcome: 'pass', label: labels[1], envelopeDestroyed: true })
  expect(verdict?.steps.map(({ step, outcome }) => [step, outcome])).toEqual(
    ['signature', 'objects', 'restore', 'compare', 'health'].map((step) => [step, 'pass']),
  )
  expect(readdirSync(join(store, labels[1], 'envelopes')).sort()).toEqual([
    'offline.asc',
    'operations.asc',
  ])
  expect(await leftOnScratch()).toEqual([])
})

describe('in the store', () => {
  const small = ['RESTORE.md', 'restore.sh', 'envelopes.json', 'envelopes/operations.asc']
  const sql = ['pre-data', 'post-data', 'globals', 'settings'].map((name) => `${name}.sql.pgp`)
  const sealed = [...sql, 'definitions.txt.pgp']
  const bulky = ['tables/1.1.0.pgp', 'tables/2.1.0.pgp', 'large-objects.1.sql.pgp']

  for (const name of [...small, ...sealed, ...bulky, 'manifest.json', 'envelopes/verifier.asc']) {
    test(`a bit of ${name} is another`, () =>
      sabotage({
        harm: (store) => flip(join(store, labels[1], name)),
        says: new RegExp(name.replaceAll('.', '\\.')),
        outcome: 'fail',
      }))
  }

  for (const name of [...small, ...sealed, ...bulky]) {
    test(`${name} is missing`, () =>
      sabotage({
        harm: (store) => rmSync(join(store, labels[1], name)),
        says: new RegExp(`${name.replaceAll('.', '\\.')} is missing`),
        outcome: 'fail',
      }))
  }

  for (const name of [...sealed.slice(0, 1), ...bulky]) {
    test(`${name} is cut off`, () =>
      sabotage({
        harm: (store) => {
          const path = join(store, labels[1], name)
          writeFileSync(path, readFileSync(path).subarray(0, -7))
        },
        says: new RegExp(`${name.replaceAll('.', '\\.')} has \\d+ bytes instead of`),
        outcome: 'fail',
      }))
  }

  test('two segments have changed places', () =>
    sabotage({
      harm: (store) => swap(join(store, labels[1]), 'tables/1.1.0.pgp', 'tables/2.1.0.pgp'),
      says: [1, 2].map((i) => new RegExp(`tables/${i}\\.1\\.0\\.pgp has \\d+ bytes instead of`)),
      outcome: 'fail',
    }))

  test('two segments of one size have changed places', async () => {
    const twins = await twinSegments()
    await sabotage({
      harm: (store) => swap(join(store, labels[1]), ...twins),
      says: twins.map((name) => new RegExp(`${escape(name)} was changed: its SHA-256 is another`)),
      outcome: 'fail',
    })
  })

  test('an older backup lies under a newer label', () =>
    sabotage({
      harm: (store) => {
        rmSync(join(store, labels[1]), { recursive: true })
        renameSync(join(store, labels[0]), join(store, labels[1]))
      },
      says: new RegExp(`is the manifest of ${labels[0]}`),
      outcome: 'fail',
    }))

  test('the backup of another database is put there', () =>
    sabotage({
      harm: (store) => {
        const other = labels[1].replace('-crm', '-shop')
        renameSync(join(store, labels[1]), join(store, other))
        rmSync(join(store, labels[0]), { recursive: true })
      },
      says: /is the manifest of .*-crm/,
      outcome: 'fail',
    }))

  test('the manifest is signed by somebody else', () =>
    sabotage({
      harm: async (store) => {
        const attacker = await makeSigner(directory, 'attacker')
        const manifest = join(store, labels[1], 'manifest.json')
        writeFileSync(`${manifest}.asc`, await signAs(attacker, readFileSync(manifest)))
      },
      says: /manifest\.json: the signature is by an unknown key/,
      outcome: 'fail',
    }))

  test('the manifest is missing: there is no backup', () =>
    sabotage({
      harm: (store) => labels.forEach((label) => rmSync(join(store, label, 'manifest.json'))),
      says: /holds no backup/,
      kind: 'usage',
    }))

  test('an older one that is asked for is damaged', () =>
    sabotage({
      harm: (store) => flip(join(store, labels[0], 'manifest.json.asc'), 0),
      changes: () => ({ label: labels[0] }),
      says: /manifest\.json\.asc/,
      outcome: 'fail',
    }))

  test('the verifier’s envelope is gone', () =>
    sabotage({
      harm: (store) => rmSync(join(store, labels[1], 'envelopes/verifier.asc')),
      says: /the verifier’s envelope of .* is not there any more/,
      outcome: 'incomplete',
    }))

  test('no backup came last night', () =>
    sabotage({
      changes: { everyHours: 0.0001 },
      says: /a backup is missing: the latest, .*-crm, is .* h old/,
      outcome: 'fail',
    }))

  test('the store cannot be reached', () =>
    sabotage({
      changes: (store) => ({
        store: { kind: 'directory', path: `${store}/nowhere` } as VerifyOptions['store'],
      }),
      says: /nowhere/,
      kind: 'store',
    }))

  test('a verdict that somebody forged, and one that somebody made', () =>
    sabotage({
      harm: async (store) => {
        const passed = await verify(store)
        // The envelope is gone: as long as its verdict is believed, it is told once more.
        expect(await verify(store)).toEqual(passed)
        expect(await provenOf(store)).toEqual({ proven: 'pass', warnings: [] })

        const path = join(store, labels[1], 'verdicts')
        const name = readdirSync(path).find((each) => each.endsWith('.json')) ?? ''
        const forged = readFileSync(join(path, name), 'utf8').replace(/"rows": \d+/, '"rows": 9')
        expect(JSON.parse(forged)).toEqual({ ...passed.verdict, rows: 9 })
        writeFileSync(join(path, name), forged)
        const made = join(path, '20991231T235959Z.json')
        writeFileSync(made, forged)
        const forger = await makeSigner(directory, 'forger')
        writeFileSync(`${made}.asc`, await signAs(forger, Buffer.from(forged)))
        expect(await provenOf(store)).toEqual({ proven: 'open', warnings: ['verdict', 'verdict'] })
      },
      // Neither is told as the verdict, nor passes: it is as if there were none.
      says: [
        /the verifier’s envelope of .* is not there any more/,
        /20991231T235959Z\.json does not count/,
      ],
      outcome: 'incomplete',
    }))
})

describe('in what was restored', () => {
  test('rows, sequences, large objects, tables', () =>
    damage(
      [
        'ALTER TABLE contact DISABLE ROW LEVEL SECURITY',
        'DELETE FROM contact WHERE id = 17',
        'INSERT INTO setting SELECT name || 2, value FROM setting LIMIT 1',
        `UPDATE sales.purchase SET placed = placed + interval '1 microsecond' WHERE id = 3`,
        `SELECT setval('invoice_number', 1000)`,
        'SELECT lo_unlink(70002)',
        'DROP TABLE empty_one',
        'DELETE FROM visit WHERE id = 5',
      ],
      [
        /public\.contact has 499 rows, the manifest says 500/,
        /public\.setting has 3 rows, the manifest says 2/,
        /sales\.purchase: 900 rows as expected, but not the same rows/,
        /sequence public\.invoice_number stands at 1000, the manifest says 1001/,
        /1 large objects, the manifest says 2/,
        /table public\.empty_one is missing/,
        /public\.visit_[01] has \d+ rows/,
      ],
    ))

  test('a row that is there twice, and one byte of one field', () =>
    damage(
      [
        `INSERT INTO visit VALUES (8, 'place 8')`,
        `UPDATE setting SET value = 'HUG' WHERE name = 'currency'`,
        `SELECT lo_put(70002, 0, 'S')`,
        `SELECT lo_put(70001, 5000, 'longer')`,
      ],
      [
        /public\.visit_[01] has \d+ rows/,
        /public\.setting: 2 rows as expected, but not the same rows/,
        /large objects hold \d+ bytes, the manifest says/,
      ],
    ))

  test('what belongs to tables, views and triggers are missing', () =>
    damage(
      [
        'DROP INDEX sales.purchase_placed',
        'ALTER TABLE sales.purchase DROP CONSTRAINT purchase_contact_id_fkey',
        'DROP TRIGGER touch_contact ON contact',
        'DROP VIEW big_purchase',
        'DROP POLICY own ON contact',
        'DROP EVENT TRIGGER guard_ddl',
        'ALTER TABLE contact DROP COLUMN note',
        'DROP SEQUENCE invoice_number',
      ],
      [
        /index purchase_placed of sales\.purchase is missing/,
        /constraint purchase_contact_id_fkey of sales\.purchase is missing/,
        /trigger touch_contact of public\.contact is missing/,
        /view public\.big_purchase is missing/,
        /policy own of public\.contact is missing/,
        /0 event triggers, the manifest says 1/,
        /public\.contact cannot be read: column "note" of relation "contact" does not exist/,
        /sequence public\.invoice_number is missing/,
      ],
    ))

  test('a constraint is not valid, and rows violate it', () =>
    damage(
      [
        'ALTER TABLE sales.purchase DROP CONSTRAINT purchase_contact_id_fkey',
        'ALTER TABLE sales.purchase ADD CONSTRAINT purchase_contact_id_fkey FOREIGN KEY (contact_id) REFERENCES contact NOT VALID',
      ],
      [
        /constraint purchase_contact_id_fkey of sales\.purchase is not validated/,
        /definition \(constraint purchase_contact_id_fkey of sales\.purchase\) is not what it was/,
      ],
    ))

  test('rows violate a check and a foreign key that call themselves valid', () =>
    damage(
      [
        `UPDATE pg_constraint SET conbin = (SELECT conbin FROM pg_constraint WHERE conname = 'spare') WHERE false`,
        'ALTER TABLE sales.purchase DROP CONSTRAINT amount_not_negative',
        'UPDATE sales.purchase SET amount = -1 WHERE id = 1',
        'UPDATE sales.purchase SET contact_id = 99999 WHERE id = 2',
        'ALTER TABLE sales.purchase ADD CONSTRAINT amount_not_negative CHECK (amount >= 0) NOT VALID',
        `UPDATE pg_constraint SET convalidated = true WHERE conname = 'amount_not_negative'`,
      ],
      [
        /1 rows of sales\.purchase violate constraint amount_not_negative/,
        /1 rows of sales\.purchase violate constraint purchase_contact_id_fkey/,
      ],
    ))

  test('an index is marked as not valid', () =>
    damage(
      [
        `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sales.purchase_placed'::regclass`,
      ],
      /index sales\.purchase_placed is not usable/,
    ))

  test('an extension is missing', () =>
    damage(
      ['DROP EXTENSION pg_trgm CASCADE'],
      [/extension pg_trgm is missing/, /index contact_name_trgm of public\.contact is missing/],
    ))

  for (const [what, name, statement] of [
    [
      'the body of a function',
      'function public.touch()',
      `CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    ],
    [
      'the default of a column',
      'column placed of sales.purchase',
      'ALTER TABLE sales.purchase ALTER placed SET DEFAULT clock_timestamp()',
    ],
    ['a policy', 'policy own of public.contact', `ALTER POLICY own ON contact USING (true)`],
    [
      'a view',
      'view public.big_purchase',
      'CREATE OR REPLACE VIEW big_purchase AS SELECT * FROM sales.purchase WHERE amount > 5',
    ],
    [
      'a trigger that is switched off',
      'trigger touch_contact of public.contact',
      'ALTER TABLE contact DISABLE TRIGGER touch_contact',
    ],
  ] as const) {
    test(`${what} is another`, () =>
      damage([statement], new RegExp(`some definition \\(${escape(name)}\\) is not what it was`)))
  }

  test('an index does not hold what its table does', () =>
    damage(
      [
        `UPDATE pg_index SET indisready = false, indislive = false WHERE indexrelid = 'contact_pkey'::regclass`,
        'ALTER TABLE contact DISABLE ROW LEVEL SECURITY',
        `UPDATE contact SET note = note || 'x' WHERE id = 20`,
        `UPDATE pg_index SET indisready = true, indislive = true WHERE indexrelid = 'contact_pkey'::regclass`,
      ],
      /amcheck finds (public\.)?contact_pkey damaged/,
    ))

  test('the server dies', () =>
    sabotage({
      changes: () => ({
        verify: ownServer(),
        beforeChecks: async (url) => {
          const [{ pid } = { pid: 0 }] = await query<{ pid: number }>(
            url,
            `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS pid`,
          )
          process.kill(pid, 'SIGKILL')
        },
      }),
      // Whichever session is the first to find out.
      says: new RegExp(
        `^the restore test of ${labels[1]} is incomplete: cannot (read|compare|check) \\S.*: ` +
          '(terminating connection due to unexpected postmaster exit|Connection terminated|Client has encountered a connection error|connect ECONNREFUSED)',
      ),
      outcome: 'incomplete',
    }))
})

/** With a server of the test's own. */
function ownServer(): VerifyOptions['verify'] {
  const { server: _, ...own } = defaults.verify
  return own
}

describe('in the test itself', () => {
  test('the rules are empty', () =>
    sabotage({
      changes: () => rules(''),
      says: /is empty: nothing checked is never a pass/,
      outcome: 'incomplete',
    }))

  test('the rules ask nothing', () =>
    sabotage({
      changes: () => rules({ assertions: [], limits: { ageHours: 1 } }),
      says: /neither assertions nor commands: nothing checked/,
      outcome: 'incomplete',
    }))

  test('there are fewer checks than there should be', () =>
    sabotage({
      changes: () =>
        rules({ minimumChecks: 2, assertions: [{ name: 'one', sql: 'SELECT 1', equals: 1 }] }),
      says: /has 1 checks, and minimumChecks is 2/,
      outcome: 'incomplete',
    }))

  test('a key of the rules is misspelled', () =>
    sabotage({
      changes: () => rules('assertion:\n  - { name: a, sql: SELECT 1, equals: 1 }\n'),
      says: /verification\.yaml:1:1: unknown key assertion/,
      outcome: 'incomplete',
    }))

  test('assertions fail', () =>
    sabotage({
      changes: () =>
        rules({
          assertions: [
            { name: 'contacts', sql: 'SELECT count(*) FROM contact', atLeast: 501 },
            { name: 'revenue', sql: 'SELECT sum(amount) FROM sales.purchase', between: [1, 2] },
            {
              name: 'currency',
              sql: `SELECT value FROM setting WHERE name = 'currency'`,
              equals: 'EUR',
            },
            { name: 'nobody', sql: 'SELECT id FROM contact WHERE id < 0', equals: 1 },
            { name: 'typo', sql: 'SELECT count(*) FROM contacts', atLeast: 1 },
            { name: 'writes', sql: 'DELETE FROM setting RETURNING 1', equals: 1 },
            { name: 'escapes', sql: 'SELECT 1; COMMIT; DELETE FROM setting', equals: 1 },
          ],
        }),
      says: [
        /contacts: expected at least 501, found 500/,
        /revenue: expected between 1 and 2, found 405450/,
        /currency: expected "EUR", found another value, which is not shown/,
        /nobody: expected one value, found 0 rows/,
        /typo cannot be asked: relation "contacts" does not exist/,
        /writes cannot be asked: cannot execute DELETE in a read-only transaction/,
        /escapes cannot be asked/,
      ],
      outcome: 'fail',
    }))

  test('commands fail, hang, cannot be started', () =>
    sabotage({
      changes: () =>
        rules({
          commands: [
            { name: 'smoke', run: ['sh', '-c', 'echo "$PGVEIL_SCRATCH_URL" >&2; exit 3'] },
            { name: 'hangs', run: ['sh', '-c', 'sleep 60 & wait'], timeoutSeconds: 0.3 },
            { name: 'absent', run: ['/nowhere/at-all'] },
          ],
        }),
      says: [
        /smoke: exit status 3/,
        /hangs: did not end within 0\.3 s/,
        /absent: cannot be started: no such file or directory \(ENOENT\)/,
      ],
      outcome: 'fail',
    }))

  test('limits are broken', () =>
    sabotage({
      changes: () =>
        rules({
          assertions: [{ name: 'one', sql: 'SELECT 1', equals: 1 }],
          limits: { recoverySeconds: 0.001, ageHours: 0.00001, intervalHours: 0.00001 },
        }),
      says: [
        /recovery took .* s, the limit is 0\.001/,
        /the backup is .* h old, the limit/,
        /the backup before is .* h older/,
      ],
      outcome: 'fail',
    }))

  test('it shrank since the last that passed', () =>
    sabotage({
      harm: async (store) => {
        const given = rules({ assertions: [{ name: 'half', sql: 'SELECT 1000', equals: 1000 }] })
        expect((await verify(store, { ...given, label: labels[0] })).kind).toBe('pass')
      },
      changes: () =>
        rules({
          assertions: [
            { name: 'half', sql: 'SELECT 400', within: { percent: 50, of: 'lastProven' } },
          ],
        }),
      says: /half: expected within 50 % of 1000, the last proven, found 400/,
      outcome: 'fail',
    }))

  test('the scratch server is the source', () =>
    sabotage({
      changes: () => ({ verify: { ...defaults.verify, server: source.url } }),
      says: /is the server that the backup is of/,
      outcome: 'incomplete',
    }))

  test('the scratch server is production', () =>
    sabotage({
      changes: () => ({ production: [`127.0.0.1:${scratch.port}`] }),
      says: /is a production server by configuration/,
      outcome: 'incomplete',
    }))

  test('there are no programs to restore with', () =>
    sabotage({
      changes: () => ({ verify: { ...ownServer(), bin: directory } }),
      says: /there are no programs of PostgreSQL 18 or newer/,
      outcome: 'incomplete',
    }))

  test('the server is too old', async () => {
    const old = await startPostgres({ major: 17 })
    try {
      await sabotage({
        changes: () => ({ verify: { ...defaults.verify, server: old.url } }),
        says: /is of PostgreSQL 18.*, the target runs 17/,
        outcome: 'incomplete',
      })
    } finally {
      await old.stop()
    }
  })

  test('the verifier’s key is another', async () => {
    const other = await makeKeys(join(directory, 'others'))
    await sabotage({
      changes: () => ({ verify: { ...defaults.verify, key: other.verifier.privateKey } }),
      says: /stays closed/,
      outcome: 'incomplete',
    })
  })

  test('the verdict would be signed by a key that nobody believes', async () => {
    const other = await makeSigner(directory, 'other-verdicts')
    await sabotage({
      changes: () => ({ verify: { ...defaults.verify, signingKey: other.privateKey } }),
      says: /nobody would believe key/,
      kind: 'key',
    })
  })

  test('the disk of the scratch server is full', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'pgveil-sabotage-bin-'))
    const big = await createDatabase(source, 'big')
    try {
      await execute(
        big,
        `CREATE TABLE t AS SELECT md5(i::text) || md5((-i)::text) AS x FROM generate_series(1, 60000) i`,
      )
      const { config, store } = await makeVerifyTrial(join(directory, 'big'), { source: big })
      labelOf(await runBackup({ config }))
      const real = dirname(readlinkSync(`/proc/${scratch.pid}/exe`))
      // Its files may have 3 MB.
      writeFileSync(
        join(bin, 'postgres'),
        `#!/bin/sh\nulimit -f 6144\nexec ${real}/postgres "$@"\n`,
        { mode: 0o755 },
      )
      writeFileSync(join(bin, 'initdb'), `#!/bin/sh\nexec ${real}/initdb "$@"\n`, { mode: 0o755 })
      chmodSync(bin, 0o755)
      const full = await startPostgres({ bin, initdb: ['--wal-segsize=1'] })
      try {
        total++
        const { loadSigners } = (await import(KEYS)) as { loadSigners: LoadSigners }
        const keys = join(directory, 'big', 'keys')
        const found = await verify(store, {
          signers: await loadSigners({ signer: [{ file: join(keys, 'signer.public.asc') }] }),
          verify: { ...defaults.verify, key: join(keys, 'verifier.private.asc'), server: full.url },
        })
        expect(found.said).toMatch(/could not extend file/)
        expect(found.verdict?.outcome).toBe('incomplete')
        caught++
      } finally {
        await full.stop()
      }
    } finally {
      rmSync(bin, { recursive: true })
    }
  })
})

test('all of it was caught', () => {
  expect(total).toBeGreaterThanOrEqual(40)
  expect(caught).toBe(total)
})
