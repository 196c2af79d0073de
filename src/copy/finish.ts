import type pg from 'pg'
import pLimit from 'p-limit'
import { Failure } from '../errors.ts'
import type { TablePlan } from '../mask/plan.ts'
import type { Catalog, Sequence } from '../postgres/catalog.ts'
import { openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import {
  quoteLiteral,
  quoteQualified,
  showName,
  type QualifiedName,
} from '../postgres/identifiers.ts'
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
} from '../sink/structure.ts'
import { keyOf } from '../sink/structure-dropped.ts'
import type { StructurePlan, StructureStatement } from '../sink/structure-plan.ts'

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
    await client.query("SET synchronous_commit = off; SET maintenance_work_mem = '256MB'")
    await prepareSession(client, this.#plan)
    return client
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((client) => client.end().catch(() => {})))
  }
}

/** Sequences go on where the source's stood. */
export async function copySequences(
  source: pg.Client,
  sequences: readonly Sequence[],
  sessions: TargetSessions,
): Promise<void> {
  const wanted = sequences.filter((sequence) => !sequence.skip)
  for (let i = 0; i < wanted.length; i += 200) {
    const batch = wanted.slice(i, i + 200)
    const reads = batch.map(
      (sequence, k) =>
        `SELECT ${k} AS k, last_value::text AS value, is_called FROM ${quoteQualified(sequence)}`,
    )
    const { rows } = await source
      .query<{ k: number; value: string; is_called: boolean }>(reads.join(' UNION ALL '))
      .catch((error: unknown) => {
        throw serverFailure('source', 'read the sequences', error)
      })
    const sets = rows.map(
      ({ k, value, is_called }) =>
        `pg_catalog.setval(${quoteLiteral(quoteQualified(batch[k] as Sequence))}, ${value}, ${is_called})`,
    )
    await sessions
      .use((client) => client.query(`SELECT ${sets.join(', ')}`))
      .catch((error: unknown) => {
        throw serverFailure('sink', 'set the sequences', error)
      })
  }
}

export interface FinishRequest {
  plan: StructurePlan
  plans: readonly TablePlan[]
  views: readonly QualifiedName[]
  sessions: TargetSessions
  jobs: number
  targetMajor: number
  warn: Warn
}

/** Indexes, keys, foreign keys, then what hangs on them. Tables are worked on side by side, the largest first. */
export async function buildConstraints(request: FinishRequest): Promise<void> {
  const { plan, plans, sessions, jobs, warn } = request
  const run = (statement: StructureStatement) =>
    sessions.use((client) => runStatement(client, statement, warn))
  const bytes = new Map(plans.map(({ table }) => [showName(table), table.bytes]))
  const groups = indexGroups(plan).toSorted(
    (a, b) => (bytes.get(showName(b.table)) ?? 0) - (bytes.get(showName(a.table)) ?? 0),
  )
  const limit = pLimit(jobs)
  try {
    await Promise.all(
      groups.map(({ statements }) =>
        limit(async () => {
          for (const statement of statements) await run(statement)
        }),
      ),
    )
  } catch (error) {
    limit.clearQueue()
    throw error
  }
  await sessions.use((client) => runStatements(client, inPhase(plan, 'attach'), warn))
  await runWithoutConflict([...foreignKeyTasks(request), ...analyzeTasks(request)], jobs)
  await sessions.use((client) => runStatements(client, inPhase(plan, 'late'), warn))
}

function foreignKeyTasks({
  plan,
  plans,
  sessions,
  targetMajor,
  warn,
}: FinishRequest): LockingTask[] {
  const incomplete = plans
    .filter((entry) => entry.rows === 'none' || entry.where !== undefined)
    .map(({ table }) => table)
  return foreignKeys(plan, { incomplete, targetMajor }, warn).map((statement) => ({
    locks: statement.foreignKey?.locks ?? [],
    run: () => sessions.use((client) => runStatement(client, statement, warn)),
  }))
}

/**
 * Statistics for the planner. A partitioned table's come with its partitions' before version 18. Foreign keys lock the
 * same few tables over and over; this fills the gaps.
 */
function analyzeTasks({ plans, sessions, targetMajor }: FinishRequest): LockingTask[] {
  const only = targetMajor >= 18 ? 'ONLY ' : ''
  return plans
    .filter(({ table, rows }) => rows === 'copied' && !(targetMajor < 18 && table.isPartition))
    .toSorted((a, b) => b.table.bytes - a.table.bytes)
    .map(({ table, root }) => ({
      locks: [keyOf(root)],
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

/** Fills materialised views from what was copied, never from the source's rows. */
export async function refreshViews(catalog: Catalog, sessions: TargetSessions): Promise<void> {
  for (const view of catalog.materializedViews) {
    await sessions
      .use((client) => client.query(`REFRESH MATERIALIZED VIEW ${quoteQualified(view)}`))
      .catch((error: unknown) => {
        throw serverFailure('sink', `refresh the materialized view ${showName(view)}`, error)
      })
  }
}

/**
 * Looks at the finished database: everything that has to hold is there and holds. Then the planner's statistics, and
 * the event triggers, which from then on fire.
 *
 * @throws Failure `sink`
 */
export async function checkBuilding(request: FinishRequest): Promise<void> {
  const { plan, sessions, warn } = request
  const { rows } = await sessions.use((client) =>
    client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
       WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i'`,
    ),
  )
  if (rows.length > 0) throw new Failure('sink', `index ${rows[0]?.name} of the copy is not valid`)
  for (const view of request.views) {
    await analyze(sessions, quoteQualified(view), showName(view))
  }
  // Statistics over several columns are created late, when their tables have been analysed already.
  const { rows: tables } = await sessions.use((client) =>
    client.query<{ name: string }>(
      'SELECT DISTINCT stxrelid::regclass::text AS name FROM pg_catalog.pg_statistic_ext',
    ),
  )
  for (const { name } of tables) await analyze(sessions, name, name)
  await sessions.use((client) => runStatements(client, inPhase(plan, 'event-trigger'), warn))
}
