import { Failure } from '../errors.ts'

/** Whether `region` is in a list of names and of beginnings that end in `*`. */
export function isAllowed(region: string, allowed: readonly string[]): boolean {
  return allowed.some((entry) =>
    entry.endsWith('*') ? region.startsWith(entry.slice(0, -1)) : region === entry,
  )
}

/**
 * @param whose what lies in that region, for the message
 * @throws Failure `refused` where bytes may not go there
 */
export function guardRegion(whose: string, region: string, allowed: readonly string[]): void {
  if (isAllowed(region, allowed)) return
  throw new Failure(
    'refused',
    `${whose} is in region ${region}, and bytes may only go to ${allowed.join(', ')}`,
    {
      hint: `choose a bucket in an allowed region, or add ${region} to allowedRegions of the store`,
    },
  )
}

/** Whether an endpoint is one of Amazon's own. */
export function isAmazon(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(hostOf(endpoint))
}

/**
 * The region that one of Amazon's endpoints is in, like `https://s3.eu-west-1.amazonaws.com`.
 *
 * @returns undefined where the endpoint does not tell
 */
export function endpointRegion(endpoint: string): string | undefined {
  if (!isAmazon(endpoint)) return undefined
  const host = hostOf(endpoint)
  const named = /(?:^|[.-])([a-z]{2,}(?:-[a-z]+)+-\d+)\.(?:[a-z]+\.)*amazonaws\.com/.exec(host)
  if (named) return named[1]
  return /(?:^|\.)s3\.amazonaws\.com$/.test(host) ? 'us-east-1' : undefined
}

function hostOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).hostname.toLowerCase() : ''
}

/** What GetBucketLocation says, as the name of a region: nothing is its oldest one, EU the second oldest. */
export function locationRegion(constraint: string | undefined): string {
  if (!constraint) return 'us-east-1'
  return constraint === 'EU' ? 'eu-west-1' : constraint
}
