import { PassThrough } from 'node:stream'
import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { JobBase, JobProgress } from '../jobs/messages.ts'
import { isRefusal, serverFailure } from '../postgres/connect.ts'
import { CopyIn } from '../postgres/copy-in.ts'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { loadLargeObjects } from '../sink/large-objects.ts'
import type { Store } from '../store/store.ts'
import { BLOCK_BYTES } from '../stream/blocks.ts'
import { LineRows } from '../stream/rows.ts'
import { LargeObjectRows, type LargeObjectContents } from './large-object-rows.ts'
import type { ManifestObject } from './manifest.ts'
import { damageBehind, readSealed } from './object-reader.ts'
import { noteWarningsSql, type Warning } from './restore-notes.ts'
import { tableDigestKey } from './secrets.ts'

/** One object to restore. Plain data that means the same on any machine. */
export interface LoadJob extends JobBase {
  kind: 'rows' | 'large-objects'
  object: ManifestObject
  /** For rows: the table they were read from. */
  of: QualifiedName
  /** For rows that go into a tree of partitions, where each may come to lie elsewhere: the table at its top. */
  tree: QualifiedName | undefined
  /** For rows: where they go. */
  copyIn: string
  /** Run before `copyIn` in its transaction. */
  prepare: string | undefined
  /** Run at the end of the transaction: notes that this object is in. */
  finish: string
}

export interface LoadResult {
  rows: number
  /** Bytes of the content. */
  bytes: number
  seconds: number
  /** Of rows that went into a tree: their digest as rows of the table at its top. */
  treeDigest?: string
  /** Of large objects: what they hold now. */
  largeObjects?: LargeObjectContents
  warnings: Warning[]
}

export interface LoadSession {
  client: pg.Client
  store: Store
  label: string
  passphrase: Buffer
  digestKey: Buffer
}

/**
 * Restores one object. Its transaction is committed only after the object proved to be what the manifest says, to the
 * last byte and row.
 *
 * @throws Failure `integrity`, `store`, `sink`; what was loaded is rolled back
 */
export async function runLoadJob(
  job: LoadJob,
  session: LoadSession,
  onProgress: (progress: JobProgress) => void,
): Promise<LoadResult> {
  const started = performance.now()
  const warnings: LoadResult['warnings'] = []
  const loaded =
    job.kind === 'rows'
      ? await loadRows(job, session, onProgress)
      : await loadObjects(job, session, warnings, onProgress)
  const seconds = (performance.now() - started) / 1000
  return { ...loaded, bytes: job.object.content ?? 0, seconds, warnings }
}

type Loaded = Pick<LoadResult, 'rows' | 'treeDigest' | 'largeObjects'>

const COPY_DATA = 0x64

async function loadRows(
  job: LoadJob,
  { client, store, label, passphrase, digestKey }: LoadSession,
  onProgress: (progress: JobProgress) => void,
): Promise<Loaded> {
  const { object, tree } = job
  const sealed = { store, label, object, passphrase }
  const lines = new LineRows(tableDigestKey(digestKey, job.of))
  const inTree = tree && new LineRows(tableDigestKey(digestKey, tree))
  const copyIn = new CopyIn(job.copyIn)
  let bytes = 0
  const ticker = setInterval(() => onProgress({ rows: lines.rows, bytes }), 200)
  try {
    await client.query(`BEGIN${job.prepare ? `;${job.prepare}` : ''}`)
    client.query(copyIn)
    await copyIn.opened
    try {
      const reading = readSealed(sealed, (block) => {
        bytes += block.length
        lines.take(block)
        inTree?.take(block)
        return send(copyIn, block)
      })
      // A target that gives up fails at once, not when the object is read to its end.
      await Promise.race([reading, copyIn.finished.then(() => reading)])
      checkRows(object, lines, `${label}/${object.name}`)
    } catch (error) {
      copyIn.fail()
      throw error
    }
    copyIn.end()
    const rows = await copyIn.finished
    if (rows !== object.rows) {
      throw new Failure(
        'sink',
        `cannot write ${job.table}: ${object.rows} rows were sent, ${rows} written`,
      )
    }
    await client.query(`${job.finish};COMMIT`)
    return { rows, ...(inTree && { treeDigest: inTree.digest() }) }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    const cause = isRefusal(error) ? await damageBehind(error, sealed) : error
    throw serverFailure('sink', `write ${job.table}`, cause)
  } finally {
    clearInterval(ticker)
  }
}

/** Sends a block as one CopyData message. */
function send(copyIn: CopyIn, block: Buffer): Promise<void> | undefined {
  const header = Buffer.allocUnsafe(5)
  header[0] = COPY_DATA
  header.writeUInt32BE(block.length + 4, 1)
  copyIn.write(header)
  if (copyIn.write(block)) return undefined
  return new Promise((resolve) => {
    copyIn.onceDrain(resolve)
    // A connection that breaks never drains.
    copyIn.finished.then(
      () => resolve(),
      () => resolve(),
    )
  })
}

function checkRows({ rows, digest }: ManifestObject, lines: LineRows, name: string): void {
  if (!lines.end()) throw new Failure('integrity', `${name} ends in the middle of a row`)
  if (lines.rows !== rows) {
    throw new Failure('integrity', `${name} holds ${lines.rows} rows instead of ${rows}`)
  }
  if (lines.digest() !== digest) {
    throw new Failure('integrity', `${name} holds other rows than the manifest says`)
  }
}

async function loadObjects(
  job: LoadJob,
  { client, store, label, passphrase, digestKey }: LoadSession,
  warnings: LoadResult['warnings'],
  onProgress: (progress: JobProgress) => void,
): Promise<Loaded> {
  // Several transactions, so that locks stay few: checked to the end before the first of them.
  const { object } = job
  const reading = { store, label, object, passphrase }
  await readSealed(reading, () => undefined)
  const rows = new LargeObjectRows(tableDigestKey(digestKey, job.of))
  let bytes = 0
  const content = new PassThrough({ highWaterMark: 2 * BLOCK_BYTES })
  const read = readSealed(reading, (block) => {
    if (content.destroyed) throw new Failure('interrupted', 'loading was given up')
    bytes += block.length
    rows.take(block)
    onProgress({ rows: 0, bytes })
    return content.write(block) ? undefined : drained(content)
  }).then(
    () => content.end(),
    (error: unknown) => content.destroy(error as Error),
  )
  try {
    await loadLargeObjects(client, content, (code, message) => warnings.push({ code, message }))
    await client.query(`${job.finish};${noteWarningsSql(warnings)}`)
  } finally {
    content.destroy()
    await read
  }
  const { contents } = rows
  return { rows: 0, ...(contents && { largeObjects: contents }) }
}

/** Resolves when the stream takes more, or nobody reads it any longer. */
function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve)
    stream.once('close', resolve)
  })
}
