import type pg from 'pg'
import type { ManifestObject } from '../../backup/manifest.ts'
import { readSealed } from '../../backup/object-reader.ts'
import type { LoadSession } from '../../backup/load.ts'
import { tableDigestKey } from '../../backup/secrets.ts'
import { Failure } from '../../errors.ts'
import type { JobBase, JobProgress } from '../../jobs/messages.ts'
import { serverFailure } from '../../postgres/connect.ts'
import { CopyIn } from '../../postgres/copy-in.ts'
import type { QualifiedName } from '../../postgres/identifiers.ts'
import type { Store } from '../../store/store.ts'
import { LineRows } from '../../stream/rows.ts'
import { FrameWriter } from '../frames.ts'
import { countMasked, openMasks, type JobMask, type JobResult } from '../job.ts'
import { provenStore } from './proven-bytes.ts'
import { MaskedLines, UnmaskedRows, type SealedRows } from './sealed-rows.ts'

/** One segment of a backup: opened, masked and written. Plain data that means the same on any machine. */
export interface SealedJob extends JobBase {
  object: ManifestObject
  /** The table its rows were read from. */
  of: QualifiedName
  copyIn: string
  /** Run before `copyIn` in its transaction. */
  prepare: string | undefined
  /** Columns up to the last one that a mask reads or replaces, and of all. */
  head: number
  total: number
  /** Which field of the masks stands where in the head. */
  order: number[]
  /** In the order of their columns. */
  masks: JobMask[]
}

/**
 * Runs a job. Nothing of the object goes to the target before its bytes proved to be the manifest's; the transaction
 * is committed after its rows did, too, by number and digest, and the target counted as many.
 *
 * @throws Failure `integrity`, `store`, `sink`; the target's rows are rolled back
 */
export async function runSealedJob(
  job: SealedJob,
  session: LoadSession,
  onProgress: (progress: JobProgress) => void,
): Promise<JobResult> {
  const started = performance.now()
  const { client } = session
  const fields = await openMasks(job.masks, 'text')
  const copyIn = new CopyIn(job.copyIn)
  const writer = new FrameWriter(copyIn)
  const rows: SealedRows =
    fields.length === 0
      ? new UnmaskedRows(writer)
      : new MaskedLines({ ...job, conditions: 0, masks: fields }, writer)
  try {
    await client.query(`BEGIN${job.prepare ? `;${job.prepare}` : ''}`)
    const written = await transfer(job, session, { copyIn, writer, rows }, onProgress)
    await client.query('COMMIT')
    writer.close()
    const seconds = (performance.now() - started) / 1000
    const masked = countMasked(job.masks, fields)
    return { rows: written, bytes: job.object.content ?? 0, seconds, masked }
  } catch (error) {
    await rollBack(client)
    throw serverFailure('sink', `write ${job.table}`, error)
  }
}

async function rollBack(client: pg.Client): Promise<void> {
  await client.query('ROLLBACK').catch(() => {})
}

interface Sink {
  copyIn: CopyIn
  writer: FrameWriter
  rows: SealedRows
}

async function transfer(
  job: SealedJob,
  session: LoadSession,
  sink: Sink,
  onProgress: (progress: JobProgress) => void,
): Promise<number> {
  const { copyIn, writer } = sink
  session.client.query(copyIn)
  await copyIn.opened
  try {
    const reading = feed(job, session, sink, onProgress)
    // A target that gives up fails at once, not when the object is read to its end.
    await Promise.race([reading, copyIn.finished.then(() => reading)])
  } catch (error) {
    copyIn.fail()
    throw error
  }
  writer.flush()
  copyIn.end()
  const written = await copyIn.finished
  if (written !== job.object.rows) {
    throw new Failure(
      'sink',
      `cannot write ${job.table}: ${job.object.rows} rows were sent, ${written} written`,
    )
  }
  return written
}

/** Opens the object and writes its rows, until all of it proved right. */
async function feed(
  { object, of }: SealedJob,
  { store, label, passphrase, digestKey }: LoadSession,
  { copyIn, writer, rows }: Sink,
  onProgress: (progress: JobProgress) => void,
): Promise<void> {
  const digest = new LineRows(tableDigestKey(digestKey, of))
  const name = `${label}/${object.name}`
  let bytes = 0
  let draining: Promise<void> | undefined
  const ticker = setInterval(() => onProgress({ rows: digest.rows, bytes }), 200)
  try {
    // Nothing but `read` is asked of it.
    const proven = provenStore(store, object) as Store
    await readSealed({ store: proven, label, object, passphrase }, (block) => {
      bytes += block.length
      digest.take(block)
      rows.take(block)
      if (writer.ready()) return undefined
      // Several blocks may come before anybody waits: there is one promise for all of them.
      draining ??= drained(writer, copyIn).then(() => {
        draining = undefined
      })
      return draining
    })
  } catch (error) {
    throw inBackup(error, name)
  } finally {
    clearInterval(ticker)
  }
  if (!digest.end()) throw new Failure('integrity', `${name} ends in the middle of a row`)
  if (digest.rows !== object.rows) {
    throw new Failure('integrity', `${name} holds ${digest.rows} rows instead of ${object.rows}`)
  }
  if (digest.digest() !== object.digest) {
    throw new Failure('integrity', `${name} holds other rows than the manifest says`)
  }
}

/** Rows that do not have the form of COPY are the backup's fault here. */
function inBackup(error: unknown, name: string): unknown {
  if (!(error instanceof Failure) || error.kind !== 'source') return error
  const message = `${name} holds rows that do not have the form that COPY gives them`
  return new Failure('integrity', message, { cause: error })
}

/** Resolves when the target takes more; also when its connection breaks, after which it never drains. */
function drained(writer: FrameWriter, copyIn: CopyIn): Promise<void> {
  return new Promise((resolve) => {
    writer.onDrain = () => resolve()
    copyIn.finished.then(
      () => resolve(),
      () => resolve(),
    )
  })
}
