import type { Run } from '../jobs/run.ts'
import type { TablePlan } from '../mask/table-plan.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { CopyReport, TableEvent } from '../report/events.ts'
import {
  buildConstraints,
  checkBuilding,
  type FinishRequest,
  type FinishTable,
  type TargetSessions,
} from '../sink/finish.ts'
import type { Structure } from './structure.ts'
import type { CopyTarget } from './target.ts'

export interface Finishing {
  /** For people: what was copied. */
  source: string
  structure: Structure
  plans: readonly TablePlan[]
  /** Materialised views that hold rows, in the order in which they can be filled. */
  views: readonly QualifiedName[]
  sessions: TargetSessions
  jobs: number
  tables: TableEvent[]
  /** Done once the constraints are in place. */
  afterConstraints?: () => Promise<void>
}

/** Says what of the structure looks personal, and what stays behind. */
export function tellOfStructure({ literals, plan }: Structure, run: Run): void {
  for (const { place, kind } of literals) {
    run.warn('literal-in-structure', `${place} holds what looks like ${kind}`)
  }
  for (const { what, reason } of plan.dropped) run.note(`${what} is left out: ${reason}`)
}

/** All that follows once the rows are in: constraints, checks, the hand-over, the report. */
export async function finishCopy(
  { structure, plans, views, sessions, jobs, tables, source, afterConstraints }: Finishing,
  target: CopyTarget,
  run: Run,
): Promise<CopyReport> {
  const finish: FinishRequest = {
    plan: structure.plan,
    tables: plans.map(finishTable),
    views,
    sessions,
    jobs,
    targetMajor: target.facts.major,
    warn: run.warn,
  }
  await run.phase('constraints', () => buildConstraints(finish))
  await afterConstraints?.()
  await run.phase('checks', () => checkBuilding(finish))
  await sessions.close()
  const previous = await target.handOver()
  const report: CopyReport = {
    source,
    target: target.endpoint.label,
    ...(previous !== undefined && { previous }),
    tables,
    omitted: plans.filter((plan) => plan.rows === 'none').map((plan) => showName(plan.table)),
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    bytes: tables.reduce((sum, table) => sum + table.bytes, 0),
    seconds: run.seconds,
    phases: run.phases,
    warnings: run.warnings,
  }
  run.emit({ event: 'report', report })
  return report
}

function finishTable({ table, root, rows, where }: TablePlan): FinishTable {
  const copied = rows === 'copied'
  return { table, root, complete: copied && where === undefined, empty: !copied }
}
