import { fileURLToPath } from 'node:url'
import { WorkerPool } from '../jobs/pool.ts'
import { Run } from '../jobs/run.ts'
import { chooseDumper, describeDumper, type Dumper } from '../postgres/pg-dump.ts'
import type { CopyReport, Emit, TableEvent } from '../report/events.ts'
import { setSequences, TargetSessions } from '../sink/finish.ts'
import { createStructure } from '../sink/structure.ts'
import { readSequences } from '../source/settings.ts'
import { joiningOf } from '../source/snapshot.ts'
import { finishCopy, tellOfStructure } from './finish.ts'
import { copyLargeObjects } from './large-objects.ts'
import type { CheckOptions, CopyOptions } from './options.ts'
import { planEvent } from './plan-event.ts'
import { openSource, prepareSource, type Prepared } from './prepare.ts'
import { copyRows, planJobs, type CopyPool } from './rows.ts'
import { readStructure, type Structure } from './structure.ts'
import { CopyTarget } from './target.ts'

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
  const run = new Run(emit, signal)
  try {
    const opened = await run.during(open(options.source, 0, run))
    const { source, snapshot, plans } = await run.during(prepareSource(opened, options, run.emit))
    const { label } = source
    const facts = { source: label, serverVersion: snapshot.facts.version, structureBy: '' }
    run.emit(planEvent(plans, planJobs(plans, 1), { ...facts, target: '' }))
  } finally {
    await run.end()
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
  const run = new Run(emit, signal)
  const target = new CopyTarget(options, run)
  try {
    await preflight(options, target, run, { reading: false })
  } finally {
    await run.end()
    await target.close()
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
  const run = new Run(emit, signal)
  const target = new CopyTarget(options, run)
  try {
    return await copy(options, target, run)
  } catch (error) {
    await run.end()
    throw await target.undo(error)
  } finally {
    await run.end()
    await target.close()
  }
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

async function copy(options: CopyOptions, target: CopyTarget, run: Run): Promise<CopyReport> {
  const { jobs } = options
  const { prepared, reading } = await run.phase('preflight', () =>
    preflight(options, target, run, { reading: true }),
  )
  const { source, snapshot, catalog, plans } = prepared
  const { structure, pool } = await run.phase('structure', async () => {
    await target.create(snapshot.facts)
    target.warnOfLocale(snapshot.facts)
    const read = await (reading as Promise<Reading>)
    tellOfStructure(read.structure, run)
    return read
  })
  const sessions = new TargetSessions(target.building.endpoint, structure.plan)
  run.onEnd(() => sessions.close())
  await run.during(sessions.use((client) => createStructure(client, structure.plan, run.warn)))

  const tables = await run.phase('rows', () =>
    snapshot.during(copyEverything(options, prepared, { pool, sessions, target, run })),
  )
  await run.during(snapshot.close())
  const views = catalog.materializedViews
  const finishing = { source: source.label, structure, plans, views, sessions, jobs, tables }
  return finishCopy(finishing, target, run)
}

/**
 * Everything that can be refused is refused here.
 *
 * @param wanted with `reading`, the structure is read meanwhile, which the result then promises
 */
async function preflight(
  options: CopyOptions,
  target: CopyTarget,
  run: Run,
  wanted: { reading: boolean },
): Promise<{ prepared: Prepared; reading: Promise<Reading> | undefined }> {
  target.refuse()
  const opened = await run.during(open(options.source, options.jobs, run))
  const { facts } = opened.snapshot
  const dumper = await chooseDumper(facts.major, options.pgDump)
  const reading = wanted.reading ? startReading(opened, dumper, options.jobs, run) : undefined
  const prepared = await run.during(prepareSource(opened, options, run.emit))
  const { plans, catalog } = prepared
  const { major, version } = await target.preflight(facts, catalog.extensions)
  if (major < facts.major) {
    run.warn(
      'target-older',
      `the target runs PostgreSQL ${version}, the source ${facts.version}: structure that is newer than the target will be refused`,
    )
  }
  run.emit(
    planEvent(plans, planJobs(plans, options.jobs), {
      source: prepared.source.label,
      target: target.endpoint.label,
      serverVersion: facts.version,
      structureBy: describeDumper(dumper),
    }),
  )
  return { prepared, reading }
}

type Opened = Pick<Prepared, 'source' | 'snapshot'>

/** A signal may come meanwhile: what is opened is noted for closing by itself. */
async function open(url: string, workers: number, run: Run): Promise<Opened> {
  const opened = await openSource(url, workers)
  run.onEnd(() => opened.snapshot.close())
  return opened
}

/** What a copy needs besides its plan, and has by the time that one is made. */
interface Reading {
  structure: Structure
  pool: CopyPool
}

/** The workers begin to load when the process that reads the structure has given its memory back. */
function startReading(
  { source, snapshot }: Opened,
  dumper: Dumper,
  jobs: number,
  run: Run,
): Promise<Reading> {
  // The process that reads ends when the run does, in whatever way.
  const ended = new AbortController()
  run.onEnd(async () => ended.abort())
  const sqlAscii = snapshot.facts.encoding === 'SQL_ASCII'
  const request = { endpoint: source, dumper, snapshot: snapshot.id, sqlAscii }
  const reading = run.during(
    readStructure(request, ended.signal).then((structure): Reading => {
      const pool: CopyPool = new WorkerPool(WORKER, jobs)
      run.onEnd(() => pool.close())
      return { structure, pool }
    }),
  )
  reading.catch(() => {})
  return reading
}

async function copyEverything(
  { jobs, rules }: CopyOptions,
  { source, snapshot, catalog, plans }: Prepared,
  {
    pool,
    sessions,
    target,
    run,
  }: { pool: CopyPool; sessions: TargetSessions; target: CopyTarget; run: Run },
): Promise<TableEvent[]> {
  pool.connect({
    source,
    target: target.building.endpoint,
    ...joiningOf(snapshot),
  })
  const finished = await copyRows(planJobs(plans, jobs), pool, jobs, run.emit)
  await snapshot.checkSeen()
  await pool.close()
  await setSequences(sessions, await readSequences(snapshot.client, catalog))
  await copyLargeObjects(snapshot.client, sessions, catalog, rules, run.warn)
  return finished
}
