import type pg from 'pg'
import { Failure } from '../errors.ts'
import { describeError, errorCode, serverFailure } from '../postgres/connect.ts'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { keyOf } from './structure-dropped.ts'
import type { StructurePlan, StructurePhase, StructureStatement } from './structure-plan.ts'

/** Is told of what was left out: a stable code and a sentence without values. */
export type Warn = (code: string, message: string) => void

/** Statements sent at once. Each batch is a transaction, and each table in it a lock. */
const BATCH_STATEMENTS = 100
const BATCH_CHARACTERS = 256 * 1024

/** The statements of one phase, in order. */
export function inPhase(plan: StructurePlan, phase: StructurePhase): StructureStatement[] {
  return plan.statements.filter((statement) => statement.phase === phase)
}

/**
 * Puts a session into the state that pg_dump's statements need. To be called once on every connection that
 * runs some of them.
 *
 * @throws Failure `sink`
 */
export async function prepareSession(client: pg.Client, plan: StructurePlan): Promise<void> {
  try {
    // a pg_dump that is newer than the target has settings that the target does not know
    await client.query(
      `SELECT pg_catalog.set_config(s.name, s.value, false)
         FROM unnest($1::text[], $2::text[]) AS s(name, value)
         JOIN pg_catalog.pg_settings AS known ON known.name = s.name`,
      [plan.session.map(({ name }) => name), plan.session.map(({ value }) => value)],
    )
  } catch (error) {
    throw serverFailure('sink', 'prepare a session of the target', error)
  }
}

/**
 * Creates everything that comes before the rows, on a session that {@link prepareSession} has seen.
 *
 * @throws Failure `sink` where the target lacks an extension or refuses a statement
 */
export async function createStructure(
  client: pg.Client,
  plan: StructurePlan,
  warn: Warn,
): Promise<void> {
  await requireExtensions(client, plan)
  await runStatements(client, inPhase(plan, 'pre'), warn)
}

async function requireExtensions(client: pg.Client, plan: StructurePlan): Promise<void> {
  const wanted = plan.statements.flatMap(({ extension }) => (extension ? [extension] : []))
  const missing = await namesMissing(
    client,
    wanted,
    'SELECT name FROM pg_catalog.pg_available_extensions',
  )
  if (missing.length === 0) return
  const [subject, verb] = missing.length === 1 ? ['extension', 'is'] : ['extensions', 'are']
  throw new Failure(
    'sink',
    `${subject} ${missing.join(', ')} ${verb} not available on the target`,
    {
      hint: 'install the package that carries it on the machine of the target server',
    },
  )
}

/** Those of `wanted` that are not among the names a query returns. */
async function namesMissing(
  client: pg.Client,
  wanted: readonly string[],
  query: string,
): Promise<string[]> {
  if (wanted.length === 0) return []
  try {
    const { rows } = await client.query<{ name: string }>(query)
    const there = new Set(rows.map(({ name }) => name))
    return [...new Set(wanted)].filter((name) => !there.has(name))
  } catch (error) {
    throw serverFailure('sink', 'read the catalog of the target', error)
  }
}

/**
 * Runs statements in order, many at a time. A policy for a role that the target lacks is left out, with a
 * warning: row-level security then hides what the policy would have shown. So is what such a role owns or may do: it
 * then belongs to the user of this session.
 *
 * @throws Failure `sink` that names the statement the target refuses
 */
export async function runStatements(
  client: pg.Client,
  statements: readonly StructureStatement[],
  warn: Warn,
): Promise<void> {
  const named = statements.flatMap(({ roles = [], needs = [] }) => [...roles, ...needs])
  const missing = new Set(
    await namesMissing(client, named, 'SELECT rolname AS name FROM pg_catalog.pg_roles'),
  )
  const runnable = statements.filter(({ what, roles = [], needs = [] }) => {
    const lacking = roles.filter((role) => missing.has(role))
    if (lacking.length > 0) {
      warn(
        'policy-left-out',
        `${what} is left out: the target has no role ${lacking.join(', ')}; row-level security stays on`,
      )
    }
    const absent = needs.filter((role) => missing.has(role))
    for (const role of absent) {
      warn(
        'role-missing',
        `the target has no role ${role}: what it owns, may do or has set here is left out`,
      )
    }
    return lacking.length === 0 && absent.length === 0
  })
  const stopListening = listenForRefusals(client, warn)
  try {
    for (const batch of batches(runnable)) await runBatch(client, batch, warn)
  } finally {
    stopListening()
  }
}

/** `no privileges were granted` and `… could be revoked`: the server warns of these and goes on. */
const UNGRANTED: ReadonlySet<string> = new Set(['01006', '01007'])

function listenForRefusals(client: pg.Client, warn: Warn): () => void {
  let isSaid = false
  const listen = ({ code = '' }: { code?: string | undefined }) => {
    if (!isSaid && UNGRANTED.has(code)) {
      warn('grant-left-out', 'some privileges are left out: this user may not change them')
      isSaid = true
    }
  }
  client.on('notice', listen)
  return () => client.off('notice', listen)
}

/** Statements that may be refused stand alone. */
function* batches(statements: readonly StructureStatement[]): Generator<StructureStatement[]> {
  let batch: StructureStatement[] = []
  let characters = 0
  for (const statement of statements) {
    const full = batch.length >= BATCH_STATEMENTS || characters >= BATCH_CHARACTERS
    if (batch.length > 0 && (full || statement.tolerates)) {
      yield batch
      batch = []
      characters = 0
    }
    if (statement.tolerates) yield [statement]
    else {
      batch.push(statement)
      characters += statement.sql.length
    }
  }
  if (batch.length > 0) yield batch
}

async function runBatch(
  client: pg.Client,
  batch: readonly StructureStatement[],
  warn: Warn,
): Promise<void> {
  if (batch.length > 1) {
    try {
      await client.query(batch.map(({ sql }) => sql).join(';\n'))
      return
    } catch {
      // the batch is undone as a whole; one by one, the statement that is refused shows itself
    }
  }
  for (const statement of batch) await runStatement(client, statement, warn)
}

const NOT_PERMITTED = '42501'

/** Relations, objects, and a second primary key. */
const THERE_ALREADY = ['42P07', '42710', '42P16']

/** The plan of a run that died in the middle, for one that goes on: what is there already is no error. */
export function forResuming(plan: StructurePlan): StructurePlan {
  const statements = plan.statements.map((statement) => ({
    ...statement,
    tolerates: [...(statement.tolerates ?? []), ...THERE_ALREADY],
  }))
  return { ...plan, statements }
}

/** What is there already; a comment on what was left out, which was told then. */
const UNREMARKABLE: ReadonlySet<string> = new Set(['42P06', '42704', ...THERE_ALREADY])

/**
 * Runs one statement.
 *
 * @throws Failure `sink` that names it
 */
export async function runStatement(
  client: pg.Client,
  { sql, what, tolerates, right, phase }: StructureStatement,
  warn: Warn,
): Promise<void> {
  try {
    await client.query(sql)
  } catch (error) {
    if (right && errorCode(error) === NOT_PERMITTED) {
      warn(`${right}-left-out`, `${what} is left out: ${describeError(error, 'sink')}`)
      return
    }
    // the server may quote a connection string, which has a password
    const failure =
      phase === 'subscription' && errorCode(error) !== NOT_PERMITTED
        ? new Failure('sink', `cannot create ${what} (SQLSTATE ${errorCode(error)})`, {
            cause: error,
          })
        : serverFailure('sink', `create ${what}`, error)
    if (!tolerates?.includes(errorCode(error))) throw failure
    if (!UNREMARKABLE.has(errorCode(error))) warn('structure-left-out', failure.message)
  }
}

/** The index statements of each table, in order: a group can run once its table has its rows. */
export function indexGroups(
  plan: StructurePlan,
): { table: QualifiedName; statements: StructureStatement[] }[] {
  const groups = new Map<string, { table: QualifiedName; statements: StructureStatement[] }>()
  for (const statement of inPhase(plan, 'index')) {
    const { table } = statement
    if (!table) continue
    const group = groups.get(keyOf(table))
    if (group) group.statements.push(statement)
    else groups.set(keyOf(table), { table, statements: [statement] })
  }
  return [...groups.values()]
}

/**
 * The foreign keys as the target can take them. One that refers to a table whose rows were not all copied becomes
 * NOT VALID: it holds for rows to come. Before version 18 partitioned tables cannot have such; there it
 * is left out, with a warning.
 */
export function foreignKeys(
  plan: StructurePlan,
  options: { incomplete: readonly QualifiedName[]; targetMajor: number },
  warn: Warn,
): StructureStatement[] {
  const incomplete = new Set(options.incomplete.map(keyOf))
  return inPhase(plan, 'foreign-key').flatMap((statement) => {
    const { foreignKey, sql, what } = statement
    if (!foreignKey?.checked || !incomplete.has(keyOf(foreignKey.refers))) return [statement]
    if (foreignKey.partitioned && options.targetMajor < 18) {
      warn('foreign-key-left-out', `${what} is left out: it refers to rows that are not copied`)
      return []
    }
    warn('foreign-key-not-valid', `${what} is NOT VALID: it refers to rows that are not copied`)
    return [{ ...statement, sql: `${sql} NOT VALID` }]
  })
}

/** Something to run that locks tables. */
export interface LockingTask {
  /** Keys of tables; two tasks that share one do not run at once. */
  locks: readonly string[]
  /** Tasks that have to be done before. */
  after: readonly LockingTask[]
  run(): Promise<void>
}

/**
 * Runs tasks in about their order, `jobs` at a time, never two that lock the same table. After a failure
 * none is begun, and those under way are waited for.
 */
export async function runWithoutConflict(
  tasks: readonly LockingTask[],
  jobs: number,
): Promise<void> {
  const waiting = [...tasks]
  const done = new Set<LockingTask>()
  const busy = new Set<string>()
  const running = new Set<Promise<void>>()
  const canStart = ({ locks, after }: LockingTask) =>
    after.every((task) => done.has(task)) && locks.every((lock) => !busy.has(lock))
  const startNext = (): boolean => {
    const at = waiting.findIndex(canStart)
    const [task] = at < 0 ? [] : waiting.splice(at, 1)
    if (!task) return false
    for (const lock of task.locks) busy.add(lock)
    const one = task.run().then(() => {
      done.add(task)
      for (const lock of task.locks) busy.delete(lock)
      running.delete(one)
    })
    running.add(one)
    return true
  }
  try {
    while (waiting.length > 0 || running.size > 0) {
      while (running.size < jobs && startNext());
      await Promise.race(running)
    }
  } finally {
    await Promise.allSettled(running)
  }
}
