import { dirname, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Failure } from '../errors.ts'
import type { Catalog, Column, Table, TypeClass } from '../postgres/catalog.ts'
import { showIdentifier, showName } from '../postgres/identifiers.ts'
import { deriveKey } from './keyed.ts'
import { matchRules } from './match.ts'
import type { MaskDefinition, PreparedMask } from './mask.ts'
import type { ColumnRule, RuleFile } from './rules.ts'
import { decideColumns, domainOf, type ColumnTreatment, type TreatedTable } from './treatment.ts'
import { describeColumn, type TablePlan } from './table-plan.ts'
import { needsDistinct, refuseLostUniqueness } from './uniqueness.ts'

export interface PlanRequest {
  rules: RuleFile
  catalog: Catalog
  masks: ReadonlyMap<string, MaskDefinition>
  /** 32 secret bytes. */
  masterKey: Uint8Array
  encodable: (codePoint: number) => boolean
  /** Tables whose rows are left out, by oid. */
  skip: ReadonlySet<number>
  /** Told as soon as it is known whose rows are copied. */
  onCensus?: (copied: readonly Table[]) => void
  /** Told of each table whose rows are copied, when its masks are prepared: the others take their time. */
  onPrepared?: (plan: TablePlan) => void
}

/** Most rows that a heap page of 8 KiB can hold (MaxHeapTuplesPerPage). */
const ROWS_PER_PAGE = 291

/**
 * Resolves rules against the catalog: the census, then every mask prepared for its column.
 *
 * @throws Failure `config` for rules that do not fit the catalog; `refused` for undecided columns and for masks
 *   that cannot fit a type, a length, a NOT NULL or a unique index
 */
export async function planMasks(request: PlanRequest): Promise<TablePlan[]> {
  const decisions = matchRules(request.rules, request.catalog)
  const treated = decideColumns(request.catalog, decisions, request.rules.path)
  for (const entry of treated) if (request.skip.has(entry.table.oid)) entry.rows = 'none'

  const drafts = treated.map((entry) => draftTable(entry, request))
  const domains = describeDomains(drafts)
  const copied = drafts.filter(({ plan }) => plan.rows === 'copied')
  request.onCensus?.(copied.map(({ plan }) => plan.table))
  for (const draft of copied) {
    await prepareTable(draft, domains, request)
    request.onPrepared?.(draft.plan)
    // What was asked meanwhile goes on.
    await nextTurn()
  }
  const plans = drafts.map((draft) => draft.plan)
  routeMovedRows(plans)
  for (const plan of plans) refuseLostUniqueness(plan)
  return plans
}

interface MaskDraft {
  column: Column
  treatment: Extract<ColumnTreatment, { kind: 'mask' }>
  definition: MaskDefinition
  typeClass: TypeClass
}

interface TableDraft {
  plan: TablePlan
  masks: MaskDraft[]
}

function draftTable(entry: TreatedTable, request: PlanRequest): TableDraft {
  const { table } = entry
  const masks: MaskDraft[] = []
  for (const column of table.columns) {
    const treatment = entry.columns.get(column.number)
    if (treatment?.kind !== 'mask' || entry.rows === 'none') continue
    const definition = request.masks.get(treatment.rule.mask)
    if (!definition) throw new Error(`no definition of mask ${treatment.rule.mask}`)
    refuseNull(table, column, treatment.rule)
    masks.push({
      column,
      treatment,
      definition,
      typeClass: maskedAs(table, column, definition, treatment.rule),
    })
  }
  const plan: TablePlan = {
    table,
    rows: entry.rows,
    where: entry.where,
    conditions: [],
    columns: [],
    head: 0,
    masks: [],
    treatments: entry.columns,
    codec: 'binary',
    codecReason: undefined,
    root: table,
    into: table,
  }
  return { plan, masks }
}

function refuseNull(table: Table, column: Column, rule: ColumnRule): void {
  if (rule.mask !== 'null' || !column.notNull) return
  throw new Failure(
    'refused',
    `${describeColumn(table, column, rule)} is NOT NULL and cannot be masked with null`,
    {
      hint: 'use fixed with a value, or another mask',
    },
  )
}

function maskedAs(
  table: Table,
  column: Column,
  definition: MaskDefinition,
  rule: ColumnRule,
): TypeClass {
  if (definition.anyTypeAsText) return 'text'
  if (definition.types.includes(column.typeClass)) return column.typeClass
  throw new Failure(
    'refused',
    `${describeColumn(table, column, rule)} has type ${column.typeName}, which ${definition.name} cannot mask`,
    {
      hint: `${definition.name} masks ${definition.types.join(', ')}; null, fixed and function: take any type`,
    },
  )
}

/** Masks that agree within a row share a domain's key, but not each other's lengths and counts. */
function domainKey(rule: ColumnRule): string {
  return `${domainOf(rule)}\0${rule.mask}`
}

/** What the columns of one domain under one mask have in common. */
interface Domain {
  maxChars: number | undefined
  /** A column that must keep its values apart, like `public.contact.email`. */
  unique: string | undefined
  rows: number
}

function describeDomains(drafts: TableDraft[]): Map<string, Domain> {
  const domains = new Map<string, Domain>()
  for (const { plan, masks } of drafts) {
    const masked = new Set(masks.map(({ column }) => column.number))
    for (const { column, treatment } of masks) {
      const name = domainKey(treatment.rule)
      const domain = domains.get(name) ?? { maxChars: undefined, unique: undefined, rows: 0 }
      domains.set(name, domain)
      if (column.maxChars !== undefined) {
        domain.maxChars = Math.min(domain.maxChars ?? Infinity, column.maxChars)
      }
      if (needsDistinct(plan.table, column, masked)) {
        domain.unique ??= `${showName(plan.table)}.${showIdentifier(column.name)}`
      }
      domain.rows += mostRows(plan.table)
    }
  }
  return domains
}

/** A bound that holds without counting: statistics may be old. */
function mostRows(table: Table): number {
  return table.isHeap ? table.pages * ROWS_PER_PAGE : Math.max(table.estimatedRows * 2, 1_000_000)
}

/** Where a mask is prepared for. */
interface MaskSite {
  table: Table
  column: Column
  rule: ColumnRule
  domain: Domain
}

async function prepareTable(
  { plan, masks }: TableDraft,
  domains: Map<string, Domain>,
  request: PlanRequest,
): Promise<void> {
  const { table } = plan
  const writable = table.columns.filter((column) => !column.generated)
  plan.conditions = [...new Set(masks.flatMap(({ treatment }) => treatment.rule.when ?? []))]
  const head = masks.map(({ column }) => column)
  const fieldOf = (column: Column) => {
    if (!head.includes(column)) head.push(column)
    return plan.conditions.length + head.indexOf(column)
  }
  const companions: Record<string, number> = {}
  for (const { column, treatment } of masks) companions[treatment.rule.mask] ??= fieldOf(column)

  for (const { column, treatment, definition, typeClass } of masks) {
    const { rule } = treatment
    const name = domainOf(rule)
    const domain = domains.get(domainKey(rule)) as Domain
    const prepared = await prepare({ table, column, rule, domain }, () =>
      definition.prepare({
        options: {
          ...resolveOptions(rule, request.rules.path),
          ...(rule.normalize !== undefined && { normalize: rule.normalize }),
        },
        type: typeClass,
        maxChars: domain.maxChars,
        unique: domain.unique !== undefined,
        rows: domain.rows,
        locale: request.rules.locale,
        encodable: request.encodable,
        key: deriveKey(request.masterKey, `domain ${name}`),
        companions,
        column: (wanted) => {
          const neighbour = writable.find((other) => other.name === wanted)
          return neighbour && fieldOf(neighbour)
        },
      }),
    )
    plan.masks.push({
      column,
      rule,
      domain: name,
      follows: treatment.follows,
      field: fieldOf(column),
      condition: rule.when === undefined ? -1 : plan.conditions.indexOf(rule.when),
      prepared,
      typeClass,
    })
  }
  plan.columns = [...head, ...writable.filter((column) => !head.includes(column))]
  plan.head = head.length
  chooseCodec(plan)
}

/** Files of user functions are meant relative to the rule file. */
function resolveOptions(rule: ColumnRule, rulesPath: string): Record<string, unknown> {
  const written = rule.options['function']
  if (rule.mask !== 'function' || typeof written !== 'string') return rule.options
  const [file = '', name = ''] = written.split('#')
  return { function: `${pathToFileURL(resolve(dirname(rulesPath), file)).href}#${name}` }
}

async function prepare(
  { table, column, rule, domain }: MaskSite,
  run: () => PreparedMask | Promise<PreparedMask>,
): Promise<PreparedMask> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const own = `${showName(table)}.${showIdentifier(column.name)}`
    const shared =
      domain.unique === undefined || domain.unique === own
        ? ''
        : ` (${domain.unique}, in the same domain, is unique)`
    const what = `${describeColumn(table, column, rule)}: ${error.message}${shared}`
    throw new Failure(error.kind, what, {
      ...(error.hint && { hint: error.hint }),
      cause: error,
    })
  }
}

function chooseCodec(plan: TablePlan): void {
  const plain = plan.columns.find((column) => column.textOnly !== undefined)
  const asText = plan.masks.find(
    (mask) => mask.typeClass === 'text' && mask.column.typeClass !== 'text',
  )
  if (plain) plan.codecReason = `${showIdentifier(plain.name)}: ${plain.textOnly}`
  else if (asText)
    plan.codecReason = `${showIdentifier(asText.column.name)}: ${asText.rule.mask} works on text`
  plan.codec = plan.codecReason === undefined ? 'binary' : 'text'
}

function rootOf(table: Table, byOid: ReadonlyMap<number, Table>): Table {
  const parent = table.isPartition ? byOid.get(table.parents[0] ?? -1) : undefined
  return parent ? rootOf(parent, byOid) : table
}

/** A row whose partition key is masked may belong to another partition: the root sorts it in. */
function routeMovedRows(plans: TablePlan[]): void {
  const byOid = new Map(plans.map((plan) => [plan.table.oid, plan.table]))
  for (const plan of plans) {
    if (!plan.table.isPartition) continue
    plan.root = rootOf(plan.table, byOid)
    const masked = new Set(plan.masks.map((mask) => mask.column.name))
    let current: Table | undefined = plan.table
    while ((current = byOid.get(current.parents[0] ?? -1))) {
      const key = current.partitionKey
      const parent: Table = current
      const moves =
        key === null
          ? masked.size > 0
          : parent.columns.some((column) => key.includes(column.number) && masked.has(column.name))
      if (moves) plan.into = parent
      if (!current.isPartition) break
    }
  }
}
