/**
 * pgveil as a library: the stages of a masked copy, and the copy that wires them. See docs/library.md.
 */
export { checkRules, planCopy, runCopy } from './copy/copy.ts'
export type { CheckOptions, CopyOptions } from './copy/options.ts'

export { EXIT_CODES, Failure, type FailureKind, type FailureOptions } from './errors.ts'

export { MASKS } from './mask/registry.ts'
export { openMask } from './mask/open.ts'
export {
  Output,
  type Codec,
  type Dictionary,
  type Mask,
  type MaskDefinition,
  type MaskRequest,
  type PreparedMask,
  type Row,
} from './mask/mask.ts'
export { planMasks, type PlanRequest } from './mask/plan.ts'
export type { PlannedMask, TablePlan } from './mask/table-plan.ts'
export {
  parseRules,
  readRules,
  type ColumnRule,
  type RuleFile,
  type TableRule,
} from './mask/rules.ts'
export { ruleSchema } from './mask/rule-schema.ts'

export { parseEndpoint, type Endpoint } from './postgres/connect.ts'
export type { Catalog, Column, Table, TypeClass } from './postgres/catalog.ts'
export { readCatalog } from './source/catalog.ts'
export { openSnapshot, type ServerFacts, type Snapshot } from './source/snapshot.ts'

export type {
  CopyReport,
  Emit,
  Event,
  Phase,
  PlannedColumn,
  PlannedTable,
  TableEvent,
} from './report/events.ts'
export { createReporter, type Reporter } from './report/reporter.ts'
