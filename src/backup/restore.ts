import { Run } from '../jobs/run.ts'
import type { Emit, RestoreReport, TableEvent } from '../report/events.ts'
import { wipe } from '../seal/secret.ts'
import {
  buildConstraints,
  checkContent,
  createLast,
  setSequences,
  type FinishRequest,
  type TargetSessions,
} from '../sink/finish.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'
import { compareRestored } from './compare.ts'
import { loadEverything } from './loading.ts'
import type { Manifest, ManifestTable } from './manifest.ts'
import { openForRestore, type OpenedBackup, type OpenOptions } from './restore-open.ts'
import {
  chooseTables,
  DROP_NOTES,
  finishTables,
  planLoading,
  plannedTable,
} from './restore-plan.ts'
import { RestoreTarget, type TargetOptions } from './restore-target.ts'

export interface RestoreOptions extends OpenOptions, TargetOptions {
  jobs: number
  /** Tables whose rows are wanted; empty: all. */
  only: string[]
}

/**
 * Restores a backup into a database of its own and puts that in the place of the target's.
 *
 * @throws Failure `usage`, `integrity`, `key`, `refused` before anything is made; `store`, `sink`, `integrity` after;
 *   the reason of `signal`. What was loaded stays, to be gone on with, where that makes sense; the failure says so
 */
export async function runRestore(
  options: RestoreOptions,
  emit: Emit,
  signal: AbortSignal,
): Promise<RestoreReport> {
  const run = new Run(emit, signal)
  const target = new RestoreTarget(options, run)
  target.refuse()
  let opened: OpenedBackup | undefined
  try {
    opened = await run.phase('open', () => openForRestore(options, run))
    return await restoreOpened(options, opened, target, run)
  } catch (error) {
    await run.end()
    throw await target.undo(error)
  } finally {
    await run.end()
    await target.close()
    if (opened) wipe(opened.secret)
  }
}

async function restoreOpened(
  options: RestoreOptions,
  opened: OpenedBackup,
  target: RestoreTarget,
  run: Run,
): Promise<RestoreReport> {
  const { manifest } = opened.backup
  const chosen = chooseTables(manifest, options.only)
  await run.phase('preflight', () => target.preflight(manifest))
  run.emit({
    event: 'plan',
    source: manifest.label,
    target: target.endpoint.label,
    serverVersion: manifest.source.version,
    structureBy: '',
    tables: planLoading(manifest, chosen, new Set()).map(plannedTable),
  })
  const { sessions, loaded, plan } = await run.phase('structure', () => target.build(opened))
  const tables = await run.phase('rows', () =>
    loadEverything({
      run,
      warn: target.leftOut.warn,
      manifest,
      chosen,
      loaded,
      secret: opened.secret,
      target: target.building.endpoint,
      store: options.store,
      jobs: options.jobs,
    }),
  )
  await run.during(opened.store.close())
  const compared = await finish(options, opened, target, run, {
    sessions,
    plan,
    chosen,
    tables,
  })
  const comment = await run.during(target.applySettings(sessions, opened))
  await sessions.close()
  target.leftOut.finish()
  // From here on a signal comes too late: both names change, or none.
  const previous = await run.uninterrupted('handover', () => target.handOver(comment))
  return report(manifest, target, run, { tables, compared, previous })
}

/** Indexes, constraints and views; then everything is compared with the manifest. */
async function finish(
  { jobs }: RestoreOptions,
  { backup: { manifest }, secret }: OpenedBackup,
  { major, leftOut }: RestoreTarget,
  run: Run,
  rows: {
    sessions: TargetSessions
    plan: StructurePlan
    chosen: readonly ManifestTable[]
    tables: TableEvent[]
  },
): Promise<Record<string, number>> {
  const { sessions, plan, chosen, tables } = rows
  const request: FinishRequest = {
    plan,
    tables: finishTables(manifest, chosen),
    views: manifest.views,
    sessions,
    jobs,
    targetMajor: major,
    mayStayEmpty: true,
    warn: leftOut.warn,
  }
  await run.phase('constraints', async () => {
    await setSequences(sessions, manifest.sequences)
    await buildConstraints(request)
  })
  return run.phase('checks', async () => {
    await checkContent(request)
    // An event trigger would see them go.
    await sessions.use((client) => client.query(DROP_NOTES))
    await createLast(request)
    const whole = chosen.length === manifest.tables.length
    const { warnings } = run
    const comparison = { manifest, secret, major, whole, rows: sumRows(tables), warnings }
    return sessions.use((client) => compareRestored(client, comparison))
  })
}

function report(
  { label }: Manifest,
  { endpoint }: RestoreTarget,
  run: Run,
  done: {
    tables: TableEvent[]
    compared: Record<string, number>
    previous: string | undefined
  },
): RestoreReport {
  const { tables, compared, previous } = done
  const result: RestoreReport = {
    label,
    target: endpoint.label,
    ...(previous !== undefined && { previous }),
    tables,
    rows: sumRows(tables),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    compared,
    seconds: run.seconds,
    phases: run.phases,
    warnings: run.warnings,
  }
  run.emit({ event: 'restore', report: result })
  return result
}

function sumRows(tables: readonly TableEvent[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0)
}
