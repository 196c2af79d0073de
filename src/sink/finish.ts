import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { Table } from '../postgres/catalog.ts'
import { isRefusal, openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { quoteQualified, showName, type QualifiedName } from '../postgres/identifiers.ts'
import { setvalSql, type SequenceValue } from '../postgres/sequences.ts'
import { checkSettings } from './foreign-key-check.ts'
import {
  foreignKeys,
  indexGroups,
  inPhase,
  prepareSession,
  runStatement,
  runStatements,
  runWithoutConflict,
  type LockingTask,
  type Warn,
} from './structure.ts'
import { keyOf } from './structure-dropped.ts'
import type { StructurePlan, StructureStatement } from './structure-plan.ts'

/**
 * Statistics are taken from small samples: they make plans sensible at once, for a tenth of the time. ANALYZE
 * makes them as fine as usual.
 */
const SESSION = `
  SET synchronous_commit = off;
  SET maintenance_work_mem = '256MB';
  SET quote_all_identifiers = off;
  SET default_statistics_target = 10`

/** Sessions on the building database, opened as they are needed and reused. */
export class TargetSessions {
  readonly #endpoint: Endpoint
  readonly #plan: StructurePlan
  readonly #idle: pg.Client[] = []
  readonly #all: pg.Client[] = []

  constructor(endpoint: Endpoint, plan: StructurePlan) {
    this.#endpoint = endpoint
    this.#plan = plan
  }

  async use<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = this.#idle.pop() ?? (await this.#open())
    const result = await work(client)
    this.#idle.push(client)
    return result
  }

  async #open(): Promise<pg.Client> {
    const client = await openClient(this.#endpoint, 'build')
    this.#all.push(client)
    await client.query(SESSION).catch((error: unknown) => {
      throw serverFailure('sink', `write to ${this.#endpoint.label}`, error)
    })
    await prepareSession(client, this.#plan)
    return client
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.end().catch(() => {})))
  }
}

/** Sequences go on where the source's stood. */
export async function setSequences(
  sessions: TargetSessions,
  sequences: readonly SequenceValue[],
): Promise<void> {
  for (let i = 0; i < sequences.length; i += 200) {
    const sets = sequences.slice(i, i + 200).map(setvalSql)
    await sessions
      .use((client) => client.query(`SELECT ${sets.join(', ')}`))
      .catch((error: unknown) => {
        throw serverFailure('sink', 'set the sequences', error)
      })
  }
}

/** A table whose rows are in, as far as they come. Plain data. */
export interface FinishTable {
  table: QualifiedName & Pick<Table, 'bytes' | 'kind' | 'isPartition'>
  /** The partitioned table at the top; the table itself where it is no partition. */
  root: QualifiedName
  /** Every row of the source's is there: foreign keys to it hold. */
  complete: boolean
  /** No row was put in: there is nothing to take statistics of. */
  empty?: boolean
}

export interface FinishRequest {
  plan: StructurePlan
  tables: readonly FinishTable[]
  /** Materialised views, in the order in which they can be filled. */
  views: readonly QualifiedName[]
  sessions: TargetSessions
  jobs: number
  targetMajor: number
  /** A materialised view that cannot be filled stays empty, with a warning, instead of failing everything. */
  mayStayEmpty?: boolean
  warn: Warn
}

/**
 * Indexes, keys, views, foreign keys and statistics, as much side by side as their locks and needs allow, what takes
 * longest first; then what hangs on them.
 */
export async function buildConstraints(request: FinishRequest): Promise<void> {
  const { plan, sessions, jobs, warn } = request
  const families = new Families(request)
  await runWithoutConflict(
    [
      ...families.indexTasks,
      families.attachTask,
      viewsTask(request, families),
      ...foreignKeyTasks(request, families),
      ...analyzeTasks(request, families),
    ],
    jobs,
  )
  await sessions.use((client) => runStatements(client, inPhase(plan, 'late'), warn))
  await refreshViews(createdLate(request), request)
}

/** Views that need a key are created after it. */
function createdLate({ plan, views }: FinishRequest): QualifiedName[] {
  const late = new Set(inPhase(plan, 'late').map(({ what }) => what))
  const first = views.findIndex((view) => late.has(`materialized view ${showName(view)}`))
  // What comes after a late one may read it.
  return first < 0 ? [] : views.slice(first)
}

function viewsTask(request: FinishRequest, families: Families): LockingTask {
  const early = request.views.slice(0, request.views.length - createdLate(request).length)
  return {
    locks: [],
    after: [...families.indexTasks, families.attachTask],
    run: () => refreshViews(early, request),
  }
}

/**
 * Fills materialised views from what was copied, never from the source's rows: one after the other, since one may
 * read another.
 */
async function refreshViews(
  views: readonly QualifiedName[],
  { sessions, mayStayEmpty, warn }: FinishRequest,
): Promise<void> {
  for (const view of views) {
    const refused = await sessions.use((client) =>
      client.query(`REFRESH MATERIALIZED VIEW ${quoteQualified(view)}`).then(
        () => undefined,
        (error: unknown) => {
          const doing = `refresh the materialized view ${showName(view)}`
          const failure = serverFailure('sink', doing, error)
          // Its owner lacks a right, a foreign server is away, and the like.
          if (mayStayEmpty && isRefusal(error)) return failure
          throw failure
        },
      ),
    )
    if (refused) warn('view-not-filled', `${refused.message}; it has no rows`)
    else await analyze(sessions, quoteQualified(view), showName(view))
  }
}

/** The index tasks of each table and its partitions, which foreign keys and statistics wait for. */
class Families {
  readonly indexTasks: LockingTask[] = []
  /** Puts the indexes of partitions below those of their parents. */
  readonly attachTask: LockingTask
  readonly #roots = new Map<string, string>()
  readonly #partitioned = new Set<string>()
  readonly #members = new Map<string, LockingTask[]>()
  /** Bytes of each table's partitions; of the table itself where it has none. */
  readonly #leaves = new Map<string, number[]>()

  constructor({ plan, tables, sessions, warn }: FinishRequest) {
    const bytes = new Map<string, number>()
    for (const { table, root } of tables) {
      bytes.set(keyOf(table), table.bytes)
      this.#roots.set(keyOf(table), keyOf(root))
      if (table.kind === 'partitioned') this.#partitioned.add(keyOf(root))
      else this.#leaves.set(keyOf(root), [...(this.#leaves.get(keyOf(root)) ?? []), table.bytes])
    }
    const size = ({ table }: { table: QualifiedName }) => bytes.get(keyOf(table)) ?? 0
    const task = (statements: StructureStatement[], after: LockingTask[]): LockingTask => ({
      locks: [],
      after,
      run: () =>
        sessions.use(async (client) => {
          for (const statement of statements) await runStatement(client, statement, warn)
        }),
    })
    for (const { table, statements } of indexGroups(plan).toSorted((a, b) => size(b) - size(a))) {
      const constraints = task(
        statements.filter((statement) => statement.exclusive),
        [],
      )
      const indexes = statements.filter((statement) => !statement.exclusive)
      const group = [constraints, ...indexes.map((index) => task([index], [constraints]))]
      this.indexTasks.push(...group)
      const root = this.#rootOf(keyOf(table))
      this.#members.set(root, [...(this.#members.get(root) ?? []), ...group])
    }
    const ofPartitions = [...this.#partitioned].flatMap((root) => this.#members.get(root) ?? [])
    this.attachTask = task(inPhase(plan, 'attach'), ofPartitions)
  }

  #rootOf(key: string): string {
    return this.#roots.get(key) ?? key
  }

  /** Bytes that a foreign key's check goes through: all keys for each partition that refers to them. */
  workOf({ table, foreignKey }: StructureStatement): number {
    if (!table || !foreignKey?.checked) return 0
    const parts = this.#leaves.get(keyOf(table)) ?? []
    const keys = this.#leaves.get(keyOf(foreignKey.refers)) ?? []
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
    return sum(parts) + parts.length * sum(keys)
  }

  /** What has to be done before anything is done with these tables as a whole. */
  of(roots: readonly string[]): LockingTask[] {
    const tasks = roots.flatMap((root) => this.#members.get(root) ?? [])
    return roots.some((root) => this.#partitioned.has(root)) ? [...tasks, this.attachTask] : tasks
  }
}

function foreignKeyTasks(request: FinishRequest, families: Families): LockingTask[] {
  const { plan, tables, sessions, targetMajor, warn } = request
  const incomplete = tables.filter(({ complete }) => !complete).map(({ table }) => table)
  const statements = foreignKeys(plan, { incomplete, targetMajor }, warn)
  const longestFirst = statements.toSorted((a, b) => families.workOf(b) - families.workOf(a))
  return longestFirst.map((statement) => {
    const locks = statement.foreignKey?.locks ?? []
    return {
      locks,
      after: families.of(locks),
      run: () =>
        sessions.use(async (client) => {
          const settings = await checkSettings(client, statement)
          await runStatement(client, { ...statement, sql: settings + statement.sql }, warn)
        }),
    }
  })
}

/** Statistics for the planner. Before version 18 a partitioned table's come with its partitions'. */
function analyzeTasks(
  { tables, sessions, targetMajor }: FinishRequest,
  families: Families,
): LockingTask[] {
  const only = targetMajor >= 18 ? 'ONLY ' : ''
  return tables
    .filter(({ table, empty }) => !empty && table.kind !== 'foreign')
    .filter(({ table }) => targetMajor >= 18 || !table.isPartition)
    .toSorted((a, b) => b.table.bytes - a.table.bytes)
    .map(({ table, root }) => ({
      locks: [keyOf(root)],
      after: families.of([keyOf(root)]),
      run: () => analyze(sessions, `${only}${quoteQualified(table)}`, showName(table)),
    }))
}

async function analyze(sessions: TargetSessions, what: string, shown: string): Promise<void> {
  await sessions
    .use((client) => client.query(`ANALYZE ${what}`))
    .catch((error: unknown) => {
      throw serverFailure('sink', `analyze ${shown}`, error)
    })
}

/**
 * {@link checkContent} and {@link createLast}.
 *
 * @throws Failure `sink`
 */
export async function checkBuilding(request: FinishRequest): Promise<void> {
  await checkContent(request)
  await createLast(request)
}

/**
 * Looks at the finished database: everything that has to hold is there and holds. Then the planner's statistics.
 *
 * @throws Failure `sink`
 */
export async function checkContent({ sessions }: FinishRequest): Promise<void> {
  const [invalid] = await readNames(
    sessions,
    `SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_index i
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
     WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i'`,
  )
  if (invalid !== undefined) throw new Failure('sink', `index ${invalid} of the copy is not valid`)
  // Statistics over several columns are created late, when their tables have been analysed already.
  const tables = await readNames(
    sessions,
    'SELECT DISTINCT stxrelid::regclass::text AS name FROM pg_catalog.pg_statistic_ext',
  )
  for (const name of tables) await analyze(sessions, name, name)
}

/**
 * Creates subscriptions, and event triggers, which from then on fire: no definition may change any more.
 *
 * @throws Failure `sink`
 */
export async function createLast({ plan, sessions, warn }: FinishRequest): Promise<void> {
  await sessions.use((client) => runStatements(client, inPhase(plan, 'subscription'), warn))
  await sessions.use((client) => runStatements(client, inPhase(plan, 'event-trigger'), warn))
}

async function readNames(sessions: TargetSessions, sql: string): Promise<string[]> {
  const { rows } = await sessions
    .use((client) => client.query<{ name: string }>(sql))
    .catch((error: unknown) => {
      throw serverFailure('sink', 'check the copy', error)
    })
  return rows.map(({ name }) => name)
}
