import type {
  ListMultipartUploadsCommandOutput,
  ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3'
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
} from './s3-client.ts'
import { Failure } from '../errors.ts'
import { checkName, checkPrefix } from './names.ts'
import type { Patience } from './retry.ts'
import { bodyOf } from './s3-body.ts'
import { checkBucket } from './s3-check.ts'
import { download, head } from './s3-download.ts'
import { complete, errorCode } from './s3-errors.ts'
import { readRetention, type Retention, retentionOf } from './s3-lock.ts'
import { removeObjects } from './s3-removal.ts'
import { S3Session } from './s3-session.ts'
import { putObject, type Stored, verifyLocked } from './s3-put.ts'
import { S3Writer } from './s3-upload.ts'
import { AbsentObject } from './store.ts'
import type {
  ObjectWriter,
  ReadOptions,
  S3Settings,
  Store,
  StoredObject,
  StrandedOptions,
  WriteOptions,
} from './store.ts'

/** What a conditional request is answered where the object is there, and where conditions are not known. */
const THERE = 'PreconditionFailed'
const UNKNOWN_CONDITION = 'NotImplemented'

/** @param patience how long to go on with errors that may pass */
export function openS3Store(settings: S3Settings, patience?: Patience): Store {
  return new S3Store(new S3Session(settings, patience))
}

/** Objects of an S3 bucket. The first byte that is written waits for `check`, whether it was called or not. */
class S3Store implements Store {
  readonly label: string
  readonly #session: S3Session
  #checked: Promise<void> | undefined

  constructor(session: S3Session) {
    this.label = session.url()
    this.#session = session
  }

  async check(): Promise<void> {
    const check = checkBucket(this.#session)
    this.#checked = check
    try {
      await check
    } catch (error) {
      // What failed is asked again the next time.
      if (this.#checked === check) this.#checked = undefined
      throw error
    }
  }

  #check(): Promise<void> {
    return this.#checked ?? this.check()
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    checkPrefix(prefix)
    let page: ListObjectsV2CommandOutput | undefined
    do {
      const input = {
        Bucket: this.#session.settings.bucket,
        Prefix: this.#session.key(prefix),
        ...(page?.NextContinuationToken !== undefined && {
          ContinuationToken: page.NextContinuationToken,
        }),
      }
      page = await this.#session.call(`list ${this.label}`, async (client, options) => {
        const answer = await client.send(new ListObjectsV2Command(input), options)
        return complete(answer, answer.IsTruncated)
      })
      for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        const name = this.#session.name(Key)
        if (name !== undefined) yield { name, size: Size, modified: LastModified }
      }
    } while (page.IsTruncated)
  }

  async *read(name: string, options: ReadOptions = {}): AsyncIterable<Buffer> {
    checkName(name)
    yield* download(this.#session, name, options)
  }

  write(name: string, options: WriteOptions = {}): ObjectWriter {
    checkName(name)
    return new S3Writer(this.#session, name, options, () => this.#check())
  }

  async create(name: string, bytes: Uint8Array, options: WriteOptions = {}): Promise<void> {
    checkName(name)
    await this.#check()
    const { signal } = options
    const retention = options.lock === false ? undefined : retentionOf(this.#session.settings)
    // There are servers that overwrite whatever the condition says: most of that is noticed here.
    const stored = (await this.#isThere(name, signal))
      ? undefined
      : await this.#putUnlessThere(name, Buffer.from(bytes), retention, signal)
    if (stored) {
      if (retention) await verifyLocked(this.#session, name, { retention, ...stored }, signal)
      return
    }
    await this.#compare(name, bytes, signal)
    if (retention && !(await this.lockedUntil(name))) {
      throw new Failure('store', `${this.#session.url(name)} is there already, without a lock`, {
        hint: 'remove it and begin again',
      })
    }
  }

  /** Undefined where there is one of that name. */
  async #putUnlessThere(
    name: string,
    bytes: Buffer,
    retention: Retention | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Stored | undefined> {
    const except = [THERE, UNKNOWN_CONDITION]
    const put = { retention, signal, unlessThere: true, except }
    try {
      return await putObject(this.#session, name, bodyOf(bytes), put)
    } catch (error) {
      if (errorCode(error) === THERE) return undefined
      if (errorCode(error) === UNKNOWN_CONDITION) throw unconditional(this.#session.url(name))
      throw error
    }
  }

  /** False, too, where these credentials may not look. */
  async #isThere(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await head(this.#session, name, signal)
      return true
    } catch (error) {
      if (error instanceof AbsentObject) return false
      if (error instanceof Failure && isForbidden(error.cause)) return false
      throw error
    }
  }

  async #compare(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    let same = true
    let at = 0
    const options = signal ? { signal } : {}
    for await (const chunk of download(this.#session, name, options)) {
      same &&= chunk.equals(bytes.subarray(at, at + chunk.length))
      at += chunk.length
      if (!same) break
    }
    if (same && at === bytes.length) return
    throw new Failure('refused', `${this.#session.url(name)} is there already, with other bytes`, {
      hint: 'did another run use the same label? nothing was changed',
    })
  }

  async delete(names: readonly string[]): Promise<void> {
    for (const name of names) checkName(name)
    await removeObjects(this.#session, names)
  }

  async stranded(before: Date, { remove, under }: StrandedOptions): Promise<string[]> {
    const lines: string[] = []
    for await (const { Key, UploadId, Initiated } of this.#uploads(
      under === undefined ? '' : `${under}/`,
    )) {
      const name = this.#session.name(Key ?? '')
      if (name === undefined || !UploadId || !Initiated || Initiated >= before) continue
      const url = this.#session.url(name)
      lines.push(`upload of ${url}, begun ${Initiated.toISOString()}`)
      if (!remove) continue
      const input = { Bucket: this.#session.settings.bucket, Key, UploadId }
      await this.#session
        .call(
          `abort the upload of ${url}`,
          (client, options) => client.send(new AbortMultipartUploadCommand(input), options),
          { except: ['NoSuchUpload'] },
        )
        .catch((error: unknown) => {
          if (error instanceof Failure) throw error
        })
    }
    return lines
  }

  async *#uploads(prefix: string) {
    let page: ListMultipartUploadsCommandOutput | undefined
    do {
      const input = {
        Bucket: this.#session.settings.bucket,
        Prefix: this.#session.key(prefix),
        ...(page?.NextKeyMarker !== undefined && { KeyMarker: page.NextKeyMarker }),
        ...(page?.NextUploadIdMarker !== undefined && {
          UploadIdMarker: page.NextUploadIdMarker,
        }),
      }
      page = await this.#session.call(
        `list uploads below ${this.label}`,
        async (client, options) => {
          const answer = await client.send(new ListMultipartUploadsCommand(input), options)
          return complete(answer, answer.IsTruncated)
        },
      )
      yield* page.Uploads ?? []
    } while (page.IsTruncated)
  }

  async lockedUntil(name: string): Promise<Date | undefined> {
    checkName(name)
    const until = (await readRetention(this.#session, name))?.until
    return until && until > new Date() ? until : undefined
  }

  async close(): Promise<void> {
    this.#session.client.destroy()
  }
}

function isForbidden(cause: unknown): boolean {
  const { $metadata } = (cause ?? {}) as { $metadata?: { httpStatusCode?: number } }
  return $metadata?.httpStatusCode === 403
}

function unconditional(url: string): Failure {
  return new Failure('store', `cannot create ${url}: the server knows no conditional writes`, {
    hint: 'two runs could overwrite each other; upgrade the server to one that knows If-None-Match',
  })
}
