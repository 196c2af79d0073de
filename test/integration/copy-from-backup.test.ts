import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { fillSampleCrm } from '../../scripts/sample-crm/fill.mjs'
import {
  eventOf,
  labelOf,
  makeKeys,
  readManifest,
  runBackup,
  writeConfig,
  type KeyFiles,
  type TrialKeys,
} from '../fixtures/backups.ts'
import { canaryRules, canarySql, MAGIC, NEEDLES } from '../fixtures/canaries.ts'
import { compareDatabases } from '../fixtures/compare.ts'
import { createDatabase, databaseUrl, execute, query } from '../fixtures/databases.ts'
import { loadEveryType } from '../fixtures/every-type.mjs'
import { findIn, Searcher } from '../fixtures/find-bytes.ts'
import { keepEverything } from '../fixtures/keep-everything.ts'
import { runPgveil, type RunResult } from '../fixtures/run-pgveil.ts'
import {
  isAlive,
  startWatched,
  type WatchedResult,
  type WatchedRun,
} from '../fixtures/watched-run.ts'

// A masked copy made from a sealed backup is the one that the source would have given, and original values lie nowhere
// but in the sealed objects, however it ends.

const KILLS = 4
const CRM_RULES = fileURLToPath(new URL('../../masking-rules/crm.yaml', import.meta.url))
const ENV = { PGVEIL_SECRET: 'c29tZSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcy4=' }

/** What the target's server can be made to write into its log: where original values are looked for. */
const TALKATIVE = {
  log_statement: 'all',
  log_min_messages: 'debug1',
  log_min_error_statement: 'debug1',
  log_error_verbosity: 'verbose',
  log_temp_files: '0',
  work_mem: '64kB',
}
/** Segments of a megabyte, since what did not change is not searched again; as many of them as of larger ones. */
const SMALL_SEGMENTS = { min_wal_size: '80MB', max_wal_size: '1GB' }

let source: Server
let target: Server
/** Of PostgreSQL 14. */
let old: Server
let directory: string
let keys: TrialKeys

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-from-backup-'))
  keys = await makeKeys(join(directory, 'keys'))
  ;[source, target, old] = await Promise.all([
    startPostgres({ major: 18, settings: { wal_level: 'logical', max_prepared_transactions: 5 } }),
    startPostgres({ major: 18, settings: SMALL_SEGMENTS, initdb: ['--wal-segsize=1'] }),
    startPostgres({ major: 14, settings: { wal_level: 'logical', max_prepared_transactions: 5 } }),
  ])
})
afterAll(async () => {
  await Promise.all([source, target, old].map((server) => server?.stop()))
  rmSync(directory, { recursive: true, force: true })
})

interface Sealed {
  config: string
  store: string
  label: string
}

/** Makes a database and its backup, in a store of its own. */
async function seal(
  name: string,
  fill: (url: string) => Promise<unknown>,
  server: Server = source,
): Promise<Sealed> {
  const url = await createDatabase(server, name)
  await fill(url)
  return sealAs(name, url)
}

async function sealAs(name: string, url: string): Promise<Sealed> {
  const place = mkdtempSync(join(directory, `${name}-`))
  const store = join(place, 'store')
  writeFileSync(join(place, 'erasure.secret'), 'a secret of the ledger of erasures\n', {
    mode: 0o600,
  })
  const rest = {
    state: join(place, 'state'),
    erasure: { secret: { file: join(place, 'erasure.secret') } },
  }
  const config = await writeConfig(place, { keys, source: url, store, rest })
  return { config, store, label: labelOf(await runBackup({ config })) }
}

function writeRules(text: string): string {
  const path = join(mkdtempSync(join(directory, 'rules-')), 'rules.yaml')
  writeFileSync(path, text)
  return path
}

interface FromBackup extends Pick<Sealed, 'config'> {
  to: string
  /** Path. */
  rules: string
  server?: Server
  store?: string
  opens?: readonly KeyFiles[]
  args?: readonly string[]
}

function argumentsOf({ config, to, rules, server = target, store, opens, args = [] }: FromBackup) {
  const wanted = opens ?? [keys.operations, keys.offline]
  return [
    ...['copy', '--from-backup', 'latest', '--config', config, '--rules', rules],
    ...['--target', databaseUrl(server, to), '--jobs', '2'],
    ...wanted.flatMap(({ privateKey }) => ['--key', privateKey]),
    ...(store === undefined ? [] : ['--store', store]),
    ...args,
  ]
}

function copyFromBackup(request: FromBackup): Promise<RunResult> {
  return runPgveil(argumentsOf(request), { env: ENV })
}

async function succeeds(run: Promise<RunResult>): Promise<RunResult> {
  const result = await run
  if (result.code !== 0) throw new Error(`exit code ${result.code}: ${result.stderr}`)
  return result
}

async function databases(server: Server = target): Promise<string[]> {
  const rows = await query<{ name: string }>(
    server.url,
    'SELECT datname AS name FROM pg_database ORDER BY 1',
  )
  return rows.map(({ name }) => name)
}

const rowsPhase = ({ stdout }: RunResult): { rows: number; bytes: number; seconds: number } => {
  const events = stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const { report } = eventOf({ code: 0, stdout, stderr: '', events }, 'report') as unknown as {
    report: { rows: number; bytes: number; phases: { rows: number } }
  }
  return { rows: report.rows, bytes: report.bytes, seconds: report.phases.rows }
}

describe('the copy is that of the source', () => {
  test('the sample CRM under a named secret', async () => {
    const crm = await seal('crm', (url) => fillSampleCrm(url, { scale: 0.1 }))
    await execute(target.url, 'CREATE ROLE crm_app')
    const fromSource = ['copy', '--source', databaseUrl(source, 'crm'), '--rules', CRM_RULES]
    const to = ['--target', databaseUrl(target, 'crm_direct'), '--jobs', '2', '--json']
    const direct = await succeeds(runPgveil([...fromSource, ...to], { env: ENV }))
    const sealed = await succeeds(
      copyFromBackup({ ...crm, to: 'crm_sealed', rules: CRM_RULES, args: ['--json'] }),
    )
    const [a, b] = ['crm_direct', 'crm_sealed'].map((name) => databaseUrl(target, name))
    expect(await compareDatabases(a as string, b as string, { dump: true })).toEqual([])
    expect(rowsPhase(sealed).rows).toBe(rowsPhase(direct).rows)
    // it masks, and is known as a masked copy, so that the next one may replace it
    const [row] = await query<{ same: string; comment: string }>(
      b as string,
      `SELECT count(*) FILTER (WHERE email LIKE '%@cegem.hu')::text AS same,
         shobj_description((SELECT oid FROM pg_database WHERE datname = current_database()), 'pg_database') AS comment
       FROM contacts`,
    )
    expect(row?.comment).toMatch(/^pgveil: masked copy, finished /)
    await succeeds(copyFromBackup({ ...crm, to: 'crm_sealed', rules: CRM_RULES }))
    const figures = [direct, sealed].map((run) => {
      const { bytes, seconds } = rowsPhase(run)
      return `${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(2)} s`
    })
    process.stderr.write(`rows from the source: ${figures[0]}; from the backup: ${figures[1]}\n`)
  })

  test.each(['relay', 'same'] as const)('every type, %s, also to a newer server', async (way) => {
    const name = `every_type_${way}`
    const types = await seal(name, loadEveryType, old)
    await execute(
      target.url,
      'DROP ROLE IF EXISTS every_type_reader',
      'CREATE ROLE every_type_reader',
    )
    const rules = writeRules(await keepEverything(databaseUrl(old, name), way))
    await succeeds(copyFromBackup({ ...types, to: name, rules }))
    const foreign = /^(column|relation) shapes\.foreign_file/
    expect(
      await compareDatabases(databaseUrl(old, name), databaseUrl(target, name), {
        except: foreign,
      }),
    ).toEqual([])
    const [found] = await query<{ servers: number; owner: boolean }>(
      databaseUrl(target, name),
      `SELECT (SELECT count(*)::int FROM pg_foreign_server) AS servers,
         (SELECT bool_and(lomowner = current_user::regrole AND lomacl IS NULL) FROM pg_largeobject_metadata) AS owner`,
    )
    expect(found).toEqual({ servers: 0, owner: true })
    await execute(target.url, `DROP DATABASE ${name}`)
  })
})

const SHOP = `
  CREATE TABLE person (id int PRIMARY KEY, mail text NOT NULL UNIQUE, name text);
  CREATE TABLE visit (id int PRIMARY KEY, mail text REFERENCES person (mail), page text);
  CREATE TABLE foreign_log (id int);
  INSERT INTO person SELECT i, 'p' || i || '@x.hu', 'Person ' || i FROM generate_series(1, 500) i;
  INSERT INTO visit SELECT i, 'p' || i || '@x.hu', '/' || i FROM generate_series(1, 500) i;
  COMMENT ON TABLE visit IS 'ask anna@cegem.hu'`
const SHOP_RULES = `version: 1
tables:
  person: { mail: internet.email, name: person.fullName, keep: [id] }
  visit: { keep: [id, page] }
  foreign_log: omit
`

describe('what is refused leaves nothing behind', () => {
  let shop: Sealed
  let before: string[]
  beforeAll(async () => {
    shop = await seal('shop', (url) => execute(url, SHOP))
    before = await databases()
  })

  const attempt = (rules: string, more: Partial<FromBackup> = {}) =>
    copyFromBackup({ ...shop, to: 'shop', rules: writeRules(rules), ...more })

  test.each([
    {
      name: 'a column that nobody decided',
      rules: SHOP_RULES.replace('keep: [id, page]', 'keep: [id]'),
      code: 16,
      said: /1 column is not decided in .*\n.*public\.visit:\n\s+page: # text/,
    },
    {
      name: 'a condition on values',
      rules: SHOP_RULES.replace('person.fullName', '{ mask: person.fullName, when: "id > 5" }'),
      code: 10,
      said: /rules\.yaml:3:\d+: when: on public\.person asks the source about its rows[\s\S]*hint: mask the column always/,
    },
    {
      name: 'a condition on rows',
      rules: SHOP_RULES.replace('keep: [id, page]', 'keep: [id, page], where: "id < 9"'),
      code: 10,
      said: /rules\.yaml:4:\d+: where: on public\.visit asks [\s\S]*--exclude public\.visit/,
    },
    {
      name: 'a mask that makes two rows one',
      rules: SHOP_RULES.replace('mail: internet.email', 'mail: { mask: fixed, value: x }'),
      code: 16,
      said: /public\.person\.mail: the mask cannot keep distinct values distinct/,
    },
    {
      name: 'a fixed value that its type does not take',
      rules: SHOP_RULES.replace('keep: [id, page]', 'id: { mask: fixed, value: x }, keep: [page]'),
      code: 16,
      said: /public\.visit\.id/,
    },
  ])('$name', async ({ rules, code, said }) => {
    const result = await attempt(rules)
    expect(result.stderr).toMatch(said)
    expect(result.code).toBe(code)
    expect(await databases()).toEqual(before)
  })

  test('a table that a condition stands on and --exclude leaves out is no obstacle', async () => {
    const rules = SHOP_RULES.replace('keep: [id, page]', 'keep: [id, page], where: "id < 9"')
    const args = ['--exclude', 'visit', '--dry-run']
    expect(await attempt(rules, { args })).toMatchObject({ code: 0 })
    expect(await databases()).toEqual(before)
  })

  test('one side of the keys', async () => {
    const result = await attempt(SHOP_RULES, { opens: [keys.operations] })
    expect(result.stderr).toMatch(/stays closed: the half of offline is missing/)
    expect(result.code).toBe(14)
    expect(await databases()).toEqual(before)
  })

  test('a server that is older', async () => {
    const there = await databases(old)
    const result = await attempt(SHOP_RULES, { server: old })
    expect(result.stderr).toMatch(/is of PostgreSQL 18\.\d+, the target runs 14\./)
    expect(result.code).toBe(16)
    expect(await databases(old)).toEqual(there)
  })

  test('the server that the backup is of, and the database itself', async () => {
    const there = await databases(source)
    const beside = await attempt(SHOP_RULES, { server: source, to: 'beside' })
    expect(beside).toMatchObject({ code: 16 })
    expect(beside.stderr).toMatch(/source and target are on the same server/)
    const itself = await attempt(SHOP_RULES, { server: source, args: ['--allow-same-server'] })
    expect(itself).toMatchObject({ code: 16 })
    expect(await databases(source)).toEqual(there)
  })

  test('a database that pgveil did not make', async () => {
    await createDatabase(target, 'precious')
    const result = await attempt(SHOP_RULES, { to: 'precious' })
    expect(result).toMatchObject({ code: 16 })
    expect(result.stderr).toMatch(/the database precious on the target was not made by pgveil/)
    await execute(target.url, 'DROP DATABASE precious')
  })

  test.each([
    ['--source', 'postgres://x@127.0.0.1/x'],
    ['--pg-dump', 'wasm'],
  ])('%s', async (flag, value) => {
    expect(await attempt(SHOP_RULES, { args: [flag, value] })).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/and --from-backup do not go together/) as unknown,
    })
  })

  test('keys of a backup without one', async () => {
    const run = await runPgveil(['copy', '--key', keys.offline.privateKey])
    expect(run).toMatchObject({ code: 2 })
    expect(run.stderr).toMatch(/--key is for backups/)
  })

  test('the plan alone: columns, jobs, rows of the manifest', async () => {
    const { code, stdout } = await attempt(SHOP_RULES, { args: ['--dry-run', '--json'] })
    expect(code).toBe(0)
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object)
    expect(events).toContainEqual(
      expect.objectContaining({
        event: 'plan',
        source: shop.label,
        tables: expect.arrayContaining([
          expect.objectContaining({
            table: 'public.visit',
            codec: 'text',
            codecReason: 'the rows of a backup are text',
            estimatedRows: 500,
            jobs: 1,
            columns: expect.arrayContaining([
              {
                column: 'mail',
                type: 'text',
                treatment: 'internet.email',
                domain: 'internet.email',
                follows: 'public.person.mail',
                proof: expect.any(String) as unknown,
              },
            ]) as unknown,
          }),
          expect.objectContaining({ table: 'public.foreign_log', action: 'omit' }),
        ]) as unknown,
      }),
    )
    expect(await databases()).toEqual(before)
  })

  test('the verifier alone opens it; only one table; what looks personal is told', async () => {
    const args = ['--only', 'person', '--json']
    const { code, stdout } = await attempt(SHOP_RULES, { opens: [keys.verifier], args })
    expect(code).toBe(0)
    expect(stdout).toMatch(/"literal-in-structure","message":"comment on table public\.visit /)
    const [row] = await query<{ persons: number; visits: number; kept: number }>(
      databaseUrl(target, 'shop'),
      `SELECT (SELECT count(*)::int FROM person) AS persons, (SELECT count(*)::int FROM visit) AS visits,
         (SELECT count(*)::int FROM person WHERE mail ~ '^p\\d+@x') AS kept`,
    )
    expect(row).toEqual({ persons: 500, visits: 0, kept: 0 })
    await execute(target.url, 'DROP DATABASE shop')
  })
})

describe('persons who were erased since', () => {
  /** As the schema says, what refers to a person goes with him, or forgets him. */
  const REFERENCES = `
    ALTER TABLE visit DROP CONSTRAINT visit_mail_fkey;
    ALTER TABLE visit ADD FOREIGN KEY (mail) REFERENCES person (mail) ON DELETE CASCADE;
    CREATE TABLE gift (id int PRIMARY KEY, giver int REFERENCES person ON DELETE SET NULL);
    INSERT INTO gift SELECT i, i FROM generate_series(1, 500) i`
  const GIFTS = `${SHOP_RULES}  gift: keep\n`

  async function erase({ config }: Sealed, column: string, value: string): Promise<void> {
    const values = join(directory, 'values')
    writeFileSync(values, `${value}\n`)
    const args = ['--table', 'public.person', '--column', column, '--values-file', values]
    const result = await runPgveil(['erase', 'record', '--config', config, ...args])
    if (result.code !== 0) throw new Error(result.stderr)
  }

  test('do not come back in a copy; where they cannot be found, there is none', async () => {
    const shop = await seal('erased', (url) => execute(url, SHOP, REFERENCES))
    const rules = writeRules(GIFTS)
    await erase(shop, 'id', '7')
    await succeeds(copyFromBackup({ ...shop, to: 'erased', rules }))
    const found = await query(
      databaseUrl(target, 'erased'),
      `SELECT (SELECT count(*) FROM person)::int AS persons,
         (SELECT count(*) FROM person WHERE id = 7)::int AS seven,
         (SELECT count(*) FROM visit)::int AS visits,
         (SELECT count(*) FROM visit WHERE page = '/7')::int AS seventh,
         (SELECT count(*) FROM gift)::int AS gifts,
         (SELECT array_agg(id) FROM gift WHERE giver IS NULL) AS of_nobody`,
    )
    expect(found).toEqual([
      { persons: 499, seven: 0, visits: 499, seventh: 0, gifts: 500, of_nobody: [7] },
    ])

    const there = await databases()
    await erase(shop, 'mail', 'p8@x.hu')
    const refused = await copyFromBackup({ ...shop, to: 'erased', rules })
    expect(refused.code).toBe(16)
    expect(refused.stderr).toMatch(
      /public\.person\.mail is masked, but persons who were erased are known by it/,
    )
    expect(await databases()).toEqual(there)
  })
})

describe('original values', () => {
  const searcher = new Searcher(NEEDLES)
  let canaries: Sealed
  let logSearched = 0
  let failing = 0

  beforeAll(async () => {
    canaries = await seal('canaries', (url) => execute(url, canarySql(6_000)))
    const settings = Object.entries(TALKATIVE)
    await execute(
      target.url,
      ...settings.map(([name, value]) => `ALTER SYSTEM SET ${name} = '${value}'`),
      'SELECT pg_reload_conf()',
    )
    const told = `SELECT FROM pg_settings WHERE name = 'log_statement' AND setting = 'all'`
    while ((await query(target.url, told)).length === 0) await sleep(20)
    // the server's log so far has statements of other tests
    logSearched = target.log().length
  })

  function start(request: Partial<FromBackup> & { text?: string } = {}): WatchedRun {
    const rules = writeRules(request.text ?? canaryRules())
    return startWatched(
      argumentsOf({ ...canaries, to: 'canaries', ...request, rules }),
      directory,
      { ...ENV, XDG_STATE_HOME: join(directory, 'state') },
    )
  }

  function findCanaries(run: WatchedRun, result: WatchedResult): string[] {
    const log = target.log().slice(Math.max(0, logSearched - 100))
    logSearched = target.log().length
    const texts = { ...result, commands: [...result.commands].join('\n'), log }
    return [
      ...(['stdout', 'stderr', 'commands', 'log'] as const).flatMap((name) =>
        findIn(Buffer.from(texts[name]), NEEDLES).map((what) => `${name}: ${what}`),
      ),
      ...searcher.search(target.dataDirectory),
      ...searcher.search(run.directory),
    ]
  }

  async function ends(run: WatchedRun): Promise<WatchedResult> {
    const result = await run.done
    expect(findCanaries(run, result)).toEqual([])
    expect(result.leftFiles).toEqual([])
    expect(result.stdout + result.stderr).not.toMatch(/DETAIL|CONTEXT|COPY \w+, line|^\s+at /m)
    return result
  }

  test('are found where they are kept', async () => {
    const leaky = await startPostgres({ major: 18 })
    try {
      const text = canaryRules({ name: 'keep' })
      expect(await start({ text, server: leaky }).done).toMatchObject({ code: 0 })
      expect(new Searcher(NEEDLES).search(leaky.dataDirectory)).not.toEqual([])
    } finally {
      await leaky.stop()
    }
  })

  test('a copy that succeeds', async () => {
    expect(await ends(start())).toMatchObject({ code: 0 })
    const [row] = await query<{ n: number }>(
      databaseUrl(target, 'canaries'),
      'SELECT count(*)::int AS n FROM person',
    )
    expect(row?.n).toBe(6_000)
  })

  const FUNCTIONS = `
    export const nothing = (value) => value.endsWith('3000') ? null : 'x'
    export function fail(value) { throw new Error('cannot mask ' + value) }`

  const DATA_FAILURES: {
    name: string
    sql: string
    person: string
    /** Rules in the place of one for letter. */
    letter?: string
    code: number
    said: RegExp
  }[] = [
    {
      name: 'a text in a column of numbers',
      sql: 'ALTER TABLE person ADD badge int; UPDATE person SET badge = 209381746',
      person: '    badge: { faker: person.jobTitle }',
      code: 12,
      said: /cannot write public\.person: a value is malformed for its type \(SQLSTATE 22P02\)/,
    },
    {
      name: 'a NOT NULL that only a late row violates',
      sql: `ALTER TABLE person ADD tag text NOT NULL DEFAULT 'a';
            UPDATE person SET tag = '${MAGIC}3000' WHERE id = 3000`,
      person: `    tag: { function: '{functions}#nothing' }`,
      code: 12,
      said: /cannot write public\.person: a NULL where the column is NOT NULL \(SQLSTATE 23502/,
    },
    {
      name: 'a check that masked values violate',
      sql: `ALTER TABLE person ADD tag text CHECK (length(tag) = ${MAGIC.length});
            UPDATE person SET tag = '${MAGIC}'`,
      person: '    tag: hash',
      code: 12,
      said: /cannot write public\.person: a row violates a check \(SQLSTATE 23514/,
    },
    {
      name: 'two values that differ in case alone, under a unique index',
      sql: `ALTER TABLE letter DROP CONSTRAINT letter_person_mail_fkey;
            UPDATE person SET mail = '${MAGIC.toUpperCase()}2@kanari.hu' WHERE id = 3000`,
      person: '',
      letter: '    subject: text.scramble\n    person_mail: internet.email',
      code: 12,
      said: /two rows with one key under a unique constraint \(SQLSTATE 23505/,
    },
    {
      name: 'a function of the user that fails on a value',
      sql: `ALTER TABLE person ADD tag text; UPDATE person SET tag = '${MAGIC}'`,
      person: `    tag: { function: '{functions}#fail' }`,
      code: 10,
      said: /the function \S+#fail failed on a value/,
    },
  ]
  test.each(DATA_FAILURES)(
    'a copy that fails inside the data: $name',
    async ({ sql, person, letter, code, said }) => {
      const functions = join(directory, 'functions.mjs')
      writeFileSync(functions, FUNCTIONS)
      const name = `failing_${++failing}`
      await execute(source.url, `CREATE DATABASE ${name} TEMPLATE canaries`)
      const url = databaseUrl(source, name)
      await execute(url, sql)
      const broken = await sealAs(name, url)
      const there = await databases()
      const text = canaryRules({ person: person.replace('{functions}', functions) }).replace(
        '    subject: text.scramble',
        letter ?? '    subject: text.scramble',
      )
      const result = await ends(start({ ...broken, text }))
      expect(result.stderr).toMatch(said)
      expect(result.code).toBe(code)
      expect(await databases()).toEqual(there)
    },
  )

  test('a segment of one table in the place of another’s', async () => {
    const store = join(directory, 'swapped')
    cpSync(canaries.store, store, { recursive: true })
    const { tables } = await readManifest<{ tables: { name: string; segments: string[] }[] }>(
      store,
      canaries.label,
    )
    const path = (name: string) => {
      const [segment] = tables.find((table) => table.name === name)?.segments ?? []
      return join(store, canaries.label, segment as string)
    }
    // of equal sizes: sizes are checked before anything is opened
    const [a, b] = [path('visit_0'), path('visit_1')]
    const bytes = await Promise.all([a, b].map((file) => readFile(file)))
    const person = await readFile(path('person'))
    renameSync(a, `${a}.aside`)
    for (const wanted of [bytes[1], person]) {
      writeFileSync(a, (wanted as Buffer).subarray(0, bytes[0]?.length))
      const result = await ends(start({ store }))
      expect(result.code).toBe(15)
      expect(result.stderr).toMatch(/was changed: its SHA-256 is another|bytes instead of/)
    }
    // the digest is looked at before a row goes anywhere
    expect(target.log()).not.toMatch(/CONTEXT:.*COPY visit_0/)
  })

  test('a copy that is killed', async () => {
    const whole = await ends(start())
    for (let i = 0; i < KILLS; i++) {
      const delay = Math.round(((i + 0.5) / KILLS) * whole.milliseconds)
      const run = start()
      await sleep(delay)
      run.child.kill('SIGKILL')
      const killed = performance.now()
      await run.done
      while ([...run.descendants].some(isAlive) && performance.now() - killed < 3_000) {
        await sleep(20)
      }
      const moment = `SIGKILL after ${delay} of ${Math.round(whole.milliseconds)} ms`
      expect({ moment, alive: [...run.descendants].filter(isAlive) }).toEqual({ moment, alive: [] })
      expect({ moment, found: findCanaries(run, await run.done) }).toEqual({ moment, found: [] })
    }
    // what they have left is dropped by the next one
    expect(await ends(start())).toMatchObject({ code: 0 })
    expect((await databases()).filter((name) => name.includes('__building_'))).toEqual([])
  })

  test('a copy that is stopped says so and leaves nothing', async () => {
    const there = await databases()
    const run = start()
    while (!(await databases()).some((name) => name.includes('__building_'))) await sleep(10)
    run.child.kill('SIGINT')
    expect(await ends(run)).toMatchObject({ code: 130 })
    expect(await databases()).toEqual(there)
  })
})
