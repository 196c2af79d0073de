import { Failure } from '../errors.ts'

/** What an error of the S3 client carries, where it has it. None of it is the request. */
interface ServiceError {
  name?: unknown
  code?: unknown
  Code?: unknown
  message?: unknown
  $metadata?: { httpStatusCode?: number; clockSkewCorrected?: boolean }
  /** There where the server refused, and not where its answer could not be read. */
  $fault?: unknown
  $response?: { statusCode?: number; headers?: Record<string, string> }
}

/** An answer that says it went well, and is not one of S3's. */
export class UnreadableError extends Error {
  readonly code = 'UNREADABLE'
}

/**
 * Lists answered by something that is not S3 must not be taken for empty ones.
 *
 * @returns `answer`
 * @throws UnreadableError where what every such answer has is missing in it
 */
export function complete<T>(answer: T, has: unknown): T {
  if (has === undefined) throw new UnreadableError('the answer is not one of S3')
  return answer
}

/** May pass; may pass with other credentials; will not pass. */
export type Prospect = 'again' | 'renew' | 'never'

/** Refusals that pass though their status says otherwise. */
const PASSING = new Set([
  'RequestTimeout',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'InternalError',
  'ServiceUnavailable',
  'OperationAborted',
  'ConditionalRequestConflict',
  // Damaged on the way: what was signed is still here.
  'IncompleteBody',
  'BadDigest',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
  'STALLED',
  'TRUNCATED',
  'ERR_STREAM_PREMATURE_CLOSE',
  'UNREADABLE',
])
const EXPIRED = new Set(['ExpiredToken', 'ExpiredTokenException', 'TokenRefreshRequired'])
/** Statuses of 500 and more that tell of a limit, not of a moment. */
const LASTING = new Set([501, 505, 507])
/** How Node names what is wrong with the other side's certificate. */
const CERTIFICATE = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_|HOSTNAME_MISMATCH)/

/** The code that S3 or the system gave, like `NoSuchKey` or `ECONNRESET`; '' where there is none. */
export function errorCode(error: unknown): string {
  const { Code, code, name, $fault } = (error ?? {}) as ServiceError
  for (const each of [Code, code]) if (typeof each === 'string') return each
  // Names of what the language throws are no codes.
  return typeof name === 'string' && ($fault || name.endsWith('ProviderError')) ? name : ''
}

export function errorStatus(error: unknown): number | undefined {
  const { $metadata, $response } = (error ?? {}) as ServiceError
  return $metadata?.httpStatusCode ?? $response?.statusCode
}

/** A header of the answer that an error came with. */
export function errorHeader(error: unknown, name: string): string | undefined {
  return (error as ServiceError | undefined)?.$response?.headers?.[name]
}

/** Whether a request that failed so may be sent again. */
export function prospect(error: unknown): Prospect {
  const code = errorCode(error)
  const status = errorStatus(error)
  if (error instanceof Failure) return 'never'
  if (EXPIRED.has(code)) return 'renew'
  if (PASSING.has(code)) return 'again'
  if ((error as ServiceError).$metadata?.clockSkewCorrected) return 'again'
  if (status === undefined)
    return /^(E(?!RR_)[A-Z_]+|HPE_\w+)$/.test(code) && code !== 'EPROTO' ? 'again' : 'never'
  if (status === 429) return 'again'
  if (status >= 500) return LASTING.has(status) ? 'never' : 'again'
  // An error in an answer that began well, or an answer that cannot be read.
  return status < 300 ? 'again' : 'never'
}

const UNREADABLE: [reason: string, hint: string] = [
  'the answer cannot be read',
  'is the endpoint an S3 server? does a proxy answer in its place?',
]

const REASONS: Readonly<Record<string, [reason: string, hint?: string]>> = {
  NoSuchBucket: ['there is no such bucket', 'create it, or look at bucket, region and endpoint'],
  InvalidAccessKeyId: [
    'the server does not know the access key',
    'look at AWS_ACCESS_KEY_ID or the profile in use; is it the key of another server?',
  ],
  SignatureDoesNotMatch: [
    'the secret key does not fit the access key',
    'look at AWS_SECRET_ACCESS_KEY or the profile in use',
  ],
  ExpiredToken: ['the credentials have expired', 'log in anew, or give a role that renews itself'],
  InvalidToken: ['the session token is not valid', 'log in anew, or unset AWS_SESSION_TOKEN'],
  CredentialsProviderError: [
    'no credentials were found',
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role',
  ],
  RequestTimeTooSkewed: [
    'the clocks of this machine and the server differ too much',
    'set the clock (NTP)',
  ],
  QuotaExceeded: ['the quota is used up', 'raise the quota, or remove older backups'],
  XMinioAdminBucketQuotaExceeded: ['the quota is used up', 'raise it, or remove older backups'],
  XMinioStorageFull: ['the server is full', 'make room there'],
  InsufficientStorage: ['the server is full', 'make room there'],
  NoSuchUpload: [
    'the upload was aborted meanwhile',
    'does a lifecycle rule, or a prune with a short grace time, abort uploads under way?',
  ],
  PermanentRedirect: [
    'the bucket is in another region or at another endpoint',
    'set region (and endpoint)',
  ],
  AuthorizationHeaderMalformed: ['the bucket is in another region', 'set region to the bucket’s'],
  IllegalLocationConstraintException: [
    'the bucket is in another region',
    'set region to the bucket’s',
  ],
  EntityTooLarge: ['the object is larger than the server takes', 'choose smaller segments'],
  InvalidObjectState: ['the object was moved to an archive', 'restore it from the archive first'],
  MethodNotAllowed: ['the server does not know this kind of request'],
  NotImplemented: ['the server does not know this kind of request'],
  UNREADABLE,
  STALLED: [
    'no byte moved for too long',
    'look at the network; stallSeconds sets how long is too long',
  ],
  TRUNCATED: ['the connection ended before all was there', 'look at the network'],
  ENOTFOUND: ['the host name is not known', 'look at endpoint, region and the name server'],
  EAI_AGAIN: ['the name server does not answer', 'look at the network'],
  ECONNREFUSED: ['nothing listens there', 'look at endpoint and port; is the server running?'],
  ECONNRESET: ['the connection broke', 'look at the network'],
  EPIPE: ['the connection broke', 'look at the network'],
  ETIMEDOUT: ['the connection timed out', 'look at the network; does a firewall keep it back?'],
  EHOSTUNREACH: ['the host cannot be reached', 'look at the network'],
  ENETUNREACH: ['the network cannot be reached', 'look at the network'],
  EPROTO: ['the other side does not speak TLS', 'is the endpoint http:// in place of https://?'],
}
const ALIASES: Readonly<Record<string, string>> = {
  ExpiredTokenException: 'ExpiredToken',
  TokenRefreshRequired: 'ExpiredToken',
  ERR_STREAM_PREMATURE_CLOSE: 'TRUNCATED',
  '404': 'NoSuchBucket',
  '507': 'InsufficientStorage',
  '501': 'NotImplemented',
  '405': 'MethodNotAllowed',
  '301': 'PermanentRedirect',
}

/**
 * What a refused or broken request means to the user. Codes and statuses are printed, the server's own words are
 * not: they may repeat what was signed.
 *
 * @param doing what was tried and with what, like `write s3://bucket/key`
 */
export function s3Failure(error: unknown, doing: string): unknown {
  if (error instanceof Failure) return error
  const code = errorCode(error)
  const status = errorStatus(error)
  const unknown = code === '' || (/^ERR_(?!TLS|SSL)/.test(code) && !(code in ALIASES))
  if (status === undefined && unknown) return error
  const [reason, hint] = reasonOf(error, code, status)
  return new Failure('store', `cannot ${doing}: ${reason}`, {
    ...(hint && { hint }),
    cause: error,
  })
}

function reasonOf(error: unknown, code: string, status = 0): [reason: string, hint?: string] {
  const known = REASONS[ALIASES[code] ?? code]
  if (known) return known
  if (CERTIFICATE.test(code)) {
    return [
      `the server's certificate is not trusted (${code})`,
      'name its authority in NODE_EXTRA_CA_CERTS; does the endpoint fit the certificate?',
    ]
  }
  if (status === 403) return ['access denied', permission(error)]
  const byStatus = REASONS[ALIASES[String(status)] ?? '']
  if (byStatus) return byStatus
  if (status >= 200 && status < 300 && code === '') return UNREADABLE
  const shown = /^[\w.-]{1,60}$/.test(code) ? code : ''
  const reason = `the server says ${[status || '', shown].filter(Boolean).join(' ') || 'nothing'}`
  return status >= 500 && !LASTING.has(status)
    ? [reason, 'it was asked again and again; is it overloaded, or down? run again later']
    : [reason]
}

/** Only the name of the action is taken from the server's words. */
function permission(error: unknown): string {
  const { message } = error as ServiceError
  const action = typeof message === 'string' ? /\bs3:[A-Za-z]+\b/.exec(message)?.[0] : undefined
  return action
    ? `allow ${action} to these credentials`
    : 'look at what these credentials are allowed, and at the policy of the bucket'
}
