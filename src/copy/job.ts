import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { JobBase, JobProgress } from '../jobs/messages.ts'
import type { PreparedMask, TypeClass } from '../mask/mask.ts'
import { openArrayMask } from '../mask/arrays.ts'
import { openMask } from '../mask/open.ts'
import { serverFailure } from '../postgres/connect.ts'
import { CopyIn } from '../postgres/copy-in.ts'
import { CopyOut } from '../postgres/copy-out.ts'
import { BinaryRows } from './binary-rows.ts'
import { FrameWriter } from './frames.ts'
import type { MaskedField, RowLayout } from './masked-rows.ts'
import { RelayRows } from './relay-rows.ts'
import { TextRows } from './text-rows.ts'

/**
 * One piece of a copy: one table or a range of its pages, read, masked and written. Plain data that
 * means the same on any machine.
 */
export interface Job extends JobBase {
  copyOut: string
  copyIn: string
  /** Run before `copyIn` in its transaction. */
  prepare: string | undefined
  codec: 'binary' | 'text'
  conditions: number
  head: number
  total: number
  masks: JobMask[]
}

export interface JobMask {
  name: string
  field: number
  condition: number
  prepared: PreparedMask
  typeClass: TypeClass
  isArray: boolean
}

export interface JobResult {
  rows: number
  bytes: number
  seconds: number
  /** Mask name → values masked. */
  masked: Record<string, number>
}

/**
 * Runs a job over sessions that stand ready: `source` inside the snapshot, `target` in the building
 * database. The target's transaction is committed only when both servers counted the same rows.
 *
 * @throws Failure `source` or `sink`, whichever failed first; the target's rows are rolled back
 */
export async function runJob(
  job: Job,
  source: pg.Client,
  target: pg.Client,
  onProgress: (progress: JobProgress) => void,
): Promise<JobResult> {
  const started = performance.now()
  const fields = await openMasks(job.masks, job.codec)
  let bytes = 0
  const copyIn = new CopyIn(job.copyIn)
  const writer = new FrameWriter(copyIn)
  const consumer = chooseRows(job, fields, writer, (count) => {
    bytes += count
  })
  const copyOut = new CopyOut(job.copyOut, consumer)
  const ticker = setInterval(() => onProgress({ rows: copyOut.messages, bytes }), 200)
  try {
    await target.query(`BEGIN${job.prepare ? `;${job.prepare}` : ''}`)
    const rows = await transfer(job, source, target, copyOut, copyIn, writer)
    await target.query('COMMIT')
    writer.close()
    const seconds = (performance.now() - started) / 1000
    return { rows, bytes, seconds, masked: countMasked(job.masks, fields) }
  } catch (error) {
    throw serverFailure('sink', `write ${job.table}`, error)
  } finally {
    clearInterval(ticker)
  }
}

/** Makes masks ready to run; the result has their order. */
export async function openMasks(
  masks: readonly JobMask[],
  codec: Job['codec'],
): Promise<MaskedField[]> {
  const fields: MaskedField[] = []
  for (const { prepared, typeClass, isArray, field, condition } of masks) {
    const inner = await openMask(prepared, typeClass, codec)
    // A NULL mask takes the whole array, anything else goes into its elements.
    const mask = isArray && prepared.kind !== 'null' ? openArrayMask(inner, codec) : inner
    fields.push({ field, condition, mask, count: 0 })
  }
  return fields
}

/** Values masked, by the names of masks. */
export function countMasked(
  masks: readonly JobMask[],
  fields: readonly MaskedField[],
): Record<string, number> {
  const masked: Record<string, number> = {}
  fields.forEach(({ count }, i) => {
    const { name } = masks[i] as JobMask
    masked[name] = (masked[name] ?? 0) + count
  })
  return masked
}

function chooseRows(
  job: Job,
  masks: MaskedField[],
  writer: FrameWriter,
  count: (bytes: number) => void,
): RelayRows | BinaryRows | TextRows {
  const { conditions, head, total } = job
  if (masks.length === 0 && conditions === 0) return new RelayRows(writer, count)
  const layout: RowLayout = { conditions, head, total, masks }
  return job.codec === 'binary'
    ? new BinaryRows(layout, writer, count)
    : new TextRows(layout, writer, count)
}

async function transfer(
  job: Job,
  source: pg.Client,
  target: pg.Client,
  copyOut: CopyOut,
  copyIn: CopyIn,
  writer: FrameWriter,
): Promise<number> {
  target.query(copyIn)
  await copyIn.opened
  source.query(copyOut)
  const read = copyOut.finished.catch((error: unknown) => {
    throw serverFailure('source', `read ${job.table}`, error)
  })
  let sent: number
  try {
    // A target that gives up fails at once, not when the source has nothing more to say.
    sent = await Promise.race([read, copyIn.finished.then(() => read)])
  } catch (error) {
    read.catch(() => {})
    copyIn.fail()
    throw error
  }
  writer.flush()
  copyIn.end()
  const written = await copyIn.finished
  if (written !== sent) {
    throw new Failure(
      'sink',
      `cannot write ${job.table}: ${sent} rows were read, ${written} written`,
    )
  }
  return written
}
