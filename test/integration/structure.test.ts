import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { parseEndpoint, withDatabase, type Endpoint } from '../../src/postgres/connect.ts'
import { chooseDumper, type Dumper, type DumpRequest } from '../../src/postgres/pg-dump.ts'
import { cutStatements, type Statement } from '../../src/postgres/statements.ts'
import { planStructure, type StructurePlan } from '../../src/sink/structure-plan.ts'
import {
  createStructure,
  foreignKeys,
  indexGroups,
  inPhase,
  prepareSession,
  runStatements,
} from '../../src/sink/structure.ts'
import { findLiterals, type Literal } from '../../src/source/literals.ts'

// the thread of the WebAssembly pg_dump is a file of the build
const built = new URL('../../dist/postgres/pg-dump.js', import.meta.url)
const { dumpStructure } = (await import(
  built.href
)) as typeof import('../../src/postgres/pg-dump.ts')

const SCHEMA = readFileSync(new URL('./structure.sql', import.meta.url), 'utf8')
/** What only version 18 has. */
const SCHEMA_18 = `
  CREATE TABLE crm.modern (
    id int NOT NULL, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL, span int4range, valid daterange,
    CONSTRAINT period PRIMARY KEY (span, valid WITHOUT OVERLAPS),
    CONSTRAINT named NOT NULL twice,
    CONSTRAINT loose CHECK (id > 0) NOT ENFORCED,
    FOREIGN KEY (id) REFERENCES crm.contact NOT ENFORCED
  );
  CREATE TABLE crm.child (CONSTRAINT own NOT NULL legs) INHERITS (crm.animal);
  ALTER TABLE crm.animal ADD CONSTRAINT legs_later NOT NULL legs NOT VALID;
`
const PASSWORD = 'titkos jelszó %41'

type Request = Omit<DumpRequest, 'section'>

async function* section(request: Request, name: DumpRequest['section']): AsyncGenerator<Statement> {
  yield* cutStatements(await dumpStructure({ ...request, section: name }))
}

/** Runs `work` while a snapshot of the database is exported. */
async function inSnapshot<T>(
  endpoint: Endpoint,
  work: (snapshot: string) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(endpoint.config)
  await client.connect()
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const { rows } = await client.query('SELECT pg_export_snapshot() AS snapshot')
    return await work(rows[0].snapshot)
  } finally {
    await client.end()
  }
}

async function read(endpoint: Endpoint, dumper: Dumper) {
  return await inSnapshot(endpoint, async (snapshot) => {
    const request = { endpoint, dumper, snapshot }
    const literals: Literal[] = []
    const plan = await planStructure(
      section(request, 'pre-data'),
      section(request, 'post-data'),
      (statement) => literals.push(...findLiterals(statement)),
    )
    return { plan, literals }
  })
}

async function build(
  endpoint: Endpoint,
  plan: StructurePlan,
  targetMajor: number,
): Promise<string[]> {
  const client = new pg.Client(endpoint.config)
  await client.connect()
  const warnings: string[] = []
  const warn = (code: string, message: string) => warnings.push(`${code}: ${message}`)
  try {
    await prepareSession(client, plan)
    await createStructure(client, plan, warn)
    for (const { statements } of indexGroups(plan)) await runStatements(client, statements, warn)
    await runStatements(client, inPhase(plan, 'attach'), warn)
    const keys = foreignKeys(plan, { incomplete: [], targetMajor }, warn)
    await runStatements(client, keys, warn)
    await runStatements(client, inPhase(plan, 'late'), warn)
    await runStatements(client, inPhase(plan, 'event-trigger'), warn)
  } finally {
    await client.end()
  }
  return warnings
}

async function query(endpoint: Endpoint, sql: string): Promise<void> {
  const client = new pg.Client(endpoint.config)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** The structure as text, for comparison. */
function shape({ statements }: StructurePlan): string[] {
  return statements.map(({ phase, sql }) => `${phase}: ${sql}`)
}

describe.each([14, 18] as const)('structure of a server %i', (major) => {
  let server: Server
  let source: Endpoint

  beforeAll(async () => {
    server = await startPostgres({ major, password: PASSWORD })
    source = parseEndpoint(server.url, 'source')
    await query(source, 'CREATE DATABASE origin')
    source = withDatabase(source, 'origin')
    await query(source, SCHEMA)
    if (major === 18) await query(source, SCHEMA_18)
  })
  afterAll(() => server.stop())

  async function fresh(name: string): Promise<Endpoint> {
    await query(source, `CREATE DATABASE ${name}`)
    return withDatabase({ ...source, side: 'sink' }, name)
  }

  test('a copy has the structure of its original', async () => {
    const dumper = await chooseDumper(major, 'wasm')
    const original = await read(source, dumper)
    const target = await fresh('copy_wasm')
    expect(await build(target, original.plan, major)).toEqual([])
    const copy = await read(target, dumper)
    expect(shape(copy.plan)).toEqual(shape(original.plan))
  })

  test('what must not travel does not', async () => {
    const { plan } = await read(source, await chooseDumper(major, 'wasm'))
    const dropped = plan.dropped.map(({ what }) => what)
    expect(dropped).toEqual(
      expect.arrayContaining([
        'foreign server far',
        'user mapping on far',
        'foreign table crm.far_away',
        'comment on column crm.far_away.id',
        'view crm.from_far',
        'view crm.from_far_too',
        'comment on view crm.from_far_too',
      ]),
    )
    const text = plan.statements.map(({ sql }) => sql).join('\n')
    expect(text).not.toMatch(/OWNER TO|GRANT|PUBLICATION|USER MAPPING|top secret|far/)
  })

  test('literals that look personal are reported by place', async () => {
    const { literals } = await read(source, await chooseDumper(major, 'wasm'))
    const places = literals.map(({ place, kind }) => `${kind} in ${place}`)
    expect(places.toSorted()).toEqual([
      'e-mail address in comment on column crm.account.name',
      'e-mail address in default of crm.contact.email',
      'e-mail address in partition bounds of crm.event_2025_call',
      'e-mail address in view crm.names',
    ])
    expect(JSON.stringify(literals)).not.toContain('ceg.hu')
  })

  test('a policy for a role that the target lacks is left out, its table stays closed', async () => {
    const { plan } = await read(source, await chooseDumper(major, 'wasm'))
    const elsewhere = await startPostgres({ major })
    try {
      const target = parseEndpoint(elsewhere.url, 'sink')
      const warnings = await build(target, plan, major)
      expect(warnings).toEqual([
        'policy-left-out: policy readers of crm.account is left out: the target has no role reader; row-level security stays on',
      ])
    } finally {
      await elsewhere.stop()
    }
  })

  test('foreign keys to rows that are not copied are NOT VALID', async () => {
    const { plan } = await read(source, await chooseDumper(major, 'wasm'))
    const warnings: string[] = []
    const incomplete = [{ schema: 'crm', name: 'account' }]
    const keys = foreignKeys(plan, { incomplete, targetMajor: major }, (_, text) =>
      warnings.push(text),
    )
    // account.parent, contact.account, event.account; before 18 the last, on a partitioned table, cannot
    expect(warnings).toHaveLength(3)
    expect(warnings.filter((text) => text.includes('left out'))).toHaveLength(major === 14 ? 1 : 0)
    const target = await fresh('not_valid')
    const client = new pg.Client(target.config)
    await client.connect()
    try {
      await prepareSession(client, plan)
      const ignore = () => {}
      await createStructure(client, plan, ignore)
      for (const { statements } of indexGroups(plan))
        await runStatements(client, statements, ignore)
      await runStatements(client, inPhase(plan, 'attach'), ignore)
      await runStatements(client, keys, ignore)
    } finally {
      await client.end()
    }
  })

  test('a statement that the target refuses is named, not quoted', async () => {
    const { plan } = await read(source, await chooseDumper(major, 'wasm'))
    const target = await fresh('refusing')
    const broken = structuredClone(plan)
    const view = broken.statements.find(({ what }) => what === 'view crm.names')
    if (view) view.sql = "CREATE VIEW crm.names AS SELECT 'kiss.bela@ceg.hu' FROM crm.missing"
    await expect(build(target, broken, major)).rejects.toThrow(
      'cannot create view crm.names: relation "crm.missing" does not exist (SQLSTATE 42P01)',
    )
  })

  test('an extension that the target lacks is said before anything is created', async () => {
    const { plan } = await read(source, await chooseDumper(major, 'wasm'))
    const target = await fresh('lacking')
    plan.statements.push({ sql: '', phase: 'pre', what: 'extension nowhere', extension: 'nowhere' })
    await expect(build(target, plan, major)).rejects.toMatchObject({
      kind: 'sink',
      message: 'extension nowhere is not available on the target',
    })
  })

  test('a snapshot that is gone and an abort are told', async () => {
    const dumper = await chooseDumper(major, 'wasm')
    const request = {
      endpoint: source,
      dumper,
      snapshot: '00000003-0000FFFF-1',
      section: 'pre-data',
    } as const
    await expect(dumpStructure(request)).rejects.toThrow(/^pg_dump cannot read postgres:.*snapshot/)
    await inSnapshot(source, async (snapshot) => {
      const signal = AbortSignal.timeout(60)
      const outcome = await dumpStructure({ ...request, snapshot, signal }).catch(
        (error: unknown) => error,
      )
      expect(outcome).toBe(signal.reason)
    })
  })
})

const NATIVE = '/usr/lib/postgresql'
const natives = existsSync(NATIVE) ? readdirSync(NATIVE) : []
const hasNative = natives.some((name) => Number(name) >= 14)
if (!hasNative)
  process.stderr.write(`\nSKIPPED: a native pg_dump, of which there is none in ${NATIVE}\n\n`)
const FORMS = hasNative ? (['native', 'wasm'] as const) : (['wasm'] as const)

describe('how pg_dump reaches the server', () => {
  let server: Server
  let source: Endpoint

  beforeAll(async () => {
    server = await startPostgres({ major: 14, password: PASSWORD })
    source = parseEndpoint(server.url, 'source')
  })
  afterAll(() => server.stop())

  test.each(FORMS)('a connection that breaks is told: %s', async (form) => {
    const dumper = await chooseDumper(14, form)
    const locker = new pg.Client(source.config)
    await locker.connect()
    try {
      await locker.query('CREATE TABLE locked ()')
      await locker.query('BEGIN; LOCK TABLE locked')
      await inSnapshot(source, async (snapshot) => {
        const request = { endpoint: source, dumper, snapshot, section: 'pre-data' } as const
        const outcome = dumpStructure(request).catch((error: unknown) => error)
        await dumpWaits(source)
        await locker.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgveil pg_dump'",
        )
        expect(await outcome).toMatchObject({ kind: 'source' })
        expect(String(await outcome)).toMatch(/broke while pg_dump ran|terminating connection/)
      })
      await locker.query('COMMIT; DROP TABLE locked')
    } finally {
      await locker.end()
    }
  })

  /** Returns once pg_dump waits for a lock. */
  async function dumpWaits(endpoint: Endpoint): Promise<void> {
    const sql = `SELECT FROM pg_stat_activity WHERE application_name = 'pgveil pg_dump' AND wait_event_type = 'Lock'`
    const client = new pg.Client(endpoint.config)
    await client.connect()
    try {
      while ((await client.query(sql)).rowCount === 0) await sleep(10)
    } finally {
      await client.end()
    }
  }

  const LOSSY = "CREATE TABLE lossy (); COMMENT ON TABLE lossy IS E'a\\n\\\\restrict b'"

  async function dumpLossy(form: 'native' | 'wasm'): Promise<string> {
    const dumper = await chooseDumper(14, form)
    await query(source, LOSSY)
    try {
      return await inSnapshot(source, (snapshot) =>
        dumpStructure({ endpoint: source, dumper, snapshot, section: 'pre-data' }),
      )
    } finally {
      await query(source, 'DROP TABLE lossy')
    }
  }

  test('a line that WebAssembly pg_dump would lose is refused', async () => {
    await expect(dumpLossy('wasm')).rejects.toThrow(/begins with \\restrict/)
  })

  const describeNative = hasNative ? describe : describe.skip

  describeNative('native', () => {
    test('keeps a line that looks like one of psql', async () => {
      expect(await dumpLossy('native')).toContain("IS 'a\n\\restrict b'")
    })

    test('reads over a session that is authenticated already', async () => {
      await query(source, SCHEMA)
      const dumper = await chooseDumper(14, 'native')
      const native = await read(source, dumper)
      const wasm = await read(source, await chooseDumper(14, 'wasm'))
      expect(native.plan.statements.map(({ what }) => what)).toEqual(
        wasm.plan.statements.map(({ what }) => what),
      )
      expect(native.literals).toEqual(wasm.literals)
    })

    test('the password is in no argument list and no environment', async () => {
      const dumper = await chooseDumper(14, 'native')
      const locker = new pg.Client(source.config)
      await locker.connect()
      await query(source, 'CREATE TABLE held ()')
      try {
        await inSnapshot(source, async (snapshot) => {
          await locker.query('BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE')
          const stop = new AbortController()
          const dump = dumpStructure({
            endpoint: source,
            dumper,
            snapshot,
            section: 'pre-data',
            signal: stop.signal,
          }).catch((error: unknown) => error)
          await dumpWaits(source)
          const listing = execFileSync('ps', ['axeww']).toString()
          stop.abort()
          expect(await dump).toBe(stop.signal.reason)
          expect(listing).toContain('--schema-only')
          expect(listing).not.toContain('titkos')
        })
      } finally {
        await locker.end()
      }
    })
  })
})
