import { mkdir, open, truncate, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { fileOf, listFiles, readLines } from './files.ts'
import { readHead, syncDirectory, writeHead, type Head } from './head.ts'
import { lockedBy, lockOwner, takeLock } from './lock.ts'
import {
  AUDIT_FORMAT,
  hashOf,
  NOTHING_BEFORE,
  splitLines,
  writeRecord,
  type Told,
} from './record.ts'
import { removeOld } from './retention.ts'

const LOCK = { wait: 10_000, patience: 60_000 }

/** Something that is not as the last command left it; `audit verify` tells what. */
export type Damage = { code: 'audit-broken'; message: string }

export interface Appended {
  /** A new file was begun: those before it are closed. */
  rotated: boolean
  damage?: Damage
}

export interface AppendOptions {
  time: Date
  /** Files of days before are removed when a new one is begun. */
  keepDays: number
}

/**
 * Adds a record to the chain, which is on the disk for certain then. Waits for other processes, seconds at most.
 *
 * @param directory is made where it is missing
 * @throws Failure `refused` where another process keeps the lock; NodeJS.ErrnoException where the directory
 *   cannot be written
 */
export async function append(
  directory: string,
  told: Told,
  options: AppendOptions,
): Promise<Appended> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'lock')
  const lock = await takeLock(path, LOCK)
  if (!lock) throw lockedBy(path, await lockOwner(path))
  try {
    const chain = await Chain.open(directory, options.time)
    const rotated = await chain.rotate()
    if (rotated) await chain.forget(options.keepDays)
    await chain.add(told)
    return { rotated, ...(chain.damage && { damage: chain.damage }) }
  } finally {
    await lock.release()
  }
}

/** The end of the records, where lines are added. */
class Chain {
  readonly #directory: string
  readonly #time: Date
  #head: Head
  damage: Damage | undefined

  private constructor(directory: string, time: Date, head: Head) {
    this.#directory = directory
    this.#time = time
    this.#head = head
  }

  static async open(directory: string, time: Date): Promise<Chain> {
    const head = await readHead(directory)
    const files = await listFiles(directory)
    if (typeof head !== 'string') {
      const chain = new Chain(directory, time, head)
      await chain.#reconcile()
      return chain
    }
    const file = fileOf(time)
    if (head === 'missing' && (await isBeginning(directory, files))) {
      const start = { file: files[0] ?? file, sequence: 0, hash: NOTHING_BEFORE }
      const chain = new Chain(directory, time, { ...start, size: 0, start })
      await chain.#reconcile()
      return chain
    }
    const chain = new Chain(directory, time, await headFromFiles(directory, files, file))
    chain.#damaged(`the file ${join(directory, 'head')} is ${head}`)
    await chain.add({ event: 'head-lost' })
    return chain
  }

  /**
   * Takes up what a process that died had not finished: a line that the head does not know yet, or a part of one.
   * Never goes back behind the head, so that what was cut off leaves a gap.
   */
  async #reconcile(): Promise<void> {
    const { file, size, sequence, hash } = this.#head
    const path = join(this.#directory, file)
    const { tail, end } = await readTail(path, size)
    if (end < size) {
      this.#damaged(`${path} is shorter than it was`)
      this.#head = { ...this.#head, size: end }
      return
    }
    const { lines, torn } = splitLines(file, tail)
    const [line, ...more] = lines
    if (!line && torn.length > 0) {
      await truncate(path, size)
      if (size > 0) await this.add({ event: 'repaired', bytes: torn.length })
    } else if (line) {
      const { link } = line
      const follows = link?.sequence === sequence + 1 && link.previous === hash
      if (follows && more.length === 0 && torn.length === 0) {
        this.#head = { ...this.#head, size: end, sequence: sequence + 1, hash: line.hash }
      } else {
        this.#damaged(`${path} has lines that no command has written`)
        this.#head = { ...this.#head, size: end }
      }
    }
  }

  /** Goes on in the file of today; a clock that was put back begins no file before the newest. */
  async rotate(): Promise<boolean> {
    const today = fileOf(this.#time)
    const begun = (await listFiles(this.#directory)).filter(
      (file) => file > this.#head.file && file <= today,
    )
    let former = this.#head.sequence === 0 ? null : this.#head.file
    let isBegun = former !== null
    for (const file of new Set([...begun, today])) {
      if (file <= this.#head.file) continue
      const { sequence } = this.#head
      this.#head = { ...this.#head, file, size: 0 }
      await this.#reconcile()
      isBegun = this.#head.sequence > sequence
      if (isBegun) former = file
    }
    if (!isBegun) await this.#begin(former)
    return !isBegun
  }

  async #begin(former: string | null): Promise<void> {
    const { file } = this.#head
    await this.add({ event: 'open', format: AUDIT_FORMAT, file, former })
  }

  /** Removes what is older than it has to be, and remembers where the chain begins since. */
  async forget(keepDays: number): Promise<void> {
    const first = fileOf(new Date(this.#time.getTime() - keepDays * 86_400_000))
    const files = await listFiles(this.#directory)
    const old = files.filter((file) => file < first && file < this.#head.file)
    const kept = files.find((file) => !old.includes(file))
    if (old.length === 0 || kept === undefined) return
    const { lines } = await readLines(this.#directory, kept)
    const link = lines[0]?.link
    // A chain that cannot be told to begin there keeps its files.
    if (!link) return
    const start = { file: kept, sequence: link.sequence - 1, hash: link.previous }
    await this.add({ event: 'removed', files: old }, start)
    await removeOld(this.#directory, old)
  }

  async add(told: Told, start = this.#head.start): Promise<void> {
    const line = writeRecord(this.#head, this.#time, told)
    const path = join(this.#directory, this.#head.file)
    const file = await open(path, 'a', 0o600)
    try {
      await file.appendFile(line)
      await file.sync()
    } finally {
      await file.close()
    }
    if (this.#head.size === 0) await syncDirectory(this.#directory)
    this.#head = {
      ...this.#head,
      size: this.#head.size + line.length,
      sequence: this.#head.sequence + 1,
      hash: hashOf(line.subarray(0, -1)),
      start,
    }
    await writeHead(this.#directory, this.#head)
  }

  #damaged(message: string): void {
    this.damage ??= { code: 'audit-broken', message: `the audit records are damaged: ${message}` }
  }
}

/** Whether nothing was ever written, or one died that wrote the first line. */
async function isBeginning(directory: string, files: readonly string[]): Promise<boolean> {
  const [file, ...more] = files
  if (file === undefined) return true
  if (more.length > 0) return false
  const { lines, torn } = await readLines(directory, file)
  const [line] = lines
  return line === undefined || (line.link?.sequence === 1 && lines.length === 1 && !torn.length)
}

/** The best that can be said where the head is gone: nothing shows what was cut off before. */
async function headFromFiles(
  directory: string,
  files: readonly string[],
  today: string,
): Promise<Head> {
  const [oldest = today] = files
  const newest = files.at(-1) ?? today
  const first = files.length > 0 ? (await readLines(directory, oldest)).lines[0]?.link : undefined
  const { tail, end } = await readTail(join(directory, newest), 0)
  const last = splitLines(newest, tail).lines.findLast(({ link }) => link !== undefined)
  return {
    file: newest,
    size: end,
    sequence: last?.link?.sequence ?? 0,
    hash: last?.hash ?? NOTHING_BEFORE,
    start: {
      file: oldest,
      sequence: (first?.sequence ?? 1) - 1,
      hash: first?.previous ?? NOTHING_BEFORE,
    },
  }
}

/** What a file holds from a place on, and its size; a file that is not there holds nothing. */
async function readTail(path: string, from: number): Promise<{ tail: Buffer; end: number }> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return { tail: Buffer.alloc(0), end: 0 }
  }
  try {
    const { size } = await file.stat()
    const tail = Buffer.alloc(Math.max(0, size - from))
    if (tail.length > 0) await file.read(tail, 0, tail.length, from)
    return { tail, end: size }
  } finally {
    await file.close()
  }
}
