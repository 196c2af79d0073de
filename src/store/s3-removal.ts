import type {
  DeleteObjectsCommandOutput,
  ListObjectVersionsCommandOutput,
} from '@aws-sdk/client-s3'
import { DeleteObjectsCommand, ListObjectVersionsCommand } from './s3-client.ts'
import { Failure } from '../errors.ts'
import { withMd5 } from './s3-body.ts'
import { complete, errorCode, s3Failure } from './s3-errors.ts'
import { readRetention } from './s3-lock.ts'
import type { S3Session } from './s3-session.ts'

/** Keys that S3 takes in one request. */
const BATCH = 1000
/** What is answered where listing versions is not known or not allowed. */
const NO_VERSIONS = ['AccessDenied', 'NotImplemented', 'MethodNotAllowed']

interface Target {
  Key: string
  VersionId?: string
}

/**
 * Removes objects with all their versions: in a bucket that keeps versions, a plain deletion would only hide an
 * envelope that has to be gone. Where versions cannot be listed, a bucket that turns out to keep them is a failure.
 *
 * @throws Failure `refused` where a lock keeps a version; `store`
 */
export async function removeObjects(session: S3Session, names: readonly string[]): Promise<void> {
  for (let from = 0; from < names.length; from += BATCH) {
    const keys = new Set(names.slice(from, from + BATCH).map((name) => session.key(name)))
    const found = await listVersions(session, keys)
    if (found) {
      await removeAll(session, found.versions, true)
      // Last: without its marker a version that is still there would be seen again.
      await removeAll(session, found.markers, true)
    } else {
      const plain = [...keys].map((Key) => ({ Key }))
      await removeAll(session, plain, false)
    }
  }
}

async function removeAll(
  session: S3Session,
  targets: readonly Target[],
  quiet: boolean,
): Promise<void> {
  for (let from = 0; from < targets.length; from += BATCH) {
    const answer = await send(session, targets.slice(from, from + BATCH), quiet)
    const [refused] = answer.Errors ?? []
    if (refused) throw await refusal(session, refused)
    const kept = answer.Deleted?.find(({ DeleteMarker }) => DeleteMarker)
    if (kept) {
      throw new Failure('store', `bucket ${session.settings.bucket} keeps what was removed`, {
        hint: 'it keeps versions: allow s3:ListBucketVersions and s3:DeleteObjectVersion',
      })
    }
  }
}

function send(
  session: S3Session,
  Objects: Target[],
  Quiet: boolean,
): Promise<DeleteObjectsCommandOutput> {
  const { bucket, checksums } = session.settings
  return session.call(`remove objects below ${session.url()}`, (client, options) => {
    const command = new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet } })
    return client.send(checksums === 'always' ? command : withMd5(command), options)
  })
}

async function refusal(
  session: S3Session,
  error: { Key?: string | undefined; Code?: string | undefined; VersionId?: string | undefined },
): Promise<unknown> {
  const name = session.name(error.Key ?? '') ?? ''
  const doing = `remove ${session.url(name)}`
  const lock = await readRetention(session, name, error.VersionId).catch(() => undefined)
  if (lock?.until && lock.until > new Date()) {
    return new Failure('refused', `cannot ${doing}: it is locked until ${lock.until.toISOString()}`)
  }
  return s3Failure({ Code: error.Code, $metadata: { httpStatusCode: 403 } }, doing)
}

/** @returns undefined where the bucket cannot be asked */
async function listVersions(
  session: S3Session,
  keys: ReadonlySet<string>,
): Promise<{ versions: Target[]; markers: Target[] } | undefined> {
  const versions: Target[] = []
  const markers: Target[] = []
  const wanted = (from: { Key?: string | undefined; VersionId?: string | undefined }[] = []) =>
    from.flatMap(({ Key, VersionId }) =>
      Key !== undefined && VersionId !== undefined && keys.has(Key) ? [{ Key, VersionId }] : [],
    )
  try {
    for await (const page of versionPages(session, commonPrefix([...keys]))) {
      versions.push(...wanted(page.Versions))
      markers.push(...wanted(page.DeleteMarkers))
    }
  } catch (error) {
    if (NO_VERSIONS.includes(errorCode(error))) return undefined
    throw error
  }
  return { versions, markers }
}

async function* versionPages(
  session: S3Session,
  prefix: string,
): AsyncIterable<ListObjectVersionsCommandOutput> {
  const { bucket } = session.settings
  let page: ListObjectVersionsCommandOutput | undefined
  do {
    const input = {
      Bucket: bucket,
      Prefix: prefix,
      ...(page?.NextKeyMarker !== undefined && { KeyMarker: page.NextKeyMarker }),
      ...(page?.NextVersionIdMarker !== undefined && { VersionIdMarker: page.NextVersionIdMarker }),
    }
    page = await session.call(
      `list versions below ${session.url()}`,
      async (client, options) => {
        const answer = await client.send(new ListObjectVersionsCommand(input), options)
        return complete(answer, answer.IsTruncated)
      },
      { except: NO_VERSIONS },
    )
    yield page
  } while (page.IsTruncated)
}

/** What all of them begin with. */
function commonPrefix(keys: readonly string[]): string {
  let prefix = keys[0] ?? ''
  for (const key of keys) while (!key.startsWith(prefix)) prefix = prefix.slice(0, -1)
  return prefix
}
