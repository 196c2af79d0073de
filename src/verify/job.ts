import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { JobBase } from '../jobs/messages.ts'
import { describeError, errorCode, serverFailure } from '../postgres/connect.ts'
import { CopyOut, type RowConsumer } from '../postgres/copy-out.ts'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { tableDigestKey } from '../backup/secrets.ts'
import { FramedRows } from '../stream/rows.ts'

/** One thing to look at in the restored database. Plain data. */
export type CheckJob = ReadJob | QueryJob

/** Rows of a table, or of a range of its pages, are read again. */
export interface ReadJob extends JobBase {
  kind: 'read'
  copyOut: string
  /** Whose digest they add to. */
  of: QualifiedName
}

/** A query that counts what should not be: one row of numbers. */
export interface QueryJob extends JobBase {
  kind: 'count'
  sql: string
}

export interface CheckResult {
  rows: number
  digest: string
  /** Of a query: its numbers. */
  counts: number[]
  /** Why the server does not answer, without a row value. */
  refused?: { code: string; message: string }
}

export interface CheckSession {
  client: pg.Client
  digestKey: Buffer
}

/**
 * Runs a job.
 *
 * @throws Failure `sink` where the server is in trouble
 */
export function runCheckJob(job: CheckJob, session: CheckSession): Promise<CheckResult> {
  return job.kind === 'read' ? readRows(job, session) : countProblems(job, session)
}

/** Counts and digests rows, and keeps none. */
class DigestOnly implements RowConsumer {
  onDrain: (() => void) | undefined
  readonly framed: FramedRows

  constructor(key: Uint8Array) {
    this.framed = new FramedRows(key, () => {})
  }

  rows(chunk: Buffer, start: number, end: number): void {
    this.framed.takeFramed(chunk, start, end)
  }

  begin(size: number): void {
    this.framed.beginFramed(size)
  }

  part(chunk: Buffer, start: number, end: number, last: boolean): void {
    this.framed.partFramed(chunk, start, end, last)
  }

  ready(): boolean {
    return true
  }
}

const NOTHING: CheckResult = { rows: 0, digest: '', counts: [] }

async function readRows(
  { copyOut, of, table }: ReadJob,
  { client, digestKey }: CheckSession,
): Promise<CheckResult> {
  const digest = new DigestOnly(tableDigestKey(digestKey, of))
  const copy = new CopyOut(copyOut, digest)
  try {
    client.query(copy)
    const rows = await copy.finished
    digest.framed.flush()
    if (rows !== digest.framed.rows) {
      throw new Failure('sink', `${rows} rows of ${table} were counted, ${digest.framed.rows} sent`)
    }
    const result = { rows, digest: digest.framed.digest(), counts: [] }
    digest.framed.close()
    return result
  } catch (error) {
    return refusal(error, `read ${table} again`)
  }
}

async function countProblems(
  { sql, table }: QueryJob,
  { client }: CheckSession,
): Promise<CheckResult> {
  try {
    const { rows } = await client.query<(string | number)[]>({ text: sql, rowMode: 'array' })
    return { ...NOTHING, counts: (rows[0] ?? []).map(Number) }
  } catch (error) {
    return refusal(error, `check ${table}`)
  }
}

/** Errors of the connection and of the server itself; any other is an answer. */
const TROUBLE = /^(08|53|57|58)/

/**
 * What the server does not want to do.
 *
 * @throws Failure `sink` where it is in trouble itself
 */
function refusal(error: unknown, doing: string): CheckResult {
  const code = errorCode(error)
  if (error instanceof Failure || !/^\w{5}$/.test(code) || TROUBLE.test(code)) {
    throw serverFailure('sink', doing, error)
  }
  return { ...NOTHING, refused: { code, message: describeError(error, 'sink') } }
}
