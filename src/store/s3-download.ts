import type { Readable } from 'node:stream'
import { GetObjectCommand, HeadObjectCommand } from './s3-client.ts'
import { Failure } from '../errors.ts'
import { pause } from './retry.ts'
import { errorCode, errorStatus, s3Failure } from './s3-errors.ts'
import type { S3Session } from './s3-session.ts'
import { AbsentObject, type ReadOptions } from './store.ts'
import { wait } from './wait.ts'

const ABSENT = ['NoSuchKey', 'NotFound']
const REPLACED = ['PreconditionFailed']
const PAST_END = ['InvalidRange']

class TruncatedError extends Error {
  readonly code = 'TRUNCATED'
}

interface Opened {
  body: Readable
  /** Bytes that are to come. */
  length: number
  etag: string | undefined
}

/** See Store.read. Attempts count anew whenever some bytes came through. */
export async function* download(
  session: S3Session,
  name: string,
  { offset = 0, signal }: ReadOptions,
): AsyncIterable<Buffer> {
  const doing = `read ${session.url(name)}`
  const again = session.judge()
  let at = offset
  let end: number | undefined
  let etag: string | undefined
  for (let attempt = 1; at !== end; attempt++) {
    const opened = await openAt(session, name, { at, etag, signal })
    if (!opened) return
    end ??= at + opened.length
    etag ??= opened.etag
    const before = at
    try {
      if (at + opened.length !== end) throw replaced(session, name)
      for await (const chunk of opened.body as AsyncIterable<Buffer>) {
        if (at + chunk.length > end) throw replaced(session, name)
        await session.bandwidth?.take(chunk.length, signal)
        at += chunk.length
        yield chunk
      }
      if (at !== end) throw new TruncatedError('the answer ended early')
    } catch (error) {
      signal?.throwIfAborted()
      if (at > before) attempt = 1
      if (attempt >= session.patience.attempts || !(await again(error)))
        throw s3Failure(error, doing)
      await wait(pause(session.patience, attempt), signal)
    } finally {
      opened.body.destroy()
    }
  }
}

/** @returns undefined where the object ends exactly at `at` */
async function openAt(
  session: S3Session,
  name: string,
  from: { at: number; etag: string | undefined; signal: AbortSignal | undefined },
): Promise<Opened | undefined> {
  const { at, etag, signal } = from
  const input = {
    Bucket: session.settings.bucket,
    Key: session.key(name),
    ...(at > 0 && { Range: `bytes=${at}-` }),
    ...(etag !== undefined && { IfMatch: etag }),
  }
  try {
    const answer = await session.call(
      `read ${session.url(name)}`,
      (client, options) => client.send(new GetObjectCommand(input), options),
      { signal, except: [...ABSENT, ...REPLACED, ...PAST_END] },
    )
    const body = answer.Body as Readable
    const length = answer.ContentLength
    if (length !== undefined && (at === 0 || answer.$metadata.httpStatusCode === 206))
      return { body, length, etag: answer.ETag }
    body.destroy()
    const missing = length === undefined ? 'does not tell its length' : 'ignores ranges'
    throw new Failure('store', `cannot read ${session.url(name)}: the server ${missing}`)
  } catch (error) {
    const code = errorCode(error)
    if (ABSENT.includes(code)) throw new AbsentObject(`object ${session.url(name)}`)
    if (REPLACED.includes(code)) throw replaced(session, name)
    if (!PAST_END.includes(code)) throw error
    const { size } = await head(session, name, signal)
    if (size === at) return undefined
    throw new Failure('store', `cannot read ${session.url(name)}: it ends at byte ${size}`)
  }
}

function replaced(session: S3Session, name: string): Failure {
  return new Failure('store', `cannot read ${session.url(name)}: it was replaced meanwhile`, {
    hint: 'nobody but pgveil may write there; begin again',
  })
}

export interface ObjectHead {
  size: number
  etag: string | undefined
  /** SHA-256 as the server keeps it: of the object, or of its parts' digests with their number. */
  sha256: string | undefined
}

/** @throws AbsentObject; Failure `store` */
export async function head(
  session: S3Session,
  name: string,
  signal: AbortSignal | undefined,
): Promise<ObjectHead> {
  const { bucket, checksums } = session.settings
  const input = {
    Bucket: bucket,
    Key: session.key(name),
    ...(checksums === 'always' && { ChecksumMode: 'ENABLED' as const }),
  }
  try {
    const answer = await session.call(
      `look at ${session.url(name)}`,
      (client, options) => client.send(new HeadObjectCommand(input), options),
      { signal, except: ABSENT },
    )
    return { size: answer.ContentLength ?? -1, etag: answer.ETag, sha256: answer.ChecksumSHA256 }
  } catch (error) {
    if (ABSENT.includes(errorCode(error)) && errorStatus(error) === 404)
      throw new AbsentObject(`object ${session.url(name)}`)
    throw error
  }
}
