import type pg from 'pg'
import { Failure } from '../errors.ts'
import { openArrayMask } from '../mask/arrays.ts'
import { Output, type Mask, type Row } from '../mask/mask.ts'
import { openMask } from '../mask/open.ts'
import { describeColumn, type PlannedMask, type TablePlan } from '../mask/table-plan.ts'
import { normalizedKeys } from '../mask/uniqueness.ts'
import type { Check, Column } from '../postgres/catalog.ts'
import { describeError, errorCode, serverFailure } from '../postgres/connect.ts'
import {
  quoteIdentifier,
  quoteQualified,
  showIdentifier,
  showName,
} from '../postgres/identifiers.ts'

/**
 * What the plan of a table whose rows are copied cannot prove alone is tried here on the source, inside the snapshot, before
 * any row moves. Rows that are read stay in memory; what goes back to the source are masked values and its own.
 */
export async function provePlan(source: pg.Client, plan: TablePlan): Promise<void> {
  await checkExpressions(source, plan)
  await fillFixedValues(source, plan)
  await proveNormalizedKeys(source, plan)
  await proveOnSample(source, plan)
}

/** Runs `attempt` so that its failure leaves the snapshot's transaction usable. */
async function trying<T>(source: pg.Client, attempt: () => Promise<T>): Promise<T> {
  await source.query('SAVEPOINT pgveil_try')
  try {
    return await attempt()
  } catch (error) {
    await source.query('ROLLBACK TO SAVEPOINT pgveil_try').catch(() => {})
    throw error
  } finally {
    await source.query('RELEASE SAVEPOINT pgveil_try').catch(() => {})
  }
}

async function checkExpressions(source: pg.Client, plan: TablePlan): Promise<void> {
  const from = `FROM ONLY ${quoteQualified(plan.table)}`
  const expressions = [
    ...(plan.where === undefined ? [] : [{ what: 'where', sql: plan.where }]),
    ...plan.conditions.map((sql) => ({ what: 'when', sql })),
  ]
  for (const { what, sql } of expressions) {
    try {
      await trying(source, () => source.query(`SELECT (${sql})::bool ${from} LIMIT 0`))
    } catch (error) {
      throw new Failure(
        'config',
        `the ${what}: of ${showName(plan.table)} is no condition on it: ${describeError(error, 'source')}`,
        {
          hint: 'the expression is PostgreSQL’s SQL; functions and types outside pg_catalog need their schema',
          cause: error,
        },
      )
    }
  }
}

/** Fixed values travel in the type's own binary form, which only PostgreSQL can make. */
async function fillFixedValues(source: pg.Client, plan: TablePlan): Promise<void> {
  for (const mask of plan.masks) {
    const { column, prepared } = mask
    if (prepared.kind !== 'fixed') continue
    try {
      const element = column.isArray ? column.sqlType.replace(/\[\]$/, '') : column.sqlType
      const send = await sendFunction(source, element)
      const { rows } = await trying(source, () =>
        source.query<{ binary: string | null }>(
          `SELECT encode(${send}(($1::text)::${element}), 'base64') AS binary`,
          [prepared.params['text']],
        ),
      )
      mask.prepared = {
        ...prepared,
        params: { ...prepared.params, binary: (rows[0]?.binary ?? '').replaceAll('\n', '') },
      }
    } catch (error) {
      throw new Failure(
        'refused',
        `${describeColumn(plan.table, column, mask.rule)}: the fixed value is no ${column.typeName} (SQLSTATE ${errorCode(error)})`,
        { hint: `write a value that PostgreSQL reads as ${column.typeName}`, cause: error },
      )
    }
  }
}

async function sendFunction(source: pg.Client, type: string): Promise<string> {
  const { rows } = await source.query<{ send: string; has: boolean }>(
    `SELECT typsend::regproc::text AS send, typsend <> 0 AS has FROM pg_catalog.pg_type WHERE oid = $1::regtype`,
    [type],
  )
  // Types without a binary form are copied as text, where the text form alone counts.
  return rows[0]?.has
    ? rows[0].send.includes('.')
      ? rows[0].send
      : `pg_catalog.${rows[0].send}`
    : 'pg_catalog.textsend'
}

/**
 * Masks treat `A@X.hu` and `a@x.hu ` as one identity. Under a unique index that is safe only while no two rows
 * differ in nothing else, which the rows themselves show.
 */
async function proveNormalizedKeys(source: pg.Client, plan: TablePlan): Promise<void> {
  const done = new Set<string>()
  for (const { index, mask } of normalizedKeys(plan)) {
    if (done.has(mask.column.name) || mask.column.typeClass !== 'text' || mask.column.isArray)
      continue
    done.add(mask.column.name)
    const value = `${quoteIdentifier(mask.column.name)}::text`
    const normal = normalForm(mask, value)
    // A unique index over citext has shown already that no two differ in case alone. Spaces are looked for, since to take
    // them off costs three times as much.
    const suspect =
      mask.column.ignoresCase && !isPunctuated(mask)
        ? `(${value} COLLATE "C") LIKE ANY (ARRAY[' %', '% '])`
        : `${value} <> ${normal}`
    const from = `FROM ONLY ${quoteQualified(plan.table)}${plan.where ? ` WHERE (${plan.where})` : ''}`
    const { rows } = await source.query<{ some: boolean }>(
      `SELECT EXISTS (SELECT ${from}${plan.where ? ' AND' : ' WHERE'} ${suspect}) AS some`,
    )
    if (!rows[0]?.some) continue
    const { rows: groups } = await source.query<{ groups: string }>(
      `SELECT count(*)::text AS groups FROM (SELECT ${from}
        GROUP BY ${normal} HAVING count(DISTINCT ${value}) > 1) g`,
    )
    if (groups[0]?.groups === '0') continue
    throw new Failure(
      'refused',
      `${describeColumn(plan.table, mask.column, mask.rule)}: ${groups[0]?.groups} groups of values differ only in case or spacing; ${mask.rule.mask} would make them equal under unique index ${showIdentifier(index)}`,
      { hint: 'add normalize: false to the rule, or clean the rows in production' },
    )
  }
}

/** Whether values that differ in punctuation are equal to the mask. */
function isPunctuated({ rule }: PlannedMask): boolean {
  return rule.mask === 'phone.number' || rule.mask === 'finance.iban'
}

/** About what the mask takes for equal, as SQL. */
function normalForm(mask: PlannedMask, value: string): string {
  return isPunctuated(mask)
    ? `upper(regexp_replace(${value}, '[^0-9A-Za-z+]', '', 'g'))`
    : `lower(btrim(${value}))`
}

const SAMPLE_ROWS = 500

/** Masks a sample of rows and asks PostgreSQL whether CHECKs, domains and lengths accept them. */
async function proveOnSample(source: pg.Client, plan: TablePlan): Promise<void> {
  const masked = new Set(plan.masks.map((mask) => mask.column.number))
  const checks = plan.table.checks.filter((check) =>
    check.columns.some((column) => masked.has(column)),
  )
  // Our own masks keep to lengths and NOT NULL by themselves.
  const watched = plan.masks.filter(
    ({ column, rule }) => column.constrainedDomain || rule.mask === 'function',
  )
  if (checks.length === 0 && watched.length === 0) return

  const wanted = new Set(checks.flatMap((check) => check.columns))
  const columns = plan.columns.filter((column, i) => i < plan.head || wanted.has(column.number))
  const sample = await readSample(source, plan, columns).catch((error: unknown) => {
    throw serverFailure('source', `read a sample of ${showName(plan.table)}`, error)
  })
  if (sample.length === 0) return
  const tried = plan.masks.filter(
    (mask) => wanted.has(mask.column.number) || watched.includes(mask),
  )
  const values = await maskSample(plan, tried, sample)
  for (const mask of watched) proveLengths(plan, mask, values[columns.indexOf(mask.column)] ?? [])
  await proveTypes(source, plan, watched, columns, values)
  for (const check of checks) await proveCheck(source, plan, check, columns, values)
}

type Values = (string | null)[]

async function readSample(
  source: pg.Client,
  plan: TablePlan,
  columns: Column[],
): Promise<Values[]> {
  const share = Math.min(100, (20_000 / Math.max(1, plan.table.pages)) * 1)
  const spread =
    plan.table.isHeap && share < 100 ? ` TABLESAMPLE SYSTEM (${share}) REPEATABLE (1)` : ''
  const list = [
    ...plan.conditions.map((condition) => `(${condition})::bool::text`),
    ...columns.map((column) => `${quoteIdentifier(column.name)}::text`),
  ]
  const { rows } = await source.query<Values>({
    text: `SELECT ${list.join(', ')} FROM ONLY ${quoteQualified(plan.table)}${spread}
           ${plan.where ? `WHERE (${plan.where})` : ''} LIMIT ${SAMPLE_ROWS}`,
    rowMode: 'array',
  })
  return rows as unknown as Values[]
}

/** @returns text values by column, in the order of the sample's columns, those of `tried` masked */
async function maskSample(
  plan: TablePlan,
  tried: readonly PlannedMask[],
  sample: Values[],
): Promise<Values[]> {
  const opened: { mask: Mask; planned: PlannedMask }[] = []
  for (const planned of tried) {
    const inner = await openMask(planned.prepared, planned.typeClass, 'text')
    const lift = planned.column.isArray && planned.prepared.kind !== 'null'
    opened.push({ mask: lift ? openArrayMask(inner, 'text') : inner, planned })
  }
  const offset = plan.conditions.length
  const result: Values[] = sample[0]!.slice(offset).map(() => [])
  const out = new Output(1024)
  for (const fields of sample) {
    const row = toRow(fields)
    const masked = fields.slice(offset)
    for (const { mask, planned } of opened) {
      const start = row.start[planned.field]!
      if (start < 0 || (planned.condition >= 0 && fields[planned.condition] !== 'true')) continue
      out.length = 0
      const isValue = mask(row.bytes, start, row.end[planned.field]!, out, row)
      masked[planned.field - offset] = isValue ? out.bytes.toString('utf8', 0, out.length) : null
    }
    masked.forEach((value, i) => result[i]!.push(value))
  }
  return result
}

function toRow(fields: Values): Row {
  const start = new Int32Array(fields.length)
  const end = new Int32Array(fields.length)
  const parts: Buffer[] = []
  let at = 0
  fields.forEach((value, i) => {
    if (value === null) {
      start[i] = -1
      return
    }
    const part = Buffer.from(value)
    parts.push(part)
    start[i] = at
    at += part.length
    end[i] = at
  })
  return { bytes: Buffer.concat(parts), start, end }
}

function proveLengths(plan: TablePlan, mask: PlannedMask, values: Values): void {
  const { column, rule } = mask
  if (column.notNull && values.includes(null)) {
    throw new Failure(
      'refused',
      `${describeColumn(plan.table, column, rule)} is NOT NULL, but ${rule.mask} gives NULL`,
    )
  }
  const limit = column.maxChars
  if (limit === undefined || column.isArray) return
  if (values.every((value) => value === null || Array.from(value).length <= limit)) return
  throw new Failure(
    'refused',
    `${describeColumn(plan.table, column, rule)} takes ${limit} characters, but ${rule.mask} gives longer values`,
    { hint: 'use a mask with shorter values, or a wider column' },
  )
}

async function proveTypes(
  source: pg.Client,
  plan: TablePlan,
  watched: PlannedMask[],
  columns: Column[],
  values: Values[],
): Promise<void> {
  for (const { column, rule } of watched) {
    if (!column.constrainedDomain) continue
    try {
      await trying(source, () =>
        source.query(`SELECT count(v::${column.sqlType}) FROM unnest($1::text[]) v`, [
          values[columns.indexOf(column)],
        ]),
      )
    } catch (error) {
      if (!errorCode(error).startsWith('23') && !errorCode(error).startsWith('22')) {
        throw serverFailure('source', `try masked values of ${showName(plan.table)}`, error)
      }
      throw new Failure(
        'refused',
        `${describeColumn(plan.table, column, rule)}: values of ${rule.mask} break the domain ${column.typeName}`,
        {
          hint: 'choose a mask whose values the domain accepts, like fixed or template',
          cause: error,
        },
      )
    }
  }
}

async function proveCheck(
  source: pg.Client,
  plan: TablePlan,
  check: Check,
  columns: Column[],
  values: Values[],
): Promise<void> {
  const used = columns.filter((column) => check.columns.includes(column.number))
  if (used.length < check.columns.length) return // generated columns: shown when the rows go in
  const names = used.map((column) => quoteIdentifier(column.name))
  const casts = used.map((column, i) => `${names[i]}::${column.sqlType} AS ${names[i]}`)
  const query = `
    SELECT count(*)::int AS broken FROM (
      SELECT ${casts.join(', ')} FROM unnest(${used.map((_, i) => `$${i + 1}::text[]`).join(', ')}) AS raw (${names.join(', ')})
    ) AS masked WHERE NOT (${check.expression})`
  const broken = await trying(source, () =>
    source.query<{ broken: number }>(
      query,
      used.map((column) => values[columns.indexOf(column)]),
    ),
  ).then(
    ({ rows }) => rows[0]?.broken ?? 0,
    (error: unknown) => {
      if (!/^2[23]/.test(errorCode(error))) {
        throw serverFailure(
          'source',
          `try the check ${showIdentifier(check.name)} of ${showName(plan.table)}`,
          error,
        )
      }
      return 1
    },
  )
  if (broken === 0) return
  const mask = plan.masks.find(({ column }) => check.columns.includes(column.number))!
  throw new Failure(
    'refused',
    `${describeColumn(plan.table, mask.column, mask.rule)}: values of ${mask.rule.mask} violate the check ${showIdentifier(check.name)}`,
    { hint: 'choose a mask whose values the check accepts, like fixed or template' },
  )
}
