import type pg from 'pg'
import type { JobBase, JobProgress } from '../jobs/messages.ts'
import { serverFailure, type Endpoint } from '../postgres/connect.ts'
import { CopyOut } from '../postgres/copy-out.ts'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { dumpStructure, type Dumper } from '../postgres/pg-dump.ts'
import { largeObjectSql, type LargeObjectRange } from '../source/large-objects.ts'
import type { Store } from '../store/store.ts'
import type { Finishing } from './finishing.ts'
import { tableDigestKey } from './secrets.ts'
import { SealedObjectWriter, writeSealed, type WrittenObject } from './object-writer.ts'
import { SegmentRows, type Segment } from './segments.ts'

/** One piece of a backup: read, sealed and stored by one worker. Plain data that means the same on any machine. */
export type BackupJob = RowsJob | StructureJob | LargeObjectsJob

/** Rows of one table, or of a range of its pages. */
export interface RowsJob extends JobBase {
  kind: 'rows'
  copyOut: string
  /** Whose digest it adds to. */
  of: QualifiedName
  /** Names of its segments are this, a dot and a number. */
  stem: string
}

/** What pg_dump writes of one section. */
export interface StructureJob extends JobBase {
  kind: 'structure'
  section: 'pre-data' | 'post-data'
  name: string
  dumper: Dumper
}

/** A stretch of large objects. */
export interface LargeObjectsJob extends JobBase {
  kind: 'large-objects'
  range: LargeObjectRange
  name: string
}

export interface BackupResult {
  objects: (WrittenObject | Segment)[]
  rows: number
  /** Received from the source. */
  bytes: number
  seconds: number
  warnings: { code: string; message: string }[]
}

/** What all jobs of a worker share. */
export interface BackupSession {
  source: Endpoint
  client: pg.Client
  store: Store
  snapshotId: string
  sqlAscii: boolean
  sealing: { passphrase: Buffer; level: number }
  digestKey: Buffer
  finishing: Finishing
  /** The run is given up: what is under way is taken back. */
  signal: AbortSignal
}

/** Bytes of COPY text after which a segment ends. */
const SEGMENT_BYTES = 256 * 1024 * 1024

/**
 * Runs a job. What it stored is complete when this returns; where it fails, nothing of the object in hand is visible.
 *
 * @param onNearlyDone called when everything is read, and the last object has only to be completed
 * @throws Failure `source` or `store`, whichever failed first
 */
export async function runBackupJob(
  job: BackupJob,
  session: BackupSession,
  onProgress: (progress: JobProgress) => void,
  onNearlyDone: () => void,
): Promise<BackupResult> {
  const started = performance.now()
  const finish: Finish = async (work) => {
    await session.finishing.add(work)
    onNearlyDone()
    return await work
  }
  const { objects, rows, bytes, warnings } = await runKind(job, session, finish, onProgress)
  const seconds = (performance.now() - started) / 1000
  return { objects, rows, bytes, seconds, warnings: warnings ?? [] }
}

/** Awaits what completes the last object of a job; everything is read, and meanwhile the next job may begin. */
type Finish = <T>(work: Promise<T>) => Promise<T>

type Outcome = Pick<BackupResult, 'objects' | 'rows' | 'bytes'> & Partial<BackupResult>

function runKind(
  job: BackupJob,
  session: BackupSession,
  finish: Finish,
  onProgress: (progress: JobProgress) => void,
): Promise<Outcome> {
  switch (job.kind) {
    case 'rows':
      return sealRows(job, session, finish, onProgress)
    case 'structure':
      return sealStructure(job, session, finish)
    case 'large-objects':
      return sealLargeObjects(job, session, finish, onProgress)
  }
}

async function sealRows(
  job: RowsJob,
  { client, store, sealing, digestKey, finishing, signal }: BackupSession,
  finish: Finish,
  onProgress: (progress: JobProgress) => void,
): Promise<Outcome> {
  const segments = new SegmentRows({
    store,
    stem: job.stem,
    ...sealing,
    digestKey: tableDigestKey(digestKey, job.of),
    limit: SEGMENT_BYTES,
    finishing,
    signal,
  })
  const ticker = setInterval(() => onProgress(segments.progress), 200)
  try {
    const copyOut = new CopyOut(job.copyOut, segments)
    client.query(copyOut)
    const rows = await copyOut.finished
    return { objects: await finish(segments.finish(rows)), ...segments.progress }
  } catch (error) {
    await segments.abort()
    throw serverFailure('source', `read ${job.table}`, error)
  } finally {
    clearInterval(ticker)
  }
}

async function sealStructure(
  job: StructureJob,
  session: BackupSession,
  finish: Finish,
): Promise<Outcome> {
  const { source: endpoint, snapshotId: snapshot, sqlAscii, store, sealing, signal } = session
  const { text, warnings } = await dumpStructure({
    endpoint,
    dumper: job.dumper,
    snapshot,
    section: job.section,
    sqlAscii,
    what: 'everything',
    signal,
  })
  const sql = Buffer.from(text)
  const object = await finish(writeSealed(store, job.name, sql, sealing, { signal }))
  return { objects: [object], rows: 0, bytes: sql.length, warnings }
}

async function sealLargeObjects(
  job: LargeObjectsJob,
  { client, store, sealing, signal }: BackupSession,
  finish: Finish,
  onProgress: (progress: JobProgress) => void,
): Promise<Outcome> {
  const writer = new SealedObjectWriter(store, job.name, sealing, { signal })
  try {
    for await (const sql of largeObjectSql(client, job.range)) {
      await writer.write(sql)
      onProgress({ rows: 0, bytes: writer.content })
    }
    return { objects: [await finish(writer.complete())], rows: 0, bytes: writer.content }
  } catch (error) {
    await writer.abort()
    throw serverFailure('source', 'read the large objects', error)
  }
}
