import {
  GetBucketLocationCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
} from './s3-client.ts'
import { Failure } from '../errors.ts'
import { endpointRegion, guardRegion, isAmazon, locationRegion } from './region.ts'
import { errorHeader, errorStatus } from './s3-errors.ts'
import type { S3Session } from './s3-session.ts'

/** Before a run somebody waits for the answer: a server that is not there is told of within seconds. */
const CHECK_ATTEMPTS = 4
/** What servers answer that do not know a question, and what policies answer that do not allow it. */
const NO_ANSWER = ['AccessDenied', 'NotImplemented', 'MethodNotAllowed', 'InvalidRequest']
/** What is answered for a bucket of another region; HeadBucket tells which. */
const ELSEWHERE = [
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]

/**
 * See Store.check.
 *
 * @throws Failure `refused`, `store`
 */
export async function checkBucket(session: S3Session): Promise<void> {
  const { bucket, region, endpoint, allowedRegions, lock } = session.settings
  guardRegion(`store ${session.url()}`, region, allowedRegions)
  const atEndpoint = endpoint === undefined ? undefined : endpointRegion(endpoint)
  if (atEndpoint) guardRegion(`endpoint ${endpoint}`, atEndpoint, allowedRegions)
  // In this order: refusals of HeadBucket come without a reason.
  const found = [await location(session), await headRegion(session)].filter((each) => each)
  for (const each of found) guardRegion(`bucket ${bucket}`, each as string, allowedRegions)
  if (found.length === 0 && isAmazon(endpoint)) {
    throw new Failure('store', `cannot find out which region bucket ${bucket} is in`, {
      hint: 'allow s3:GetBucketLocation to these credentials',
    })
  }
  if (lock) await checkLock(session)
}

function hurried(session: S3Session) {
  const attempts = Math.min(session.patience.attempts, CHECK_ATTEMPTS)
  return { patience: { ...session.patience, attempts } }
}

/** The region in HeadBucket's answer, which comes with a redirection too. */
async function headRegion(session: S3Session): Promise<string | undefined> {
  const { bucket, region, allowedRegions } = session.settings
  const head = async (attempt: () => Promise<{ BucketRegion?: string | undefined }>) => {
    try {
      return (await attempt()).BucketRegion
    } catch (error) {
      const elsewhere = errorHeader(error, 'x-amz-bucket-region')
      const status = errorStatus(error)
      if (status !== 301 && status !== 400) throw error
      if (!elsewhere || elsewhere === region) throw error
      guardRegion(`bucket ${bucket}`, elsewhere, allowedRegions)
      throw new Failure('store', `bucket ${bucket} is in region ${elsewhere}, not ${region}`, {
        hint: `set region to ${elsewhere}`,
        cause: error,
      })
    }
  }
  return session.call(
    `use ${session.url()}`,
    (client, options) =>
      head(() => client.send(new HeadBucketCommand({ Bucket: bucket }), options)),
    hurried(session),
  )
}

async function location(session: S3Session): Promise<string | undefined> {
  const { bucket, endpoint } = session.settings
  const doing = `ask for the region of ${session.url()}`
  try {
    const answer = await session.call(
      doing,
      (client, options) => client.send(new GetBucketLocationCommand({ Bucket: bucket }), options),
      { ...hurried(session), except: [...NO_ANSWER, ...ELSEWHERE] },
    )
    const constraint: string | undefined = answer.LocationConstraint
    // Elsewhere an empty answer means that the server knows no regions.
    return constraint || isAmazon(endpoint) ? locationRegion(constraint) : undefined
  } catch (error) {
    if (error instanceof Failure) throw error
    return undefined
  }
}

async function checkLock(session: S3Session): Promise<void> {
  const { bucket } = session.settings
  const except = ['ObjectLockConfigurationNotFoundError', ...NO_ANSWER.slice(1)]
  try {
    const { ObjectLockConfiguration } = await session.call(
      `ask for the object lock of ${session.url()}`,
      (client, options) =>
        client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }), options),
      { ...hurried(session), except },
    )
    if (ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled') return
  } catch (error) {
    if (error instanceof Failure) throw error
  }
  throw new Failure('store', `bucket ${bucket} has no Object Lock, and the store is to lock`, {
    hint: 'create the bucket with Object Lock enabled, or take lock out of the store’s settings',
  })
}
