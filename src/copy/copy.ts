import { fileURLToPath } from 'node:url'
import type pg from 'pg'
import { Failure } from '../errors.ts'
import { WorkerPool } from '../jobs/pool.ts'
import type { TablePlan } from '../mask/table-plan.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { showName } from '../postgres/identifiers.ts'
import { chooseDumper, describeDumper, type Dumper } from '../postgres/pg-dump.ts'
import type { CopyReport, Emit, Phase, TableEvent } from '../report/events.ts'
import {
  copyComment,
  createBuilding,
  dropDatabase,
  dropStale,
  handOver,
  openMaintenance,
  type Building,
} from '../sink/building.ts'
import {
  buildConstraints,
  checkBuilding,
  setSequences,
  TargetSessions,
  type FinishRequest,
  type FinishTable,
} from '../sink/finish.ts'
import { checkTarget, refuseProduction, refuseServersOwn } from '../sink/preflight.ts'
import { createStructure } from '../sink/structure.ts'
import { readSequences } from '../source/settings.ts'
import { readServerFacts } from '../source/snapshot.ts'
import { copyLargeObjects } from './large-objects.ts'
import type { CheckOptions, CopyOptions } from './options.ts'
import { planEvent } from './plan-event.ts'
import { openSource, prepareSource, type Prepared } from './prepare.ts'
import { refuseOccupant, refuseSameServer } from './refusals.ts'
import { copyRows, planJobs, type CopyPool } from './rows.ts'
import { readStructure, type Structure } from './structure.ts'

/**
 * Compares rules with a database: the census. Emits the plan.
 *
 * @throws Failure `config` for rules that do not fit; `refused` for undecided columns and for masks that cannot
 *   keep what they must; `source` where production cannot be read
 */
export async function checkRules(
  options: CheckOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const opened = await openSource(options.source)
  const stop = () => void opened.snapshot.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const prepared = await prepareSource(opened, options, emit)
    emit(planEvent(prepared, { target: '', structureBy: '', jobs: 1 }))
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    await opened.snapshot.close()
  }
}

/**
 * Does everything of a copy that comes before the first change: emits the plan.
 *
 * @throws Failure like {@link runCopy}
 */
export async function planCopy(
  options: CopyOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  const copy = new Copy(options, emit, signal)
  try {
    await copy.preflight({ reading: false })
  } finally {
    await copy.close()
  }
}

/**
 * Makes a masked copy of the source's database and puts it in the place of the target's.
 *
 * The copy is built in a database of its own under a temporary name. On failure or abort that one is dropped, and what was
 * in use stays as it was.
 *
 * @throws Failure `config`, `refused` before anything is made; `source`, `sink` after; the reason of `signal`
 */
export async function runCopy(
  options: CopyOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<CopyReport> {
  const copy = new Copy(options, emit, signal)
  try {
    return await copy.run()
  } catch (error) {
    throw await copy.undo(error)
  } finally {
    await copy.close()
  }
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

function finishTable({ table, root, rows, where }: TablePlan): FinishTable {
  const copied = rows === 'copied'
  return { table, root, complete: copied && where === undefined, empty: !copied }
}

class Copy {
  readonly #options: CopyOptions
  readonly #signal: AbortSignal
  readonly #target: Endpoint
  readonly #database: string
  readonly #emit: Emit
  readonly #phases: Partial<Record<Phase, number>> = {}
  readonly #warnings: CopyReport['warnings'] = []
  readonly #closers: (() => Promise<unknown>)[] = []
  /** Ends what runs beside this process when the copy ends in whatever way. */
  readonly #ended = new AbortController()
  #maintenance: pg.Client | undefined
  #building: Building | undefined
  /** The work that is under way, which a signal does not wait for, but cleaning up does. */
  #pending: Promise<unknown> = Promise.resolve()

  constructor(options: CopyOptions, emit: Emit, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    this.#target = parseEndpoint(options.target, 'sink')
    this.#database = this.#target.config.database as string
    this.#emit = (event) => {
      if (event.event === 'warning')
        this.#warnings.push({ code: event.code, message: event.message })
      emit(event)
    }
  }

  readonly #warn = (code: string, message: string): void => {
    this.#emit({ event: 'warning', code, message })
  }

  async run(): Promise<CopyReport> {
    const started = performance.now()
    const { prepared, maintenance, reading, targetFacts } = await this.#phase('preflight', () =>
      this.preflight({ reading: true }),
    )
    const { snapshot } = prepared
    const structure = await this.#phase('structure', () =>
      this.#buildStructure(prepared, maintenance, targetFacts.major, reading as Promise<Structure>),
    )
    // Not before the process that read the structure has given its memory back.
    const pool: CopyPool = new WorkerPool(WORKER, this.#options.jobs)
    this.#closers.push(() => pool.close())
    const building = this.#building as Building
    const sessions = new TargetSessions(building.endpoint, structure.plan)
    this.#closers.push(() => sessions.close())
    const warn = this.#warn
    await this.#during(sessions.use((client) => createStructure(client, structure.plan, warn)))

    const finished = await this.#phase('rows', () => this.#copyRows(prepared, pool, sessions))
    await this.#during(snapshot.close())

    const finish: FinishRequest = {
      plan: structure.plan,
      tables: prepared.plans.map(finishTable),
      views: prepared.catalog.materializedViews,
      sessions,
      jobs: this.#options.jobs,
      targetMajor: targetFacts.major,
      warn,
    }
    await this.#phase('constraints', () => buildConstraints(finish))
    await this.#phase('checks', () => checkBuilding(finish))
    await sessions.close()
    let previous: string | undefined
    // From here on a signal comes too late: both names change, or none.
    await this.#uninterrupted('handover', async () => {
      // Somebody may have made a database of that name in the meantime.
      await refuseOccupant(maintenance, this.#database, this.#options)
      previous = await handOver(
        maintenance,
        this.#target,
        building,
        this.#database,
        { keepPrevious: this.#options.keepPrevious, comment: copyComment() },
        warn,
      )
    })
    this.#building = undefined
    const seconds = (performance.now() - started) / 1000
    return this.#report(prepared, finished, previous, seconds)
  }

  /**
   * Everything that can be refused is refused here.
   *
   * @param options with `reading`, the structure is read meanwhile, which the result then promises
   */
  async preflight({ reading: wanted }: { reading: boolean }) {
    const options = this.#options
    refuseServersOwn(this.#database)
    refuseProduction(this.#targetRequest(), undefined)
    const opened = await this.#during(this.#openSource())
    const { facts } = opened.snapshot
    const dumper = await chooseDumper(facts.major, options.pgDump)
    const reading = wanted ? this.#readStructure(opened, dumper) : undefined
    const prepared = await this.#during(prepareSource(opened, options, this.#emit))
    const maintenance = await this.#during(this.#openMaintenance())
    const targetFacts = await readServerFacts(maintenance).catch((error: unknown) => {
      throw serverFailure('sink', `read the facts of ${this.#target.label}`, error)
    })
    refuseProduction(this.#targetRequest(), targetFacts.systemIdentifier)
    refuseSameServer(facts, targetFacts, this.#target, options)
    await checkTarget(maintenance, this.#target, prepared.catalog.extensions)
    await refuseOccupant(maintenance, this.#database, this.#options)
    if (targetFacts.major < facts.major) {
      this.#warn(
        'target-older',
        `the target runs PostgreSQL ${targetFacts.version}, the source ${facts.version}: structure that is newer than the target will be refused`,
      )
    }
    this.#emit(
      planEvent(prepared, {
        target: this.#target.label,
        structureBy: describeDumper(dumper),
        jobs: options.jobs,
      }),
    )
    return { prepared, maintenance, reading, targetFacts }
  }

  // A signal may come while these are under way: what they open is noted for closing by themselves.

  async #openSource(): Promise<Pick<Prepared, 'source' | 'snapshot'>> {
    const opened = await openSource(this.#options.source)
    this.#closers.push(() => opened.snapshot.close())
    return opened
  }

  #readStructure(
    { source, snapshot }: Pick<Prepared, 'source' | 'snapshot'>,
    dumper: Dumper,
  ): Promise<Structure> {
    const sqlAscii = snapshot.facts.encoding === 'SQL_ASCII'
    const request = { endpoint: source, dumper, snapshot: snapshot.id, sqlAscii }
    const reading = readStructure(request, this.#ended.signal)
    reading.catch(() => {})
    return reading
  }

  async #openMaintenance(): Promise<pg.Client> {
    this.#maintenance = await openMaintenance(this.#target)
    return this.#maintenance
  }

  #targetRequest() {
    return { target: this.#target, database: this.#database, production: this.#options.production }
  }

  async #buildStructure(
    { snapshot: { facts } }: Prepared,
    maintenance: pg.Client,
    targetMajor: number,
    reading: Promise<Structure>,
  ): Promise<Structure> {
    for (const name of await dropStale(maintenance)) {
      this.#emit({ event: 'note', message: `dropped ${name}, left by a run that was killed` })
    }
    this.#building = await createBuilding(maintenance, this.#target, this.#database, {
      ...facts,
      targetMajor,
    })
    if (this.#building.localeReplaced) {
      this.#warn(
        'locale-replaced',
        `the target has no locale ${facts.locale ?? facts.collate}: the copy sorts by C`,
      )
    }
    const structure = await reading
    for (const { place, kind } of structure.literals) {
      this.#warn('literal-in-structure', `${place} holds what looks like ${kind}`)
    }
    for (const { what, reason } of structure.plan.dropped) {
      this.#emit({ event: 'note', message: `${what} is left out: ${reason}` })
    }
    return structure
  }

  async #copyRows(
    prepared: Prepared,
    pool: CopyPool,
    sessions: TargetSessions,
  ): Promise<TableEvent[]> {
    const { source, snapshot, catalog, plans } = prepared
    pool.connect({
      source,
      target: (this.#building as Building).endpoint,
      snapshotId: snapshot.id,
      encoding: snapshot.facts.encoding,
    })
    const tables = planJobs(plans, this.#options.jobs)
    const finished = await copyRows(tables, pool, this.#options.jobs, this.#emit)
    await pool.close()
    await setSequences(sessions, await readSequences(snapshot.client, catalog))
    await copyLargeObjects(snapshot.client, sessions, catalog, this.#options.rules, this.#warn)
    return finished
  }

  #phase<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    return this.#uninterrupted(phase, () => this.#during(work()))
  }

  async #uninterrupted<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted()
    const started = performance.now()
    this.#emit({ event: 'phase', phase, state: 'started' })
    const result = await work()
    const seconds = (performance.now() - started) / 1000
    this.#phases[phase] = seconds
    this.#emit({ event: 'phase', phase, state: 'finished', seconds })
    return result
  }

  /** Waits for `work`, but not longer than until the signal. */
  async #during<T>(work: Promise<T>): Promise<T> {
    const signal = this.#signal
    this.#pending = Promise.allSettled([this.#pending, work])
    let onAbort: () => void = () => {}
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason as Error)
      if (signal.aborted) onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      return await Promise.race([work, aborted])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  #report(
    { source, plans }: Prepared,
    tables: TableEvent[],
    previous: string | undefined,
    seconds: number,
  ): CopyReport {
    const report: CopyReport = {
      source: source.label,
      target: this.#target.label,
      tables,
      omitted: plans.filter((plan) => plan.rows === 'none').map((plan) => showName(plan.table)),
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
      seconds,
      phases: this.#phases,
      warnings: this.#warnings,
    }
    if (previous !== undefined) report.previous = previous
    this.#emit({ event: 'report', report })
    return report
  }

  /** Drops what was being built; returns the failure with what it could not clear away. */
  async undo(error: unknown): Promise<unknown> {
    await this.#endWork()
    const building = this.#building
    if (!building) return error
    try {
      await this.#dropBuilding(building)
      return error
    } catch {
      const failure = serverFailure('sink', 'make the copy', error)
      return new Failure(failure.kind, failure.message, {
        ...(failure.hint && { hint: failure.hint }),
        left: `the unfinished database ${building.name} on ${this.#target.label}; the next run drops it`,
        cause: error,
      })
    }
  }

  async #dropBuilding(building: Building): Promise<void> {
    try {
      await dropDatabase(this.#maintenance as pg.Client, building.name)
    } catch {
      // The session may be what broke: once more with a new one.
      const maintenance = await openMaintenance(this.#target)
      try {
        await dropDatabase(maintenance, building.name)
      } finally {
        await maintenance.end().catch(() => {})
      }
    }
  }

  /** Ends processes and sessions, in the reverse of the order in which they were opened. */
  async #endWork(): Promise<void> {
    this.#ended.abort()
    await this.#closeOpened()
    await this.#pending
    await this.#closeOpened()
  }

  async #closeOpened(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  async close(): Promise<void> {
    await this.#endWork()
    await this.#maintenance?.end().catch(() => {})
  }
}
