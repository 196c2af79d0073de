import type { TablePlan } from '../mask/table-plan.ts'
import { showName } from '../postgres/identifiers.ts'
import type { PlanEvent, PlannedColumn, PlannedTable } from '../report/events.ts'
import { estimateRows, type Prepared } from './prepare.ts'
import { codecOf, planJobs } from './rows.ts'

/** The plan as it is shown. */
export function planEvent(
  { source, snapshot, plans }: Prepared,
  facts: { target: string; structureBy: string; jobs: number },
): PlanEvent {
  const jobs = new Map(planJobs(plans, facts.jobs).map((entry) => [entry.plan, entry.jobs.length]))
  return {
    event: 'plan',
    source: source.label,
    target: facts.target,
    serverVersion: snapshot.facts.version,
    structureBy: facts.structureBy,
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
