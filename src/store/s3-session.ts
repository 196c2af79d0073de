import pLimit from 'p-limit'
import { S3Client } from './s3-client.ts'
import { Failure } from '../errors.ts'
import { type Bandwidth, sharedBandwidth } from './bandwidth.ts'
import { makeTransport } from './http.ts'
import { isName } from './names.ts'
import { SpareMemory } from './parts.ts'
import { PATIENCE, type Patience, retry } from './retry.ts'
import { errorCode, prospect, s3Failure } from './s3-errors.ts'
import type { S3Settings } from './store.ts'

/** Handed on to the credentials' providers: files are read anew where credentials expired. */
const RENEWABLE = { ignoreCache: true }

/** Parts that are sent at the same time. */
const PARTS_IN_FLIGHT = 2

/** Options of the client's `send`. */
interface SendOptions {
  abortSignal?: AbortSignal
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Codes that the caller deals with: they come as the client threw them, and at once. */
  except?: readonly string[]
  patience?: Patience
}

/** One bucket as seen through the S3 client, with what all requests have in common. */
export class S3Session {
  readonly settings: S3Settings
  readonly client: S3Client
  readonly patience: Patience
  readonly bandwidth: Bandwidth | undefined
  /** For parts on their way: of an object that ends, and of the next one already. */
  readonly slots = pLimit(PARTS_IN_FLIGHT)
  readonly memory = new SpareMemory(PARTS_IN_FLIGHT + 4)

  constructor(settings: S3Settings, patience: Patience = PATIENCE) {
    // An access point or a name with slashes would lead past the region guard.
    if (!/^[A-Za-z0-9._-]+$/.test(settings.bucket)) {
      throw new Failure('config', `${JSON.stringify(settings.bucket)} is no name of a bucket`, {
        hint: 'give the name alone, not an ARN or a path',
      })
    }
    this.settings = settings
    this.patience = patience
    this.bandwidth = sharedBandwidth(settings.bandwidth)
    const { stallSeconds } = settings
    // The client announces on standard error, once a process, that Node 20 has an end.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
    this.client = new S3Client({
      region: settings.region,
      ...(settings.endpoint !== undefined && { endpoint: settings.endpoint }),
      // AWS_ENDPOINT_URL and profiles would lead past the region guard.
      ignoreConfiguredEndpointUrls: true,
      followRegionRedirects: false,
      forcePathStyle: settings.pathStyle,
      requestHandler: makeTransport({ stallSeconds, bandwidth: this.bandwidth }),
      // Attempts are counted here, where the part is known that may be sent again.
      maxAttempts: 1,
      // Checksums are our own: the client computes its in JavaScript.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      ...RENEWABLE,
    })
  }

  key(name: string): string {
    const { prefix } = this.settings
    return prefix === '' ? name : `${prefix}/${name}`
  }

  /** The name that a key of the bucket stands for; undefined: not one of the store's. */
  name(key: string): string | undefined {
    const start = this.key('')
    const name = key.startsWith(start) ? key.slice(start.length) : ''
    return isName(name) ? name : undefined
  }

  /** For people. */
  url(name = ''): string {
    const { bucket, prefix } = this.settings
    return ['s3:/', bucket, prefix, name].filter((part) => part !== '').join('/')
  }

  /**
   * Makes a request, again and again where what fails may pass. Expired credentials are asked for anew, once.
   *
   * @param doing for the message, like `read s3://bucket/key`
   * @throws Failure `store`; a code of `except` as it came; the signal's reason
   */
  async call<T>(
    doing: string,
    act: (client: S3Client, options: SendOptions, attempt: number) => Promise<T>,
    { signal, except = [], patience = this.patience }: CallOptions = {},
  ): Promise<T> {
    const again = this.judge(except)
    const options = signal ? { abortSignal: signal } : {}
    try {
      return await retry(patience, (attempt) => act(this.client, options, attempt), again, signal)
    } catch (error) {
      signal?.throwIfAborted()
      throw except.includes(errorCode(error)) ? error : s3Failure(error, doing)
    }
  }

  /** Tells errors that may pass from those that will not, over the attempts of one request. */
  judge(except: readonly string[] = []): (error: unknown) => Promise<boolean> {
    let renewed = false
    let skewed = false
    return async (error) => {
      if (except.includes(errorCode(error))) return false
      // The client has learned the server's time from the answer; that helps at once or never.
      if (errorCode(error) === 'RequestTimeTooSkewed') {
        const first = !skewed
        skewed = true
        return first
      }
      const outlook = prospect(error)
      if (outlook !== 'renew') return outlook === 'again'
      if (renewed) return false
      renewed = true
      await this.client.config.credentials({ forceRefresh: true })
      return true
    }
  }
}
