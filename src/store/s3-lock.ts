import { GetObjectRetentionCommand, PutObjectRetentionCommand } from './s3-client.ts'
import { Failure } from '../errors.ts'
import { withMd5 } from './s3-body.ts'
import { errorCode } from './s3-errors.ts'
import type { S3Session } from './s3-session.ts'
import { AbsentObject, type S3Settings } from './store.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Servers keep whole seconds. */
const ROUNDING_MS = 1000
/** What is answered for an object, or a bucket, without a lock. */
const UNLOCKED = [
  'NoSuchObjectLockConfiguration',
  'ObjectLockConfigurationNotFoundError',
  'InvalidRequest',
  'NotImplemented',
  'MethodNotAllowed',
]

/** The lock that an object is to be stored with. */
export interface Retention {
  mode: 'GOVERNANCE' | 'COMPLIANCE'
  until: Date
}

/** The lock of an object that is begun now. */
export function retentionOf({ lock }: S3Settings): Retention | undefined {
  if (!lock) return undefined
  const until = new Date(Math.ceil((Date.now() + lock.days * DAY_MS) / 1000) * 1000)
  return { mode: lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', until }
}

/** The fields of a request that stores an object. */
export function lockFields(retention: Retention | undefined) {
  return retention
    ? { ObjectLockMode: retention.mode, ObjectLockRetainUntilDate: retention.until }
    : {}
}

/** What the server says of an object's lock; the newest version's where none is named. */
export async function readRetention(
  session: S3Session,
  name: string,
  version?: string,
  signal?: AbortSignal,
): Promise<{ mode: string | undefined; until: Date | undefined } | undefined> {
  const input = {
    Bucket: session.settings.bucket,
    Key: session.key(name),
    ...(version !== undefined && { VersionId: version }),
  }
  try {
    const { Retention: found } = await session.call(
      `ask for the lock of ${session.url(name)}`,
      (client, options) => client.send(new GetObjectRetentionCommand(input), options),
      { signal, except: ['NoSuchKey', ...UNLOCKED] },
    )
    return found && { mode: found.Mode, until: found.RetainUntilDate }
  } catch (error) {
    if (errorCode(error) === 'NoSuchKey') throw new AbsentObject(`object ${session.url(name)}`)
    if (UNLOCKED.includes(errorCode(error))) return undefined
    throw error
  }
}

/**
 * Reads back that an object is locked. Where it is not, it is locked by itself first: Ceph, for one, forgets the lock
 * of multipart uploads.
 *
 * @throws Failure `store` where the object is not locked as it was asked to be
 */
export async function verifyRetention(
  session: S3Session,
  name: string,
  wanted: Retention,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (holds(await readRetention(session, name, version, signal), wanted)) return
  await addRetention(session, name, wanted, version, signal)
  const found = await readRetention(session, name, version, signal)
  if (holds(found, wanted)) return
  const what = found?.until
    ? `locked in mode ${found.mode} until ${found.until.toISOString()} only`
    : 'not locked'
  throw new Failure('store', `cannot write ${session.url(name)}: the server stored it ${what}`, {
    hint: 'look at the bucket’s Object Lock, and at what proxies do to headers x-amz-object-lock-*',
  })
}

function holds(found: Awaited<ReturnType<typeof readRetention>>, wanted: Retention): boolean {
  const until = found?.until?.getTime() ?? 0
  return found?.mode === wanted.mode && until >= wanted.until.getTime() - ROUNDING_MS
}

async function addRetention(
  session: S3Session,
  name: string,
  { mode, until }: Retention,
  version: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { bucket, checksums } = session.settings
  const input = {
    Bucket: bucket,
    Key: session.key(name),
    ...(version !== undefined && { VersionId: version }),
    Retention: { Mode: mode, RetainUntilDate: until },
  }
  await session.call(
    `lock ${session.url(name)}`,
    (client, options) => {
      const command = new PutObjectRetentionCommand(input)
      return client.send(checksums === 'always' ? command : withMd5(command), options)
    },
    { signal },
  )
}
