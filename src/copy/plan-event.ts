import type { JobBase } from '../jobs/messages.ts'
import type { TablePlan } from '../mask/table-plan.ts'
import { showName } from '../postgres/identifiers.ts'
import type { PlanEvent, PlannedColumn, PlannedTable } from '../report/events.ts'
import { estimateRows } from './prepare.ts'
import { codecOf, type TableJobs } from './rows.ts'

/** The plan as it is shown. */
export function planEvent(
  plans: readonly TablePlan[],
  planned: readonly TableJobs<JobBase>[],
  facts: Omit<PlanEvent, 'event' | 'tables'>,
): PlanEvent {
  const jobs = new Map(planned.map((entry) => [entry.plan, entry.jobs.length]))
  return {
    event: 'plan',
    ...facts,
    tables: plans
      .filter((plan) => plan.table.kind === 'table')
      .map((plan) => plannedTable(plan, jobs.get(plan) ?? 0)),
  }
}

function plannedTable(plan: TablePlan, jobs: number): PlannedTable {
  const { table } = plan
  return {
    table: showName(table),
    ...(plan.root !== table && { partitionOf: showName(plan.root) }),
    action: plan.rows === 'copied' ? 'rows' : 'omit',
    codec: codecOf(plan),
    ...(plan.codecReason && plan.rows === 'copied' && { codecReason: plan.codecReason }),
    estimatedRows: estimateRows(table),
    bytes: table.bytes,
    jobs,
    columns: table.columns.map((column) => plannedColumn(plan, column)),
  }
}

function plannedColumn(plan: TablePlan, column: TablePlan['columns'][number]): PlannedColumn {
  const mask = plan.masks.find((candidate) => candidate.column === column)
  const shown = { column: column.name, type: column.typeName }
  if (!mask) return { ...shown, treatment: column.generated ? 'generated' : 'keep' }
  return {
    ...shown,
    treatment: mask.rule.mask,
    domain: mask.domain,
    ...(mask.follows && { follows: mask.follows }),
    ...(mask.prepared.proof && { proof: mask.prepared.proof }),
  }
}
