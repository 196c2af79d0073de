import type pg from 'pg'
import { together } from '../jobs/together.ts'
import type { Checker } from './checker.ts'
import type { CheckResult } from './job.ts'
import { readRules, type RowRule } from './row-rules.ts'
import type { StepRecord } from './step.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'

/** Of no catalog, no session's own. */
const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_temp'`

const UNUSABLE = `
  SELECT i.indexrelid::regclass::text AS name FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND c.relkind = 'i' AND ${OURS} ORDER BY 1`

const NOT_VALIDATED = `
  SELECT format('constraint %I of %s', k.conname, k.conrelid::regclass) AS name FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
  WHERE NOT k.convalidated AND k.conrelid <> 0 AND ${OURS} ORDER BY 1`

/** B-trees and heaps with pages, TOAST and views among them, the largest first. */
const PHYSICAL = `
  SELECT c.oid::int8 AS oid, c.oid::regclass::text AS name, am.amname AS method
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am am ON am.oid = c.relam
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  WHERE ${OURS} AND c.relpersistence <> 't' AND
    (c.relkind IN ('r', 'm', 't') AND am.amname = 'heap' OR
     c.relkind = 'i' AND am.amname = 'btree' AND i.indisvalid AND i.indisready)
  ORDER BY c.relpages DESC`

const AMCHECK = 'pgveil_amcheck'

export interface HealthRequest {
  /** A session that may write, with an empty search path. */
  client: pg.Client
  checker: Checker
  /** Of the server. */
  major: number
  /** What the backup creates. */
  plan: StructurePlan
}

/**
 * Looks at the restored database as such: heaps and indexes page by page, foreign keys and checks row by row, indexes
 * usable, constraints validated. Event triggers are switched off.
 *
 * @throws Failure `sink` where the server is in trouble
 */
export async function checkHealth(record: StepRecord, request: HealthRequest): Promise<void> {
  const { client, checker } = request
  await silenceEventTriggers(client)
  const physical = await physicalChecks(record, request)
  // These keep the workers busy while the rest is looked up.
  const pages = together(physical.map((check) => runPhysical(record, check, checker)))
  pages.catch(() => {})
  await checkValidity(record, request)
  const rules = await readRules(client)
  for (const name of rules.notChecked) record.note(`${name} is not checked again`)
  const rows = together(rules.rules.map((rule) => runRule(record, rule, checker)))
  await together([pages, rows])
  record.note(`${physical.length} heaps and B-trees, ${rules.rules.length} tables' constraints`)
}

/** What the checks create must not start anything. */
async function silenceEventTriggers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ sql: string }>(
    `SELECT format('ALTER EVENT TRIGGER %I DISABLE', evtname) AS sql FROM pg_catalog.pg_event_trigger`,
  )
  for (const { sql } of rows) await client.query(sql)
}

async function checkValidity(record: StepRecord, { client, plan }: HealthRequest): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string }>(UNUSABLE)
  for (const { name } of indexes) record.fail(`index ${name} is not usable`)
  // pg_dump writes a constraint that its source had not validated either as NOT VALID.
  const known = new Set(
    plan.statements.filter(({ sql }) => /\bNOT VALID\b/.test(sql)).map(({ what }) => bare(what)),
  )
  const { rows: constraints } = await client.query<{ name: string }>(NOT_VALIDATED)
  for (const { name } of constraints) {
    if (!known.has(bare(name))) record.fail(`${name} is not validated, on the source it was`)
  }
  record.checks += 2
}

function bare(text: string): string {
  return text.replaceAll('"', '')
}

interface Physical {
  name: string
  sql: string
}

async function physicalChecks(
  record: StepRecord,
  { client, major }: HealthRequest,
): Promise<Physical[]> {
  if (!(await installAmcheck(record, client))) return []
  const { rows } = await client.query<{ oid: string; name: string; method: string }>(PHYSICAL)
  // From 17 on it also sees two entries of a unique index that are equal.
  const unique = major >= 17 ? ', true' : ''
  return rows.map(({ oid, name, method }) => ({
    name,
    sql:
      method === 'btree'
        ? `SELECT 0 FROM (SELECT ${AMCHECK}.bt_index_check(${oid}::oid::regclass, true${unique})) AS c`
        : `SELECT count(*) FROM ${AMCHECK}.verify_heapam(${oid}::oid::regclass)`,
  }))
}

async function installAmcheck(record: StepRecord, client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `SELECT count(*) > 0 AS there FROM pg_catalog.pg_available_extensions WHERE name = 'amcheck'`,
  )
  try {
    if (!rows[0]?.there) throw new Error('not available')
    await client.query(`CREATE SCHEMA ${AMCHECK}`)
    await client.query('DROP EXTENSION IF EXISTS amcheck')
    await client.query(`CREATE EXTENSION amcheck SCHEMA ${AMCHECK}`)
    return true
  } catch {
    record.warn('heaps and indexes were not checked page by page: the server has no amcheck to use')
    return false
  }
}

async function runPhysical(
  record: StepRecord,
  { name, sql }: Physical,
  checker: Checker,
): Promise<void> {
  const { counts, refused } = await checker.run({ kind: 'count', table: name, sql })
  record.checks++
  if (refused) record.fail(`amcheck finds ${name} damaged (SQLSTATE ${refused.code})`)
  else if ((counts[0] ?? 0) > 0) record.fail(`amcheck finds ${counts[0]} faults in ${name}`)
}

async function runRule(record: StepRecord, rule: RowRule, checker: Checker): Promise<void> {
  const { table, sql, names } = rule
  const { counts, refused }: CheckResult = await checker.run({ kind: 'count', table, sql })
  record.checks += names.length
  if (refused) {
    record.incomplete(`${names.join(', ')} of ${table} cannot be checked: ${refused.message}`)
    return
  }
  names.forEach((name, i) => {
    if ((counts[i] ?? 0) > 0) record.fail(`${counts[i]} rows of ${table} violate ${name}`)
  })
}
