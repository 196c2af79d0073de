import { fileURLToPath } from 'node:url'
import type { LoadSetup } from '../../backup/load-session.ts'
import { connectWorkers } from '../../backup/loading.ts'
import type { OpenOptions } from '../../backup/restore-open.ts'
import { Failure } from '../../errors.ts'
import { WorkerPool } from '../../jobs/pool.ts'
import { Run } from '../../jobs/run.ts'
import type { TablePlan } from '../../mask/table-plan.ts'
import type { CopyReport, Emit, TableEvent } from '../../report/events.ts'
import { showName } from '../../postgres/identifiers.ts'
import { passphraseOf, wipe } from '../../seal/secret.ts'
import { setSequences, TargetSessions } from '../../sink/finish.ts'
import { createStructure } from '../../sink/structure.ts'
import { openStore } from '../../store/open.ts'
import { finishCopy, tellOfStructure } from '../finish.ts'
import type { JobResult } from '../job.ts'
import type { CopyOptions } from '../options.ts'
import { planEvent } from '../plan-event.ts'
import { copyRows } from '../rows.ts'
import { CopyTarget } from '../target.ts'
import { checkErasures, eraseAgain, type ErasureOptions } from './erasures.ts'
import type { SealedJob } from './job.ts'
import { planSealedJobs } from './jobs.ts'
import { copySealedLargeObjects } from './large-objects.ts'
import { openForCopy, type OpenedBackup } from './open.ts'
import { databaseForm, planFromBackup } from './plan.ts'

/** What a masked copy is made from, to and by, where it is made from a backup. */
export interface BackupCopyOptions
  extends Omit<CopyOptions, 'source' | 'pgDump'>, OpenOptions, ErasureOptions {}

/**
 * Does everything of a copy from a backup that comes before the first row: emits the plan. The structure is made on the
 * target for that, without any row, and dropped again.
 *
 * @throws Failure like {@link runCopyFromBackup}
 */
export function planCopyFromBackup(
  options: BackupCopyOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<void> {
  return withBackup(options, new Run(emit, signal), async (opened, target, run) => {
    await run.during(preflight(options, opened, target, run))
  })
}

/**
 * Makes a masked copy of what a backup holds and puts it in the place of the target's database. The source is not
 * asked for anything. Original values lie nowhere but in the sealed objects: they are opened and masked in memory.
 *
 * @throws Failure `usage`, `config`, `refused`, `key`, `integrity` before a row moves; `integrity`, `store`, `sink`
 *   after; the reason of `signal`. What was being built is dropped, and what was in use stays as it was
 */
export function runCopyFromBackup(
  options: BackupCopyOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<CopyReport> {
  return withBackup(options, new Run(emit, signal), (opened, target, run) =>
    copyOpened(options, opened, target, run),
  )
}

async function withBackup<T>(
  options: BackupCopyOptions,
  run: Run,
  work: (opened: OpenedBackup, target: CopyTarget, run: Run) => Promise<T>,
): Promise<T> {
  const target = new CopyTarget(options, run)
  let opening: Promise<OpenedBackup> | undefined
  try {
    target.refuse()
    const opened = await run.phase('open', () => (opening = openForCopy(options, run)))
    return await work(opened, target, run)
  } catch (error) {
    await run.end()
    throw await target.undo(error)
  } finally {
    await run.end()
    await target.close()
    await opening?.then(forget).catch(() => {})
  }
}

function forget({ secret, erasures }: OpenedBackup): void {
  wipe(secret)
  erasures?.key.fill(0)
}

async function copyOpened(
  options: BackupCopyOptions,
  opened: OpenedBackup,
  target: CopyTarget,
  run: Run,
): Promise<CopyReport> {
  const { jobs } = options
  const { structure } = opened
  const { manifest } = opened.backup
  const plans = await run.phase('preflight', () => preflight(options, opened, target, run))
  const sessions = await run.phase('structure', async () => {
    const form = databaseForm(manifest)
    const { endpoint } = await target.create(form)
    target.warnOfLocale(form)
    tellOfStructure(structure, run)
    const made = new TargetSessions(endpoint, structure.plan)
    run.onEnd(() => made.close())
    await made.use((client) => createStructure(client, structure.plan, run.warn))
    return made
  })
  const tables = await run.phase('rows', () =>
    copyEverything(options, opened, plans, { sessions, target, run }),
  )
  const views = viewsOf(opened)
  const { erasures } = opened
  return finishCopy(
    {
      source: manifest.label,
      structure,
      plans,
      views,
      sessions,
      jobs,
      tables,
      ...(erasures && { afterConstraints: () => eraseAgain(erasures, sessions, views, run) }),
    },
    target,
    run,
  )
}

/** Materialised views, but for those that read foreign tables and stay behind with them. */
function viewsOf({ backup: { manifest }, structure: { plan } }: OpenedBackup) {
  const dropped = new Set(plan.dropped.map(({ what }) => what))
  return manifest.views.filter((view) => !dropped.has(`materialized view ${showName(view)}`))
}

/** Everything that can be refused is refused here; the target then is as it was. */
async function preflight(
  options: BackupCopyOptions,
  opened: OpenedBackup,
  target: CopyTarget,
  run: Run,
): Promise<TablePlan[]> {
  const { manifest } = opened.backup
  const { label, source } = manifest
  const { systemIdentifier, database, extensions } = source
  const { major, version } = await target.preflight(
    { systemIdentifier: systemIdentifier ?? undefined, database },
    new Map(Object.entries(extensions)),
  )
  if (major < Math.floor(source.versionNumber / 10_000)) {
    throw new Failure(
      'refused',
      `${label} is of PostgreSQL ${source.version}, the target runs ${version}`,
      { hint: 'copy it to the same major version or to a newer one' },
    )
  }
  const plans = await planFromBackup(opened, options, target, run)
  const { backup, erasures, structure } = opened
  if (erasures) checkErasures(erasures, plans, backup, structure.plan)
  run.emit(
    planEvent(plans, planSealedJobs(manifest, plans), {
      source: label,
      target: target.endpoint.label,
      serverVersion: source.version,
      structureBy: '',
    }),
  )
  return plans
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))

async function copyEverything(
  options: BackupCopyOptions,
  opened: OpenedBackup,
  plans: readonly TablePlan[],
  { sessions, target, run }: { sessions: TargetSessions; target: CopyTarget; run: Run },
): Promise<TableEvent[]> {
  const { jobs, rules } = options
  const { manifest } = opened.backup
  const pool = new WorkerPool<LoadSetup, SealedJob, JobResult>(WORKER, jobs)
  run.onEnd(() => pool.close())
  await connectWorkers(pool, {
    ...options,
    manifest,
    secret: opened.secret,
    target: target.building.endpoint,
  })
  const finished = await copyRows(planSealedJobs(manifest, plans), pool, jobs, run.emit)
  await pool.close()
  await setSequences(sessions, manifest.sequences)
  const store = await openStore(options.store)
  const passphrase = passphraseOf(opened.secret)
  const { signal, warn } = run
  try {
    await copySealedLargeObjects({ store, manifest, passphrase, signal }, sessions, rules, warn)
  } finally {
    passphrase.fill(0)
    await store.close()
  }
  return finished
}
