import { createHash } from 'node:crypto'
import { Sealer } from '../seal/sealer.ts'
import type { ObjectWriter, Store, WriteOptions } from '../store/store.ts'
import { BLOCK_BYTES, compressBlock } from '../stream/blocks.ts'

/** An object as the manifest lists it. */
export interface WrittenObject {
  name: string
  size: number
  sha256: string
  /** Bytes before compression. */
  content: number
}

/**
 * Compresses, seals and stores one object: bytes go in, blocks of zstd are made of them, these are sealed, and
 * the digest is taken over what the store gets.
 */
export class SealedObjectWriter {
  readonly name: string
  /** Bytes taken so far. */
  content = 0
  readonly #writer: ObjectWriter
  readonly #sealer: Sealer
  readonly #hash = createHash('sha256')
  readonly #level: number
  #size = 0
  #pending: Promise<void> | undefined

  constructor(
    store: Store,
    name: string,
    sealing: { passphrase: Buffer; level: number },
    options: WriteOptions = {},
  ) {
    this.name = name
    this.#level = sealing.level
    this.#writer = store.write(name, options)
    this.#sealer = new Sealer(sealing.passphrase, (bytes) => this.#emit(bytes))
  }

  #emit(bytes: Buffer): void {
    this.#size += bytes.length
    this.#hash.update(bytes)
    const wait = this.#writer.write(bytes)
    if (wait)
      this.#pending = this.#pending ? Promise.all([this.#pending, wait]).then(() => {}) : wait
  }

  /**
   * Takes the next bytes, which the caller may overwrite afterwards.
   *
   * @returns a promise to wait for before the next ones, where there is one
   */
  write(bytes: Uint8Array): Promise<void> | undefined {
    this.content += bytes.length
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
      this.#compress(bytes.subarray(at, Math.min(at + BLOCK_BYTES, bytes.length)))
    }
    const pending = this.#pending
    this.#pending = undefined
    return pending
  }

  #compress(block: Uint8Array): void {
    for (const piece of compressBlock(block, this.#level)) this.#sealer.update(piece)
  }

  /** Ends the object; the store shows it from then on. It is thrown away where that fails. */
  async complete(): Promise<WrittenObject> {
    try {
      // Nothing is a block too: what decompresses it wants to see one.
      if (this.content === 0) this.#compress(new Uint8Array(0))
      this.#sealer.end()
      await this.#pending
      await this.#writer.complete()
    } catch (error) {
      await this.abort()
      throw error
    }
    return {
      name: this.name,
      size: this.#size,
      sha256: this.#hash.digest('hex'),
      content: this.content,
    }
  }

  /** Throws it away. Never rejects. */
  async abort(): Promise<void> {
    this.#pending?.catch(() => {})
    await this.#writer.abort()
  }
}

/** Seals and stores what is in memory already. */
export async function writeSealed(
  store: Store,
  name: string,
  content: Uint8Array,
  sealing: { passphrase: Buffer; level: number },
  options: WriteOptions = {},
): Promise<WrittenObject> {
  const writer = new SealedObjectWriter(store, name, sealing, options)
  try {
    await writer.write(content)
    return await writer.complete()
  } catch (error) {
    await writer.abort()
    throw error
  }
}
