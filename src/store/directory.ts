import { constants, type Dirent, type Stats } from 'node:fs'
import { access, link, lstat, open, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import { type Bandwidth, sharedBandwidth } from './bandwidth.ts'
import { FileWriter, temporaryStem } from './directory-writer.ts'
import { parentsOf, putBelow, removeEmptyParents } from './directory-tree.ts'
import { diskCode, diskFailure } from './disk-errors.ts'
import { checkName, checkPrefix, HIDDEN, isName } from './names.ts'
import { AbsentObject } from './store.ts'
import type {
  DirectorySettings,
  ObjectWriter,
  ReadOptions,
  Store,
  StoredObject,
  StrandedOptions,
  WriteOptions,
} from './store.ts'

const READ_BYTES = 512 * 1024

/** Objects as files below one directory, which has to be there: an unmounted disk must not be taken for an empty one. */
export class DirectoryStore implements Store {
  readonly label: string
  readonly #path: string
  readonly #bandwidth: Bandwidth | undefined

  constructor(settings: DirectorySettings) {
    this.label = `directory ${settings.path}`
    this.#path = settings.path
    this.#bandwidth = sharedBandwidth(settings.bandwidth)
  }

  async check(): Promise<void> {
    const found = await this.#root()
    if (!found.isDirectory()) {
      throw new Failure('store', `${this.#path} is no directory`, { hint: 'choose a directory' })
    }
    try {
      await access(this.#path, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (error) {
      throw diskFailure(error, `use ${this.label}`)
    }
  }

  async #root(): Promise<Stats> {
    try {
      return await stat(this.#path)
    } catch (error) {
      if (diskCode(error) !== 'ENOENT') throw diskFailure(error, `use ${this.label}`)
      throw new Failure('store', `${this.label} is not there`, {
        hint: `mount its disk, or make it: mkdir -m 700 '${this.#path}'`,
      })
    }
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    checkPrefix(prefix)
    await this.#root()
    yield* this.#walk('', prefix)
  }

  /** Files below `parent`, which is empty or ends in a slash. Links are not followed: they may lead elsewhere. */
  async *#walk(parent: string, prefix: string): AsyncIterable<StoredObject> {
    for (const entry of await this.#entries(parent)) {
      const name = parent + entry.name
      if (!isName(name)) continue
      if (entry.isDirectory()) {
        const below = `${name}/`
        if (below.startsWith(prefix) || prefix.startsWith(below)) yield* this.#walk(below, prefix)
      } else if (entry.isFile() && name.startsWith(prefix)) {
        const found = await this.#stat(name)
        if (found) yield { name, size: found.size, modified: found.mtime }
      }
    }
  }

  /** In the byte order of the names that lie there: a directory's go on with a slash. Names are ASCII. */
  async #entries(parent: string): Promise<Dirent[]> {
    try {
      const found = await readdir(join(this.#path, parent), { withFileTypes: true })
      const key = (entry: Dirent) => (entry.isDirectory() ? `${entry.name}/` : entry.name)
      return found.sort((a, b) => (key(a) < key(b) ? -1 : 1))
    } catch (error) {
      if (diskCode(error) === 'ENOENT' && parent !== '') return []
      throw diskFailure(error, `list ${join(this.#path, parent)}`)
    }
  }

  /** Undefined where it was removed meanwhile. */
  async #stat(name: string): Promise<Stats | undefined> {
    try {
      return await lstat(join(this.#path, name))
    } catch (error) {
      if (diskCode(error) === 'ENOENT') return undefined
      throw diskFailure(error, `look at ${this.#file(name)}`)
    }
  }

  async *read(name: string, { offset = 0, signal }: ReadOptions = {}): AsyncIterable<Buffer> {
    const file = await this.#open(name)
    try {
      // A file that is replaced meanwhile stays what it was for those that have it open.
      const { size } = await file.stat()
      if (offset > size) throw tooShort(this.#file(name), size, offset)
      for (let at = offset; at < size;) {
        signal?.throwIfAborted()
        const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size - at))
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
        if (bytesRead === 0) throw tooShort(this.#file(name), at, size)
        await this.#bandwidth?.take(bytesRead, signal)
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } catch (error) {
      signal?.throwIfAborted()
      throw diskFailure(error, `read ${this.#file(name)}`)
    } finally {
      await file.close()
    }
  }

  async #open(name: string) {
    checkName(name)
    try {
      await parentsOf(this.#path, name)
      const file = await open(this.#file(name), constants.O_RDONLY | constants.O_NOFOLLOW)
      if ((await file.stat()).isFile()) return file
      await file.close()
    } catch (error) {
      const code = diskCode(error)
      if (code !== 'ENOENT' && code !== 'ENOTDIR')
        throw diskFailure(error, `read ${this.#file(name)}`)
      await this.#root()
    }
    throw new AbsentObject(`object ${name} in ${this.label}`)
  }

  write(name: string, options: WriteOptions = {}): ObjectWriter {
    return this.#writer(name, options)
  }

  #writer(name: string, options: WriteOptions): FileWriter {
    checkName(name)
    return new FileWriter(this.#path, name, this.#bandwidth, options.signal)
  }

  async create(name: string, bytes: Uint8Array, options: WriteOptions = {}): Promise<void> {
    const writer = this.#writer(name, options)
    try {
      await writer.write(bytes)
      const temporary = await writer.finish()
      try {
        // Of two links of one name the second fails; a rename would replace the first.
        await putBelow(this.#path, name, () => link(temporary, this.#file(name)))
      } catch (error) {
        if (diskCode(error) !== 'EEXIST') throw linkFailure(error, this.#file(name))
        await this.#compare(name, bytes)
      }
    } finally {
      await writer.abort()
    }
  }

  async #compare(name: string, bytes: Uint8Array): Promise<void> {
    const found = await this.#stat(name)
    let same = found?.isFile() === true && found.size === bytes.length
    let at = 0
    if (same) {
      for await (const chunk of this.read(name)) {
        same &&= chunk.equals(bytes.subarray(at, at + chunk.length))
        at += chunk.length
      }
    }
    if (same && at === bytes.length) return
    throw new Failure('refused', `${this.#file(name)} is there already, with other bytes`, {
      hint: 'did another run use the same label? nothing was changed',
    })
  }

  async delete(names: readonly string[]): Promise<void> {
    for (const name of names) checkName(name)
    for (const name of names) {
      try {
        await parentsOf(this.#path, name)
        await unlink(this.#file(name))
        await removeEmptyParents(this.#path, name)
      } catch (error) {
        const code = diskCode(error)
        if (code === 'ENOENT' || code === 'ENOTDIR') await this.#root()
        else throw diskFailure(error, `remove ${this.#file(name)}`)
      }
    }
  }

  /** Temporary files that nothing was written to since `before`. */
  async stranded(before: Date, { remove, under }: StrandedOptions): Promise<string[]> {
    await this.#root()
    const lines: string[] = []
    for (const entry of await this.#entries('')) {
      if (!HIDDEN.test(entry.name) || !entry.isFile()) continue
      if (under !== undefined && !entry.name.startsWith(temporaryStem(under))) continue
      const found = await this.#stat(entry.name)
      if (!found || found.mtime >= before) continue
      const path = this.#file(entry.name)
      lines.push(
        `temporary file ${path}, ${found.size} bytes, written ${found.mtime.toISOString()}`,
      )
      try {
        if (remove) await unlink(path)
      } catch (error) {
        if (diskCode(error) !== 'ENOENT') throw diskFailure(error, `remove ${path}`)
      }
    }
    return lines
  }

  /** Directories have no locks. */
  async lockedUntil(name: string): Promise<undefined> {
    const file = await this.#open(name)
    await file.close()
  }

  async close(): Promise<void> {}

  #file(name: string): string {
    return join(this.#path, name)
  }
}

function tooShort(path: string, size: number, wanted: number): Failure {
  return new Failure('store', `cannot read ${path}: it ends at byte ${size}, not ${wanted}`, {
    hint: 'something has cut the file off',
  })
}

function linkFailure(error: unknown, path: string): unknown {
  // What FAT and some network file systems answer to link(2).
  if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK'].includes(diskCode(error))) {
    return diskFailure(error, `create ${path}`)
  }
  return new Failure('store', `cannot create ${path}: the file system makes no hard links`, {
    hint: 'they keep two runs from writing the same object; choose one such as ext4, XFS or NFS',
    cause: error,
  })
}
