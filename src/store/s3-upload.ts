import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from './s3-client.ts'
import { Failure } from '../errors.ts'
import { Parts } from './parts.ts'
import { bodyFields, bodyOf, signedAs } from './s3-body.ts'
import { head } from './s3-download.ts'
import { complete, errorCode } from './s3-errors.ts'
import { lockFields, type Retention, retentionOf } from './s3-lock.ts'
import { putObject, sameDigest, type Stored, verifyDigest, verifyLocked } from './s3-put.ts'
import type { S3Session } from './s3-session.ts'
import { AbsentObject, type ObjectWriter, type WriteOptions } from './store.ts'

const FIRST_PART = 6 * 1024 * 1024
/** Some servers want parts of one size: an object is beyond 5.8 GiB before they grow. */
const PARTS_OF_A_SIZE = 1000
const MOST_PARTS = 10_000

/**
 * Bytes of part `number`: 6 MiB, doubled after every 1,000 parts, so that an object of 5 TiB, S3's largest, ends
 * below its limit of 10,000 parts. A job holds six parts in memory at most: two on their way, two that wait to follow
 * them, of an object that ends and of the next one, one that is being filled, and memory for another.
 */
export function partSize(number: number): number {
  return FIRST_PART * 2 ** Math.floor((number - 1) / PARTS_OF_A_SIZE)
}

interface StoredPart {
  PartNumber: number
  ETag: string
  sha256: Buffer
}

/** Stores an object: by one request where one part holds it, else as a multipart upload. */
export class S3Writer implements ObjectWriter {
  readonly #session: S3Session
  readonly #name: string
  readonly #options: WriteOptions
  readonly #checked: () => Promise<void>
  readonly #parts: Parts
  readonly #stored: StoredPart[] = []
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  #retention: Retention | undefined
  #upload: Promise<string> | undefined
  #over = false

  /** @param checked resolves once the bucket may be written to */
  constructor(
    session: S3Session,
    name: string,
    options: WriteOptions,
    checked: () => Promise<void>,
  ) {
    this.#session = session
    this.#name = name
    this.#options = options
    this.#checked = checked
    const { signal } = this.#abort
    this.#signal = options.signal ? AbortSignal.any([options.signal, signal]) : signal
    this.#parts = new Parts({
      sizeOf: partSize,
      slots: session.slots,
      memory: session.memory,
      store: (part, number) => this.#storePart(part, number),
    })
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over) return Promise.reject(new Error('the object is over'))
    if (this.#signal.aborted) return Promise.reject(this.#signal.reason as Error)
    return this.#parts.write(bytes)
  }

  async #storePart(part: Buffer, number: number): Promise<void> {
    const doing = this.#doing()
    if (number > MOST_PARTS) throw new Failure('store', `cannot ${doing}: it is too large`)
    this.#upload ??= this.#begin()
    const UploadId = await this.#upload
    const body = bodyOf(part)
    const answer = await this.#session.call(
      doing,
      (client, options) => {
        const input = { ...this.#target(), UploadId, PartNumber: number }
        const fields = bodyFields(body, this.#session.settings)
        return client.send(signedAs(new UploadPartCommand({ ...input, ...fields }), body), options)
      },
      { signal: this.#signal },
    )
    verifyDigest(answer.ChecksumSHA256, body.sha256.toString('base64'), doing)
    if (!answer.ETag) throw new Failure('store', `cannot ${doing}: the server named no ETag`)
    this.#stored.push({ PartNumber: number, ETag: answer.ETag, sha256: body.sha256 })
  }

  /** @returns the id of the multipart upload */
  async #begin(): Promise<string> {
    await this.#checked()
    this.#retention = this.#wantedLock()
    const { checksums } = this.#session.settings
    const input = {
      ...this.#target(),
      ...lockFields(this.#retention),
      ...(checksums === 'always' && { ChecksumAlgorithm: 'SHA256' as const }),
    }
    const { UploadId } = await this.#session.call(
      this.#doing(),
      (client, options) => client.send(new CreateMultipartUploadCommand(input), options),
      { signal: this.#signal },
    )
    if (!UploadId) throw new Failure('store', `cannot ${this.#doing()}: the server named no upload`)
    return UploadId
  }

  async complete(): Promise<void> {
    if (this.#over) throw new Error('the object is over')
    const stored = this.#parts.begun === 0 ? await this.#put() : await this.#completeParts()
    this.#over = true
    const retention = this.#retention
    if (!retention) return
    await verifyLocked(this.#session, this.#name, { retention, ...stored }, this.#signal)
  }

  async #put(): Promise<Stored> {
    await this.#checked()
    this.#retention = this.#wantedLock()
    const stored = await putObject(this.#session, this.#name, bodyOf(this.#parts.rest()), {
      retention: this.#retention,
      signal: this.#signal,
    })
    this.#parts.release()
    return stored
  }

  async #completeParts(): Promise<Stored> {
    this.#parts.flush()
    await this.#parts.drain()
    this.#signal.throwIfAborted()
    this.#stored.sort((a, b) => a.PartNumber - b.PartNumber)
    const UploadId = await (this.#upload as Promise<string>)
    const { checksums } = this.#session.settings
    const Parts = this.#stored.map(({ sha256, ...part }) => ({
      ...part,
      ...(checksums === 'always' && { ChecksumSHA256: sha256.toString('base64') }),
    }))
    const input = { ...this.#target(), UploadId, MultipartUpload: { Parts } }
    const answer = await this.#session.call(
      this.#doing(),
      async (client, options, attempt) => {
        try {
          const sent = await client.send(new CompleteMultipartUploadCommand(input), options)
          return complete(sent, sent.ETag)
        } catch (error) {
          // The upload is gone once it is complete: an earlier attempt went through, and its answer was lost.
          if (attempt === 1 || errorCode(error) !== 'NoSuchUpload') throw error
          if (!(await this.#isThere())) throw error
          return { ChecksumSHA256: undefined, VersionId: undefined }
        }
      },
      { signal: this.#signal },
    )
    verifyDigest(answer.ChecksumSHA256, this.#digests().sha256, this.#doing())
    return { version: answer.VersionId }
  }

  /** Whether the object that lies there is this one. */
  async #isThere(): Promise<boolean> {
    const found = await head(this.#session, this.#name, this.#signal).catch((error: unknown) => {
      if (error instanceof AbsentObject) return undefined
      throw error
    })
    if (found?.size !== this.#parts.size) return false
    const { sha256, etag } = this.#digests()
    return found.sha256 === undefined ? found.etag === etag : sameDigest(found.sha256, sha256)
  }

  /** Digests of the parts' digests, as S3 forms them for an object made of parts. */
  #digests(): { sha256: string; etag: string } {
    const count = this.#stored.length
    const sha256 = createHash('sha256')
    const md5 = createHash('md5')
    for (const part of this.#stored) {
      sha256.update(part.sha256)
      md5.update(Buffer.from(part.ETag.replaceAll('"', ''), 'hex'))
    }
    return {
      sha256: `${sha256.digest('base64')}-${count}`,
      etag: `"${md5.digest('hex')}-${count}"`,
    }
  }

  async abort(): Promise<void> {
    if (this.#over) return
    this.#over = true
    const reason = new Error('the object was aborted')
    this.#abort.abort(reason)
    await this.#parts.stop(reason)
    const UploadId = await this.#upload?.catch(() => undefined)
    if (UploadId === undefined) return
    const input = { ...this.#target(), UploadId }
    await this.#session
      .call(this.#doing(), (client) => client.send(new AbortMultipartUploadCommand(input)))
      .catch(() => {})
  }

  #wantedLock(): Retention | undefined {
    return this.#options.lock === false ? undefined : retentionOf(this.#session.settings)
  }

  #target(): { Bucket: string; Key: string } {
    return { Bucket: this.#session.settings.bucket, Key: this.#session.key(this.#name) }
  }

  #doing(): string {
    return `write ${this.#session.url(this.#name)}`
  }
}
