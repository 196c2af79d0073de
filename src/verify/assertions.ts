import type pg from 'pg'
import {
  describeError,
  errorCode,
  openClient,
  serverFailure,
  type Endpoint,
} from '../postgres/connect.ts'
import type { Assertion } from './rules.ts'
import type { StepRecord } from './step.ts'
import type { Verdict } from './verdict.ts'

/** Seconds that one assertion may take. */
const TIMEOUT = 600

/** Errors of the connection and of the server itself, and an answer that takes too long. */
const TROUBLE = /^(08|53|57|58)/

export interface AssertionsRequest {
  endpoint: Endpoint
  assertions: readonly Assertion[]
  /** What the last backup that passed was like; undefined: none was. */
  proven: Verdict | undefined
}

/**
 * Runs the user's assertions, each in a read-only transaction with the database's own search path.
 *
 * @returns the numbers that were found, by the assertion's name
 * @throws Failure `sink` where the server cannot be reached
 */
export async function runAssertions(
  record: StepRecord,
  { endpoint, assertions, proven }: AssertionsRequest,
): Promise<Record<string, number>> {
  const measured: Record<string, number> = {}
  const client = await openClient(endpoint, 'assertions')
  try {
    await client.query(`RESET search_path; SET statement_timeout = '${TIMEOUT}s'`)
    for (const assertion of assertions) {
      const found = await ask(record, client, assertion)
      if (!found) continue
      const number = numberOf(found.value)
      if (number !== undefined) measured[assertion.name] = number
      judge(record, assertion, found.value, proven?.measured?.[assertion.name])
    }
    return measured
  } finally {
    await client.end().catch(() => {})
  }
}

/** The one value of an assertion's query; undefined: there is none, and it was written down. */
async function ask(
  record: StepRecord,
  client: pg.Client,
  { name, sql }: Assertion,
): Promise<{ value: unknown } | undefined> {
  try {
    await client.query('BEGIN READ ONLY')
    // As one statement: it cannot end the transaction that keeps it from writing.
    const question = { text: sql, rowMode: 'array' as const, queryMode: 'extended' as const }
    const { rows } = await client.query<unknown[]>(question)
    await client.query('ROLLBACK')
    const [first] = rows
    if (rows.length === 1 && first?.length === 1) return { value: first[0] }
    record.checks++
    record.fail(`${name}: expected one value, found ${rows.length} rows of ${first?.length ?? 0}`)
  } catch (error) {
    const code = errorCode(error)
    if (!/^\w{5}$/.test(code)) throw serverFailure('sink', `assert ${name}`, error)
    await client.query('ROLLBACK')
    const message = `${name} cannot be asked: ${describeError(error, 'sink')}`
    if (TROUBLE.test(code)) record.incomplete(message)
    else {
      record.checks++
      record.fail(message)
    }
  }
  return undefined
}

/** Rows of the database are no part of what is found: a number is said, any other value is not. */
function judge(
  record: StepRecord,
  assertion: Assertion,
  value: unknown,
  before: number | undefined,
): void {
  const { name, within } = assertion
  record.checks++
  const number = numberOf(value)
  if (within && before === undefined && number !== undefined) {
    record.warn(`${name}: not compared, no backup before this one was proven with that assertion`)
    return
  }
  const found = number === undefined ? describe(value) : String(value)
  const expected = holds(assertion, value, before)
  if (expected === undefined) record.note(`${name}: holds`)
  else record.fail(`${name}: expected ${expected}, found ${found}`)
}

/** Undefined where it holds; else what was expected. */
function holds(
  { equals, atLeast, atMost, between, within }: Assertion,
  value: unknown,
  before: number | undefined,
): string | undefined {
  const number = numberOf(value)
  const when = (isTrue: boolean, text: string) => (isTrue ? undefined : text)
  if (equals !== undefined) {
    const isEqual =
      typeof equals === 'number' ? number === equals : String(value) === String(equals)
    return when(isEqual && value !== null, JSON.stringify(equals))
  }
  const isIn = (low: number, high: number) =>
    number !== undefined && number >= low && number <= high
  if (atLeast !== undefined) return when(isIn(atLeast, Infinity), `at least ${atLeast}`)
  if (atMost !== undefined) return when(isIn(-Infinity, atMost), `at most ${atMost}`)
  if (between) return when(isIn(...between), `between ${between.join(' and ')}`)
  if (!within || before === undefined) return 'a number'
  const room = (Math.abs(before) * within.percent) / 100
  return when(
    isIn(before - room, before + room),
    `within ${within.percent} % of ${before}, the last proven`,
  )
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (typeof value !== 'string' || !/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(value)) return undefined
  return Number(value)
}

function describe(value: unknown): string {
  if (value === null) return 'NULL'
  return typeof value === 'boolean' ? String(value) : 'another value, which is not shown'
}
