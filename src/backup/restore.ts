import type { StoreSettings } from '../config/store.ts'
import type { OperationsSettings } from '../config/operations.ts'
import { checkPart } from '../erasure/part.ts'
import { openErasures, replayErasures, type Erasures } from '../erasure/replay.ts'
import { Run } from '../jobs/run.ts'
import { serverFailure } from '../postgres/connect.ts'
import type { Emit, ErasedRows, RestoreReport, TableEvent } from '../report/events.ts'
import { wipe } from '../seal/secret.ts'
import {
  buildConstraints,
  checkContent,
  createLast,
  setSequences,
  type FinishRequest,
  type TargetSessions,
} from '../sink/finish.ts'
import { compareRestored } from './compare.ts'
import { loadEverything, startLoaders, type Loaded, type Loaders } from './loading.ts'
import type { Manifest, ManifestTable } from './manifest.ts'
import { openForRestore, type OpenedBackup, type OpenOptions } from './restore-open.ts'
import { DROP_NOTES } from './restore-notes.ts'
import { chooseTables, finishTables, planLoading, plannedTable } from './restore-plan.ts'
import { RestoreTarget, type TargetOptions } from './restore-target.ts'

export interface RestoreOptions extends OpenOptions, TargetOptions {
  jobs: number
  /** Where secrets that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** How persons who were erased stay so. */
  operations: Pick<OperationsSettings, 'erasure' | 'state'>
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
  let erasures: Erasures | undefined
  try {
    const loaders = startLoaders(options.jobs, run)
    opened = await run.phase('open', () => openForRestore(options, run))
    erasures = await run.during(openLedger(options, opened))
    return await restoreOpened({ options, opened, target, run, loaders, erasures })
  } catch (error) {
    await run.end()
    throw await target.undo(error)
  } finally {
    await run.end()
    await target.close()
    if (opened) wipe(opened.secret)
    erasures?.key.fill(0)
  }
}

function openLedger(
  { signers, env, operations }: RestoreOptions,
  { store, backup: { manifest } }: OpenedBackup,
): Promise<Erasures | undefined> {
  const { erasure: settings, state } = operations
  return openErasures({ store, signers, manifest, settings, env, state })
}

async function restoreOpened(restoring: {
  options: RestoreOptions
  opened: OpenedBackup
  target: RestoreTarget
  run: Run
  loaders: Loaders
  erasures: Erasures | undefined
}): Promise<RestoreReport> {
  const { options, opened, target, run, loaders, erasures } = restoring
  const { manifest } = opened.backup
  const chosen = chooseTables(manifest, options.only)
  if (erasures) checkPart(erasures, manifest, chosen, opened.plan)
  await run.phase('preflight', () => target.preflight(manifest))
  const built = await buildRestored({ ...options, opened, target, run, loaders, chosen })
  const {
    sessions,
    loaded: { tables },
  } = built
  const erased =
    erasures &&
    (await run.phase('erasures', () =>
      sessions.use((client) =>
        replayErasures(client, erasures, { views: manifest.views, warn: run.warn }),
      ),
    ))
  const compared = await run.phase('checks', async () => {
    target.stopKeeping()
    await finishRestored(built)
    const whole = chosen.length === manifest.tables.length
    const { secret } = opened
    const { warnings } = run
    const { major } = target
    const comparison = { manifest, secret, major, whole, rows: sumRows(tables), warnings }
    return sessions
      .use((client) => compareRestored(client, comparison))
      .catch((error: unknown) => {
        throw serverFailure('sink', 'compare the restored database', error)
      })
  })
  const comment = await run.during(target.applySettings(sessions, opened))
  await sessions.close()
  target.leftOut.finish()
  // From here on a signal comes too late: both names change, or none.
  const previous = await run.uninterrupted('handover', () => target.handOver(comment))
  return report(manifest, target, run, { tables, compared, erased, previous })
}

/** What a restore and a restore test have in common. */
export interface BuildRequest {
  jobs: number
  store: StoreSettings
  opened: OpenedBackup
  target: RestoreTarget
  run: Run
  /** As many as `jobs`; closed when the rows are in. */
  loaders: Loaders
  /** There is other work for them afterwards. */
  keepsLoaders?: boolean
  chosen: readonly ManifestTable[]
}

/** A database in which all is there but what comes at the very end. */
export interface Built {
  sessions: TargetSessions
  loaded: Loaded
  finish: FinishRequest
  /** Where they have to stand. */
  sequences: Manifest['sequences']
}

/**
 * Makes structure, rows, indexes, constraints and views in a building database. The store of `opened` is closed
 * afterwards.
 *
 * @throws Failure `store`, `sink`, `integrity`
 */
export async function buildRestored(request: BuildRequest): Promise<Built> {
  const { jobs, store, opened, target, run, loaders, chosen } = request
  const { manifest } = opened.backup
  run.emit({
    event: 'plan',
    source: manifest.label,
    target: target.endpoint.label,
    serverVersion: manifest.source.version,
    structureBy: '',
    tables: planLoading(manifest, chosen, new Set()).map(plannedTable),
  })
  const {
    sessions,
    loaded: before,
    plan,
  } = await run.phase('structure', () => target.build(opened))
  const { warn } = target.leftOut
  const { endpoint } = target.building
  const { secret } = opened
  const loading = {
    run,
    loaders,
    warn,
    manifest,
    chosen,
    loaded: before,
    secret,
    target: endpoint,
    store,
    jobs,
  }
  const loaded = await run.phase('rows', () => loadEverything(loading))
  if (!request.keepsLoaders) await loaders.close()
  await run.during(opened.store.close())
  const finish: FinishRequest = {
    plan,
    tables: finishTables(manifest, chosen),
    views: manifest.views,
    sessions,
    jobs,
    targetMajor: target.major,
    mayStayEmpty: true,
    warn,
  }
  await run.phase('constraints', () => buildConstraints(finish))
  return { sessions, loaded, finish, sequences: manifest.sequences }
}

/**
 * Looks at what was built, and creates what comes last.
 *
 * @throws Failure `sink`
 */
export async function finishRestored({ sessions, finish, sequences }: Built): Promise<void> {
  await checkContent(finish)
  // A view that was filled, or an expression that was indexed, may have moved one on.
  await setSequences(sessions, sequences)
  // An event trigger would see them go.
  await sessions
    .use((client) => client.query(DROP_NOTES))
    .catch((error: unknown) => {
      throw serverFailure('sink', 'drop the notes of the restore', error)
    })
  await createLast(finish)
}

function report(
  { label }: Manifest,
  { endpoint }: RestoreTarget,
  run: Run,
  done: {
    tables: TableEvent[]
    compared: Record<string, number>
    erased: ErasedRows[] | undefined
    previous: string | undefined
  },
): RestoreReport {
  const { tables, compared, erased, previous } = done
  const result: RestoreReport = {
    label,
    target: endpoint.label,
    ...(previous !== undefined && { previous }),
    tables,
    rows: sumRows(tables),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    compared,
    ...(erased && { erased }),
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
