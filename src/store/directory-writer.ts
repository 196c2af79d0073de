import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import pLimit from 'p-limit'
import type { Bandwidth } from './bandwidth.ts'
import { putBelow } from './directory-tree.ts'
import { diskFailure } from './disk-errors.ts'
import { Parts } from './parts.ts'
import type { ObjectWriter } from './store.ts'

const BUFFER_BYTES = 1024 * 1024

/**
 * How names of temporary files begin for objects that lie `under` a name: with the beginning of its SHA-256, so that a
 * run that failed removes its own and not those of another.
 */
export function temporaryStem(under: string): string {
  return `.pgveil-${createHash('sha256').update(under).digest('hex').slice(0, 16)}`
}

/** Writes a temporary file at the top of the store, which `complete` moves to its place. */
export class FileWriter implements ObjectWriter {
  readonly #root: string
  readonly #name: string
  readonly #bandwidth: Bandwidth | undefined
  readonly #signal: AbortSignal | undefined
  readonly #temporary: string
  readonly #parts: Parts
  #file: Promise<FileHandle> | undefined
  #at = 0
  #over = false

  constructor(
    root: string,
    name: string,
    bandwidth: Bandwidth | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#root = root
    this.#name = name
    this.#bandwidth = bandwidth
    this.#signal = signal
    this.#temporary = join(
      root,
      `${temporaryStem(name.split('/', 1)[0] as string)}${randomBytes(8).toString('hex')}.part`,
    )
    this.#parts = new Parts({
      sizeOf: () => BUFFER_BYTES,
      slots: pLimit(1),
      store: (part) => this.#store(part),
    })
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#over) return Promise.reject(new Error('the object is over'))
    if (this.#signal?.aborted) return Promise.reject(this.#signal.reason as Error)
    return this.#parts.write(bytes)
  }

  async #store(part: Buffer): Promise<void> {
    await this.#bandwidth?.take(part.length, this.#signal)
    try {
      const file = await this.#open()
      for (let from = 0; from < part.length;) {
        const { bytesWritten } = await file.write(part, from, part.length - from, this.#at)
        from += bytesWritten
        this.#at += bytesWritten
      }
    } catch (error) {
      throw diskFailure(error, this.#doing())
    }
  }

  #open(): Promise<FileHandle> {
    this.#file ??= open(this.#temporary, 'wx', 0o600)
    return this.#file
  }

  /**
   * Ends the temporary file, which is on the disk for certain then.
   *
   * @returns its path
   */
  async finish(): Promise<string> {
    if (this.#over) throw new Error('the object is over')
    this.#parts.flush()
    await this.#parts.drain()
    this.#signal?.throwIfAborted()
    try {
      const file = await this.#open()
      await file.sync()
    } catch (error) {
      throw diskFailure(error, this.#doing())
    }
    return this.#temporary
  }

  async complete(): Promise<void> {
    await this.finish()
    const path = join(this.#root, this.#name)
    try {
      await putBelow(this.#root, this.#name, () => rename(this.#temporary, path))
    } catch (error) {
      throw diskFailure(error, this.#doing())
    }
    await this.#close()
    this.#over = true
  }

  async abort(): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#parts.stop(new Error('the object was aborted'))
    if (!this.#file) return
    await this.#close()
    await unlink(this.#temporary).catch(() => {})
  }

  async #close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined)
    await file?.close().catch(() => {})
  }

  #doing(): string {
    return `write ${join(this.#root, this.#name)}`
  }
}
