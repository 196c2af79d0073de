import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { query as queryUrl } from '../fixtures/databases.ts'
import { startLimited } from '../fixtures/limited-postgres.ts'
import { runPgveil, STATE_HOME, type RunResult } from '../fixtures/run-pgveil.ts'

// Whatever is wrong with what a copy is given: it ends with the exit code of its kind, one message, a remedy, and
// a target that is as it was.

const PASSWORD = 'szigorúan titkos %41'
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

const SCHEMA = `
  CREATE DOMAIN plate AS text CHECK (VALUE ~ '^[A-Z]{3}-[0-9]{3}$');
  CREATE TABLE contact (
    id int PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    code varchar(5),
    grade int CHECK (grade BETWEEN 1 AND 5),
    plate plate,
    note text,
    loud text GENERATED ALWAYS AS (upper(name)) STORED
  );
  CREATE TABLE mail (contact_email text REFERENCES contact (email), subject text);
  INSERT INTO contact SELECT i, 'Kis Anna ' || i, 'a' || i || '@kis.hu', 'a' || i, 1 + i % 5, 'ABC-' || 100 + i
    FROM generate_series(1, 400) i;
  INSERT INTO mail SELECT email, 'Tárgy' FROM contact;`

const RULES = `version: 1
tables:
  contact:
    keep: [id, code, grade, plate, note]
    name: person.fullName
    email: internet.email
  mail:
    subject: text.scramble
`
/** Every row that is copied takes a while: time to do something to a copy. */
const SLOW = RULES.replace(
  '  contact:\n',
  `  contact:
    where: "CASE current_setting('application_name') WHEN 'pgveil read' THEN pg_sleep(0.005) IS NOT NULL ELSE true END"
`,
)
/** Rows are copied once nobody holds this advisory lock of the source. */
const HELD = SLOW.replace('pg_sleep(0.005)', 'pg_advisory_xact_lock_shared(714)')
/** For a database of one table. */
const ONLY_THING = 'version: 1\ntables:\n  thing: keep\n'

const servers = {} as Record<'source' | 'target' | 'older', Server>
let directory: string
let files = 0

function write(text: string, name = `rules-${++files}.yaml`): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function urlOf(address: Address): string {
  if (typeof address === 'string') return address
  const [server, database, user, password = PASSWORD] = address
  const url = new URL(servers[server].url)
  url.pathname = `/${database}`
  if (user !== undefined) url.username = user
  url.password = encodeURIComponent(password)
  return url.href
}

const query = <T extends pg.QueryResultRow>(address: Address, sql: string): Promise<T[]> =>
  queryUrl<T>(urlOf(address), sql)

/** Makes a database and fills it. */
async function make(server: keyof typeof servers, name: string, sql: string): Promise<void> {
  await query([server, 'postgres'], `CREATE DATABASE ${name}`)
  await query([server, name], sql)
}

/** Names and oids. */
async function databasesOf(server: keyof typeof servers): Promise<string[]> {
  const rows = await query<{ line: string }>(
    [server, 'postgres'],
    `SELECT datname || ' ' || oid AS line FROM pg_database WHERE NOT datistemplate ORDER BY 1`,
  )
  return rows.map(({ line }) => line)
}

/** A database of one of the servers, with other credentials where told; or a URL. */
type Address = readonly [server: keyof typeof servers, ...to: To] | string
type To = readonly [database: string, user?: string, password?: string]

interface Input {
  rules?: string
  source?: Address
  target?: Address
  args?: string[]
  env?: Record<string, string>
}

/** A copy whose addresses come from the environment, as secrets should. */
function copy(input: Input = {}): Promise<RunResult> {
  return runPgveil(['copy', '--rules', write(input.rules ?? RULES), ...(input.args ?? [])], {
    env: {
      PGVEIL_SOURCE: urlOf(input.source ?? ['source', 'crm']),
      PGVEIL_TARGET: urlOf(input.target ?? ['target', 'crm']),
      ...input.env,
    },
  })
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pgveil-bad-'))
  const majors = { source: 18, target: 18, older: 14 } as const
  await Promise.all(
    (['source', 'target', 'older'] as const).map(async (name) => {
      servers[name] = await startPostgres({ major: majors[name], password: PASSWORD })
    }),
  )
  await make('source', 'crm', SCHEMA)
  await query(
    ['source', 'crm'],
    `CREATE ROLE nobody LOGIN PASSWORD '${PASSWORD}';
     CREATE ROLE reader LOGIN PASSWORD '${PASSWORD}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;`,
  )
  await make(
    'source',
    'guarded',
    `CREATE TABLE thing (id int); ALTER TABLE thing ENABLE ROW LEVEL SECURITY; GRANT SELECT ON thing TO reader`,
  )
  await make(
    'source',
    'twins',
    `CREATE EXTENSION citext;
     CREATE TABLE thing (mail text UNIQUE); INSERT INTO thing VALUES ('Kis.Anna@kis.hu'), ('kis.anna@KIS.hu');
     CREATE TABLE spaced (mail citext UNIQUE); INSERT INTO spaced VALUES ('a@kis.hu'), ('B@kis.hu'), ('b@kis.hu ');
     CREATE TABLE dialled (phone citext UNIQUE); INSERT INTO dialled VALUES ('+36 20 123 4567'), ('+36201234567')`,
  )
  await make(
    'source',
    'virtual',
    'CREATE TABLE thing (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)',
  )
  await make('source', 'nulls', 'CREATE TABLE thing (a int UNIQUE NULLS NOT DISTINCT)')
  await make('source', 'extended', 'CREATE EXTENSION pg_walinspect; CREATE TABLE thing (a int)')
  await query(['target', 'postgres'], `CREATE ROLE modest LOGIN PASSWORD '${PASSWORD}'`)
  await make('target', 'byhand', 'CREATE TABLE precious (a int)')
  expect(await copy()).toMatchObject({ code: 0 })
  await query(['target', 'crm'], 'CREATE TABLE marker ()')
})

afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.stop()))
  rmSync(directory, { recursive: true, force: true })
})

/** One message, without a stack, without the password. */
function expectPlain({ stdout, stderr }: RunResult): void {
  expect(stderr.match(/^pgveil: error: /gm)).toHaveLength(1)
  expect(stdout + stderr).not.toMatch(/^\s+at /m)
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD), 'szigor'])
    expect(stdout + stderr).not.toContain(secret)
}

interface Bad extends Input {
  name: string
  code: number
  message: RegExp
  /** Absent where the message says what to do. */
  hint?: RegExp
}

/** A place in the rule file. */
const PLACE = String.raw`rules-\d+\.yaml`
const rulesWith = (line: string, instead = '') =>
  RULES.replace(`    ${line}\n`, instead && `    ${instead}\n`)

/** Two values of a unique column that are one to its mask. */
function twins(name: string, table: string, rule: string): Bad {
  const kept = ['thing', 'spaced', 'dialled'].filter((other) => other !== table)
  return {
    name,
    source: ['source', 'twins'],
    rules: `version: 1\ntables:\n${kept.map((other) => `  ${other}: keep\n`).join('')}  ${table}:\n    ${rule}\n`,
    code: 16,
    message: new RegExp(`public\\.${table}\\.${rule.split(':')[0]}: 1 groups? of values differ`),
    hint: /normalize: false/,
  }
}

const BAD_RULES: Bad[] = [
  {
    name: 'no YAML',
    rules: 'version: 1\ntables: {\n  contact: [',
    code: 10,
    message: new RegExp(`${PLACE}:\\d+:\\d+: `),
    hint: /./,
  },
  {
    name: 'an unknown key',
    rules: RULES.replace('tables:', 'tabels:'),
    code: 10,
    message: new RegExp(`${PLACE}:2:1: .*tabels`),
    hint: /tables/,
  },
  {
    name: 'a table that is not there',
    rules: `${RULES}  kontakt: keep\n`,
    code: 10,
    message: new RegExp(`${PLACE}:9:3: no table public\\.kontakt`),
    hint: /./,
  },
  {
    name: 'a column that is not there',
    rules: RULES.replace('    name:', '    full_name: keep\n    name:'),
    code: 10,
    message: new RegExp(`${PLACE}:5:5: no column full_name in public\\.contact`),
    hint: /./,
  },
  {
    name: 'a rule for a generated column',
    rules: RULES.replace('    name:', '    loud: text.scramble\n    name:'),
    code: 10,
    message: new RegExp(`${PLACE}:5:5: loud is a generated column`),
    hint: /./,
  },
  {
    name: 'an unknown mask',
    rules: RULES.replace('person.fullName', 'person.fulName'),
    code: 10,
    message: new RegExp(`${PLACE}:5:11: unknown mask "person.fulName"`),
    hint: /person\.fullName/,
  },
  {
    name: 'a foreign key masked otherwise than what it refers to',
    rules: RULES.replace('    subject:', '    contact_email: person.fullName\n    subject:'),
    code: 10,
    message: new RegExp(
      `${PLACE}:8:5: public\\.mail\\.contact_email is masked with person.fullName`,
    ),
    hint: /follows the rule of public\.contact\.email/,
  },
  {
    name: 'where: that is no SQL',
    rules: RULES.replace('    name:', '    where: id is many\n    name:'),
    code: 10,
    message: /the where: of public\.contact is no condition on it: syntax error/,
    hint: /SQL/,
  },
  {
    name: 'when: that is no SQL',
    rules: rulesWith('name: person.fullName', 'name: { mask: person.fullName, when: nome > 5 }'),
    code: 10,
    message: /the when: of public\.contact is no condition on it: column "nome" does not exist/,
    hint: /SQL/,
  },
  {
    name: 'a column that nobody decided on',
    rules: rulesWith('name: person.fullName').replace(', note]', ']'),
    code: 16,
    message:
      /2 columns are not decided in .*\n {2}public\.contact:\n {4}name: # text\n {4}note: # text/,
    hint: /./,
  },
  {
    name: 'a table that nobody decided on',
    rules: RULES.slice(0, RULES.indexOf('  mail:')),
    code: 16,
    message: /missing lines:\n {2}public\.mail: /,
    hint: /./,
  },
  {
    name: 'null for a column that is NOT NULL',
    rules: rulesWith('name: person.fullName', 'name: null'),
    code: 16,
    message: new RegExp(`${PLACE}:5:5: public\\.contact\\.name is NOT NULL`),
    hint: /fixed/,
  },
  {
    name: 'a value that is too long',
    rules: RULES.replace(' code,', '').replace(
      '    name:',
      "    code: { mask: fixed, value: 'too long' }\n    name:",
    ),
    code: 16,
    message: new RegExp(`${PLACE}:5:5: public\\.contact\\.code: `),
    hint: /./,
  },
  {
    name: 'values that a check refuses',
    rules: RULES.replace(' grade,', '').replace(
      '    name:',
      '    grade: { mask: fixed, value: 9 }\n    name:',
    ),
    code: 16,
    message: /public\.contact\.grade: values of fixed violate the check contact_grade_check/,
    hint: /check accepts/,
  },
  {
    name: 'values that a domain refuses',
    rules: RULES.replace(' plate,', '').replace(
      '    name:',
      '    plate: person.firstName\n    name:',
    ),
    code: 16,
    message: /public\.contact\.plate: values of person\.firstName break the domain/,
    hint: /domain accepts/,
  },
  {
    name: 'a value that the type refuses',
    rules: RULES.replace(' grade,', '').replace(
      '    name:',
      '    grade: { mask: fixed, value: five }\n    name:',
    ),
    code: 16,
    message: /public\.contact\.grade: the fixed value is no int/,
    hint: /./,
  },
  {
    name: 'a mask that does not keep values apart under a unique index',
    rules: rulesWith('email: internet.email', 'email: person.fullName'),
    code: 16,
    message:
      /the mask cannot keep distinct values distinct \(public\.contact\.email, .* is unique\)/,
    hint: /internet\.email/,
  },
  twins('mails that differ in nothing but case', 'thing', 'mail: internet.email'),
  twins('mails of citext that differ in nothing but spaces', 'spaced', 'mail: internet.email'),
  twins(
    'numbers of citext that differ in nothing but punctuation',
    'dialled',
    'phone: phone.number',
  ),
]

describe('rules', () => {
  test.each(BAD_RULES)('$name', expectRefused)
})

async function expectRefused({ code, message, hint, ...input }: Bad): Promise<void> {
  if (input.env?.['PGVEIL_PRODUCTION'])
    input.env['PGVEIL_PRODUCTION'] = `127.0.0.1:${servers.target.port}`
  const before = [await databasesOf('target'), await databasesOf('older')]
  const result = await copy(input)
  const error = result.stderr.slice(result.stderr.indexOf('pgveil: error: '))
  expect(error).toMatch(message)
  if (hint) expect(/^hint: (.*)$/m.exec(error)?.[1]).toMatch(hint)
  expectPlain(result)
  expect(result.code).toBe(code)
  expect([await databasesOf('target'), await databasesOf('older')]).toEqual(before)
  await query(['target', 'crm'], 'TABLE marker')
}

describe('arguments and configuration', () => {
  const cases: Bad[] = [
    {
      name: 'an unknown flag',
      args: ['--sorce', 'x'],
      code: 2,
      message: /unknown argument: --sorce/,
      hint: /did you mean --source/,
    },
    {
      name: 'a source that is no URL',
      source: 'crm',
      code: 10,
      message: /PGVEIL_SOURCE: not a connection URL/,
      hint: /postgresql:\/\//,
    },
    {
      name: 'a flag that is no URL',
      args: ['--target', 'crm'],
      code: 2,
      message: /--target: not a connection URL/,
      hint: /postgresql:\/\//,
    },
    {
      name: 'a URL with a raw % in its password',
      args: ['--target', 'postgres://a:szigor%zz@localhost/x'],
      code: 2,
      message: /--target: the connection URL cannot be read/,
      hint: /percent-encode/,
    },
    {
      name: 'a rule file that is not there',
      args: ['--rules', 'nothing.yaml'],
      code: 2,
      message: /--rules is given more than once/,
    },
    {
      name: '--only that matches nothing',
      args: ['--only', 'kontakt'],
      code: 2,
      message: /kontakt matches no table/,
      hint: /./,
    },
    {
      name: '--jobs 0',
      args: ['--jobs', '0'],
      code: 2,
      message: /--jobs: expected a whole number/,
    },
    {
      name: 'a secret that is too short',
      env: { PGVEIL_SECRET: 'szigor' },
      code: 14,
      message: /the secret in environment variable PGVEIL_SECRET is too easy to guess/,
      hint: /openssl rand/,
    },
  ]
  test.each(cases)('$name', expectRefused)
})

describe('servers', () => {
  const cases: Bad[] = [
    {
      name: 'no server at the source',
      source: 'postgres://postgres@127.0.0.1:1/crm',
      code: 11,
      message: /cannot connect to postgres:\/\/postgres@127\.0\.0\.1:1\/crm: no server answers/,
      hint: /host and port/,
    },
    {
      name: 'no server at the target',
      target: 'postgres://postgres@127.0.0.1:1/crm',
      code: 12,
      message: /cannot connect to .*: no server answers/,
      hint: /host and port/,
    },
    {
      name: 'a wrong password for the source',
      source: ['source', 'crm', 'postgres', 'szigor'],
      code: 11,
      message: /wrong password or unknown user/,
      hint: /PGPASSWORD/,
    },
    {
      name: 'a wrong password for the target',
      target: ['target', 'crm', 'postgres', 'szigor'],
      code: 12,
      message: /wrong password or unknown user/,
      hint: /PGPASSWORD/,
    },
    {
      name: 'a source database that is not there',
      source: ['source', 'krm'],
      code: 11,
      message: /no such database/,
      hint: /database name/,
    },
    {
      name: 'a source that this user may not read',
      source: ['source', 'crm', 'nobody'],
      code: 11,
      message: /this user may not read public\.contact, public\.mail in crm/,
      hint: /GRANT pg_read_all_data/,
    },
    {
      name: 'rows hidden from this user',
      source: ['source', 'guarded', 'reader'],
      rules: ONLY_THING,
      code: 11,
      message: /row-level security hides rows of public\.thing/,
      hint: /BYPASSRLS/,
    },
    {
      name: 'a target where this user may not make databases',
      target: ['target', 'crm', 'modest'],
      code: 12,
      message: /this user may not create databases/,
      hint: /CREATEDB/,
    },
    {
      name: 'virtual columns for an older target',
      source: ['source', 'virtual'],
      target: ['older', 'virtual'],
      rules: ONLY_THING,
      code: 12,
      message: /cannot create table .*thing/,
      hint: /./,
    },
    {
      name: 'NULLS NOT DISTINCT for an older target',
      source: ['source', 'nulls'],
      target: ['older', 'nulls'],
      rules: ONLY_THING,
      code: 12,
      message: /cannot create .*thing/,
      hint: /./,
    },
    {
      name: 'an extension that the target lacks',
      source: ['source', 'extended'],
      target: ['older', 'extended'],
      rules: ONLY_THING,
      code: 12,
      message: /lacks the extension pg_walinspect/,
      hint: /install the package/,
    },
    {
      name: 'the source as target',
      target: ['source', 'crm'],
      code: 16,
      message: /source and target are the same database/,
      hint: /another target/,
    },
    {
      name: 'the source as target, asked for',
      target: ['source', 'crm'],
      args: ['--allow-same-server', '--replace', 'crm'],
      code: 16,
      message: /source and target are the same database/,
      hint: /another target/,
    },
    {
      name: 'the server of the source',
      target: ['source', 'crm_dev'],
      code: 16,
      message: /source and target are on the same server/,
      hint: /--allow-same-server/,
    },
    {
      name: 'a server that is production',
      env: { PGVEIL_PRODUCTION: '127.0.0.1:{target}' },
      code: 16,
      message: /is a production server by configuration/,
      hint: /production/,
    },
    {
      name: 'a database that was made otherwise',
      target: ['target', 'byhand'],
      code: 16,
      message: /the database byhand on the target was not made by pgveil/,
      hint: /--replace byhand/,
    },
    {
      name: 'a database that was made otherwise, another to be replaced',
      target: ['target', 'byhand'],
      args: ['--replace', 'crm'],
      code: 16,
      message: /byhand on the target was not made by pgveil/,
      hint: /--replace byhand/,
    },
    {
      name: 'a database that the server needs',
      target: ['target', 'postgres'],
      args: ['--replace', 'postgres'],
      code: 16,
      message: /postgres/,
      hint: /another target/,
    },
    {
      name: 'a template',
      target: ['target', 'template1'],
      args: ['--replace', 'template1'],
      code: 16,
      message: /template1/,
      hint: /another target/,
    },
  ]
  test.each(cases)('$name', expectRefused)

  test('a production server by its identifier, from pgveil.yaml', async () => {
    const [row] = await query<{ id: string }>(
      ['target', 'postgres'],
      'SELECT system_identifier::text AS id FROM pg_control_system()',
    )
    const config = write(`production: ['${row?.id}']\n`, 'production.yaml')
    await expectRefused({
      name: '',
      args: ['--config', config],
      code: 16,
      message: /is a production server by configuration/,
      hint: /production/,
    })
  })
})

/** The sessions of pgveil that carry rows: returns once there are some. */
async function untilCopying(server: Server): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  try {
    for (;;) {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE application_name IN ('pgveil read', 'pgveil write') AND query ILIKE 'copy%contact%'`,
      )
      if (rowCount) return
      await sleep(10)
    }
  } finally {
    await client.end()
  }
}

/** A way to a server on which the client's end of a session can be cut, and the server does not get to know. */
async function proxyTo(server: Server) {
  const sessions: { inner: Socket; outer: Socket; first: Buffer }[] = []
  const proxy = createServer((inner) => {
    const outer = connect(server.port, server.host)
    const session = { inner, outer, first: Buffer.alloc(0) as Buffer }
    sessions.push(session)
    inner.once('data', (bytes: Buffer) => (session.first = bytes))
    inner.on('data', (bytes) => outer.write(bytes)).on('error', () => {})
    outer.on('data', (bytes) => inner.write(bytes)).on('error', () => {})
    inner.on('end', () => outer.end())
    outer.on('close', () => inner.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as AddressInfo
  return {
    url: (direct: string) => direct.replace(`:${server.port}/`, `:${port}/`),
    cut: (application: string) => {
      const found = sessions.filter(({ first }) => first.includes(application))
      expect(found).toHaveLength(1)
      for (const { inner } of found) inner.resetAndDestroy()
    },
    close: () => {
      for (const { outer } of sessions) outer.destroy()
      proxy.close()
    },
  }
}

describe('servers that fail in the middle', () => {
  test('the source is killed', async () => {
    const mortal = await startPostgres({ major: 14 })
    await query(mortal.url, SCHEMA)
    const before = await databasesOf('target')
    const running = copy({ source: mortal.url, rules: SLOW })
    await untilCopying(mortal)
    mortal.kill('SIGQUIT')
    const result = await running
    expectPlain(result)
    expect(result.stderr).toMatch(/error: cannot (read|connect to|join)|no longer, known/)
    expect(result.code).toBe(11)
    expect(await databasesOf('target')).toEqual(before)
  })

  test('the target is killed', async () => {
    const mortal = await startPostgres({ major: 14 })
    const target = mortal.url.replace(/postgres$/, 'crm')
    const running = copy({ target, rules: SLOW })
    await untilCopying(mortal)
    mortal.kill('SIGQUIT')
    const result = await running
    expectPlain(result)
    expect(result.stderr).toMatch(/error: cannot (write|connect to)/)
    expect(result.stderr).toMatch(
      /^left behind: the unfinished database crm__building_[0-9a-f]{16} on \S+; the next run drops it$/m,
    )
    expect(result.code).toBe(12)
  })

  /** Makes a copy that waits among its rows while `act` does something. */
  async function copyWhile(input: Input, act: () => unknown): Promise<RunResult> {
    const holder = new pg.Client(urlOf(['source', 'crm']))
    await holder.connect()
    await holder.query('SELECT pg_advisory_lock(714)')
    const held = copy({ ...input, rules: HELD })
    try {
      await untilCopying(servers.target)
      await act()
    } finally {
      await holder.end()
    }
    return held
  }

  test('the session that is idle until the hand-over is cut: nobody notices', async () => {
    const target = ['target', 'cut_off'] as const
    const result = await copyWhile({ target }, async () => {
      const ended = await query(
        ['target', 'postgres'],
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'pgveil maintenance'`,
      )
      expect(ended).toHaveLength(1)
    })
    expect(result).toMatchObject({ code: 0 })
    expect(await query(target, 'SELECT count(*)::int AS n FROM contact')).toEqual([{ n: 400 }])
    expect((await databasesOf('target')).filter((line) => line.startsWith('cut_off_'))).toEqual([])
    await query(['target', 'postgres'], 'DROP DATABASE cut_off')
  })

  test('its line is cut, which the server does not know: it is ended', async () => {
    const target = ['target', 'silent'] as const
    const { url, cut, close } = await proxyTo(servers.target)
    try {
      const input = { target: url(urlOf(target)) }
      const result = await copyWhile(input, () => cut('pgveil maintenance'))
      expect(result).toMatchObject({ code: 0 })
    } finally {
      close()
    }
    expect(await query(target, 'SELECT count(*)::int AS n FROM contact')).toEqual([{ n: 400 }])
    await query(['target', 'postgres'], 'DROP DATABASE silent')
  })

  test('the disk of the target is full', async () => {
    const limited = await startLimited(directory, 2_000)
    try {
      await make('source', 'wide', 'CREATE TABLE thing (a text)')
      await query(
        ['source', 'wide'],
        `INSERT INTO thing SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 60) i, generate_series(1, 2000) k GROUP BY k`,
      )
      const target = limited.url.replace(/postgres$/, 'crm')
      const before = await query(
        target.replace(/crm$/, 'postgres'),
        'SELECT datname FROM pg_database',
      )
      const result = await copy({ source: ['source', 'wide'], target, rules: ONLY_THING })
      expectPlain(result)
      expect(result.stderr).toMatch(/cannot write public\.thing: could not (extend|write) file/)
      expect(result.stderr).toMatch(/^hint: free space on the server/m)
      expect(result.code).toBe(12)
      expect(await query(limited.url, 'SELECT datname FROM pg_database')).toEqual(before)
    } finally {
      await limited.stop()
    }
  })
})

describe('databases in the way', () => {
  test('--replace NAME lets one go that pgveil did not make', async () => {
    await make('target', 'replaced', 'CREATE TABLE precious (a int)')
    const target = ['target', 'replaced'] as const
    expect(await copy({ target, args: ['--replace', 'replaced'] })).toMatchObject({ code: 0 })
    expect(await query(target, 'SELECT count(*)::int AS n FROM contact')).toEqual([{ n: 400 }])
    await query(['target', 'postgres'], 'DROP DATABASE replaced')
  })

  test('sessions that use the database are ended', async () => {
    const target = ['target', 'busy'] as const
    expect(await copy({ target })).toMatchObject({ code: 0 })
    const client = new pg.Client(urlOf(target))
    client.on('error', () => {})
    await client.connect()
    await client.query('BEGIN; LOCK TABLE contact')
    expect(await copy({ target })).toMatchObject({ code: 0 })
    await expect(client.query('SELECT 1')).rejects.toThrow()
    await query(['target', 'postgres'], 'DROP DATABASE busy')
  })

  test('--keep-previous keeps the one before, until there is another', async () => {
    const target = ['target', 'kept'] as const
    const previous = ['target', 'kept__previous'] as const
    expect(await copy({ target })).toMatchObject({ code: 0 })
    for (const generation of [1, 2]) {
      await query(target, `CREATE TABLE generation_${generation} ()`)
      expect(await copy({ target, args: ['--keep-previous'] })).toMatchObject({ code: 0 })
      await query(previous, `TABLE generation_${generation}`)
    }
    const names = (await databasesOf('target')).filter((line) => line.startsWith('kept'))
    expect(names.map((line) => line.split(' ')[0])).toEqual(['kept', 'kept__previous'])
    await query(['target', 'postgres'], 'DROP DATABASE kept')
    await query(['target', 'postgres'], 'DROP DATABASE kept__previous')
  })

  test('--keep-previous leaves a database alone that pgveil did not make', async () => {
    const target = ['target', 'kept'] as const
    expect(await copy({ target })).toMatchObject({ code: 0 })
    await query(['target', 'postgres'], 'CREATE DATABASE kept__previous')
    const before = await databasesOf('target')
    const result = await copy({ target, args: ['--keep-previous'] })
    expectPlain(result)
    expect(result.code).toBe(16)
    expect(result.stderr).toMatch(/the database kept__previous stands where kept is to be kept/)
    expect(await databasesOf('target')).toEqual(before)
    await query(['target', 'postgres'], 'DROP DATABASE kept__previous')
    await query(['target', 'postgres'], 'DROP DATABASE kept')
  })

  test('--dry-run makes nothing', async () => {
    const before = await databasesOf('target')
    const result = await copy({ args: ['--dry-run'] })
    expect(result).toMatchObject({ code: 0 })
    expect(result.stdout + result.stderr).toMatch(/person\.fullName/)
    expect(await databasesOf('target')).toEqual(before)
  })

  test('two runs at once leave each other alone', async () => {
    const target = ['target', 'shared'] as const
    const holder = new pg.Client(urlOf(['source', 'crm']))
    await holder.connect()
    await holder.query('SELECT pg_advisory_lock(714)')
    const held = copy({ target, rules: HELD })
    await untilCopying(servers.target)
    const building = (await databasesOf('target')).find((line) => line.includes('__building_'))
    expect(building).toBeDefined()
    expect(await copy({ target })).toMatchObject({ code: 0 })
    expect(await databasesOf('target')).toContain(building)
    await holder.end()
    expect(await held).toMatchObject({ code: 0 })
    const names = (await databasesOf('target')).filter((line) => line.startsWith('shared'))
    expect(names).toHaveLength(1)

    // side by side to the end: both give a whole copy, or one says why not
    const both = await Promise.all([copy({ target }), copy({ target })])
    expect(both.map(({ code }) => code).filter((code) => code !== 0 && code !== 12)).toEqual([])
    expect(both.some(({ code }) => code === 0)).toBe(true)
    for (const result of both) if (result.code !== 0) expectPlain(result)
    expect(await query(target, 'SELECT count(*)::int AS n FROM contact')).toEqual([{ n: 400 }])
    expect((await databasesOf('target')).filter((line) => line.startsWith('shared_'))).toEqual([])
    await query(['target', 'postgres'], 'DROP DATABASE shared')
  })
})

describe('a reader of the output that goes away', () => {
  test.each(['stdout', 'stderr'] as const)('%s', async (stream) => {
    const child = spawn(process.execPath, [CLI, 'copy', '--json', '--rules', write(RULES)], {
      env: {
        PATH: process.env['PATH'],
        PGVEIL_SOURCE: urlOf(['source', 'crm']),
        PGVEIL_TARGET: urlOf(['target', 'unread']),
        XDG_STATE_HOME: STATE_HOME,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const other = stream === 'stdout' ? child.stderr : child.stdout
    let text = ''
    other.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    child[stream].destroy()
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect({ code, text }).toMatchObject({ code: 0 })
    expect(text).not.toMatch(/EPIPE|^\s+at /m)
    await query(['target', 'postgres'], 'DROP DATABASE unread')
  })
})

describe('a signal after the end', () => {
  /** Something that keeps the process for a while once all is done. */
  const HELD = '--import=data:text/javascript,setTimeout(()=>{},4000)'

  async function endedBy(signal: NodeJS.Signals, times: number) {
    const child = spawn(process.execPath, [CLI, 'masks'], {
      env: { PATH: process.env['PATH'], XDG_STATE_HOME: STATE_HOME, NODE_OPTIONS: HELD },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('close', (code, by) => resolve({ code, by })))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const began = performance.now()
    for (let i = 0; i < times; i++) {
      await sleep(500)
      child.kill(signal)
    }
    return { result: await ended, waited: performance.now() - began > 2_000 }
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('%s does not make it look stopped', async (signal) => {
    expect(await endedBy(signal, 1)).toEqual({ result: { code: 0, by: null }, waited: true })
  })

  test('a second one ends what hangs', async () => {
    expect(await endedBy('SIGINT', 2)).toEqual({ result: { code: 0, by: null }, waited: false })
  })
})
