import { DeleteObjectCommand, PutObjectCommand } from './s3-client.ts'
import { Failure } from '../errors.ts'
import { type Body, bodyFields, signedAs } from './s3-body.ts'
import { complete } from './s3-errors.ts'
import { lockFields, type Retention, verifyRetention } from './s3-lock.ts'
import type { S3Session } from './s3-session.ts'

/** What a request that stored an object said of it. */
export interface Stored {
  version: string | undefined
}

export interface PutOptions {
  retention: Retention | undefined
  signal: AbortSignal | undefined
  /** Only where there is none of that name; `except` tells what the server may answer then. */
  unlessThere?: boolean
  except?: readonly string[]
}

/** Stores an object by one request. */
export async function putObject(
  session: S3Session,
  name: string,
  body: Body,
  { retention, signal, unlessThere, except = [] }: PutOptions,
): Promise<Stored> {
  const doing = `write ${session.url(name)}`
  const input = {
    Bucket: session.settings.bucket,
    Key: session.key(name),
    ...bodyFields(body, session.settings),
    ...lockFields(retention),
    ...(unlessThere && { IfNoneMatch: '*' }),
  }
  const answer = await session.call(
    doing,
    async (client, options) => {
      const sent = await client.send(signedAs(new PutObjectCommand(input), body), options)
      return complete(sent, sent.ETag)
    },
    { signal, except },
  )
  verifyDigest(answer.ChecksumSHA256, body.sha256.toString('base64'), doing)
  return { version: answer.VersionId }
}

/**
 * Reads back that a new object is locked; one that came without its lock is taken away again.
 *
 * @throws Failure `store` where it is not locked as it was asked to be
 */
export async function verifyLocked(
  session: S3Session,
  name: string,
  { retention, version }: Stored & { retention: Retention },
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await verifyRetention(session, name, retention, version, signal)
  } catch (error) {
    const removed = await removeVersion(session, name, version)
    if (removed || !(error instanceof Failure)) throw error
    const { kind, message, hint } = error
    const left = `object ${session.url(name)}, which could not be removed`
    throw new Failure(kind, message, { ...(hint && { hint }), left, cause: error })
  }
}

async function removeVersion(
  session: S3Session,
  name: string,
  version: string | undefined,
): Promise<boolean> {
  const input = {
    Bucket: session.settings.bucket,
    Key: session.key(name),
    ...(version !== undefined && { VersionId: version }),
  }
  try {
    await session.call(`remove ${session.url(name)}`, (client) =>
      client.send(new DeleteObjectCommand(input)),
    )
    return true
  } catch {
    return false
  }
}

/** Servers that keep no checksums answer none. */
export function verifyDigest(answered: string | undefined, wanted: string, doing: string): void {
  if (answered === undefined || sameDigest(answered, wanted)) return
  throw new Failure('store', `cannot ${doing}: the server stored other bytes than were sent`, {
    hint: 'the server’s checksum differs: look at proxies on the way and at its disks',
  })
}

/** Some servers leave out the number of parts. */
export function sameDigest(answered: string, wanted: string): boolean {
  return answered === wanted || answered === wanted.replace(/-\d+$/, '')
}
