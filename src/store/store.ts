import { Failure } from '../errors.ts'

/** There is no object of that name, though the store can be reached. */
export class AbsentObject extends Failure {
  constructor(label: string) {
    super('store', `there is no ${label}`)
  }
}

/**
 * Where backups lie: a directory or an S3 bucket. Everything that goes through here is sealed, signed or meant
 * for the public.
 *
 * Names are relative to the store's own prefix: parts of `[A-Za-z0-9._-]+` joined by `/`, none of them `.` or
 * `..`. Every method throws a Failure of kind `store` that names what it was doing and the object, unless it says
 * otherwise; errors that may pass (connections, 5xx, throttling, stalls) have been tried again by then. No message
 * holds credentials.
 */
export interface Store {
  /** For people, like `s3://bucket/prefix` or `directory /srv/backups`. */
  readonly label: string

  /**
   * Asks, before the first byte, whether the store may be used: it can be reached, its region is allowed, and
   * Object Lock is there where it is configured. Where nobody asked, the first byte that is written waits for it.
   *
   * @throws Failure `refused` for a region that is not allowed; `store`
   */
  check(): Promise<void>

  /** Objects whose names begin with `prefix`, in byte order of their names. Only completed ones. */
  list(prefix: string): AsyncIterable<StoredObject>

  /**
   * The bytes of an object from `offset` on. A connection that breaks or stalls is opened anew where it stopped, on
   * the same version of the object; where that was replaced meanwhile, it cannot be read.
   *
   * @throws Failure `store` where it cannot be read; {@link AbsentObject} where there is none
   */
  read(name: string, options?: ReadOptions): AsyncIterable<Buffer>

  /**
   * Begins an object. Nothing of it can be seen before `complete` returned; where there is one of that name
   * already, it is replaced then.
   */
  write(name: string, options?: WriteOptions): ObjectWriter

  /**
   * Stores a small object only where there is none of that name. Of two that try at the same time one wins.
   *
   * @throws Failure `refused` where there is one with other bytes; the same bytes are a success (an answer that
   *   was lost on the way)
   */
  create(name: string, bytes: Uint8Array, options?: WriteOptions): Promise<void>

  /**
   * Removes objects with every version of them that the store keeps; those that are not there count as removed.
   *
   * @throws Failure `refused` where a lock keeps one
   */
  delete(names: readonly string[]): Promise<void>

  /**
   * What uploads that never ended have left: multipart uploads begun before `before`, temporary files that nobody
   * has written to since.
   *
   * @returns a line for each, for people; with `remove` they are gone afterwards
   */
  stranded(before: Date, options: StrandedOptions): Promise<string[]>

  /** Until when a lock keeps the object; undefined: it does not. */
  lockedUntil(name: string): Promise<Date | undefined>

  /** Ends connections that are open. */
  close(): Promise<void>
}

export interface StoredObject {
  name: string
  /** Bytes. */
  size: number
  modified: Date
}

export interface ReadOptions {
  /** Bytes to leave out at the beginning. */
  offset?: number
  signal?: AbortSignal
}

export interface StrandedOptions {
  remove: boolean
  /** Only what belongs to objects whose names begin with this and a slash; it has no slash itself. */
  under?: string
}

export interface WriteOptions {
  /** False: not put under Object Lock, though the store is configured to; for what has to be removed early. */
  lock?: boolean
  signal?: AbortSignal
}

/** An object under way. Memory is bounded: a few parts, however long the object gets. */
export interface ObjectWriter {
  /**
   * Takes the next bytes, which the caller may overwrite once this returns.
   *
   * @returns undefined where more can come at once; else a promise to wait for first. It rejects where a part
   *   cannot be stored
   */
  write(bytes: Uint8Array): Promise<void> | undefined
  /** Makes the object visible, once everything is stored and, where there is a lock, read back as locked. */
  complete(): Promise<void>
  /** Throws away what was written. Never rejects; after `complete` it does nothing. */
  abort(): Promise<void>
}

export type { DirectorySettings, S3Settings, StoreSettings } from '../config/store.ts'
