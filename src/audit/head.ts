import { open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from '../config/zod.ts'

const HASH = z.string().regex(/^[0-9a-f]{64}$/)
const NAME = z.string().regex(/^\d{4}-\d{2}-\d{2}\.jsonl$/)

const FORMAT = 'pgveil audit head 1'

const HEAD = z.object({
  format: z.literal(FORMAT),
  /** The file with the newest line, and its size in bytes up to there. */
  file: NAME,
  size: z.int().nonnegative(),
  /** Of the newest line. */
  sequence: z.int().nonnegative(),
  hash: HASH,
  /** Where the chain begins, after what was removed for its age: the first file, and what its first line follows. */
  start: z.object({ file: NAME, sequence: z.int().nonnegative(), hash: HASH }),
})

/** Where a chain of records ends, and where it begins: shows what was cut off at either end. */
export type Head = Omit<z.infer<typeof HEAD>, 'format'>

const FILE = 'head'

/** `missing`: there is none; `damaged`: it cannot be read as one. */
export async function readHead(directory: string): Promise<Head | 'missing' | 'damaged'> {
  let text: string
  try {
    text = await readFile(join(directory, FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'missing'
    throw error
  }
  try {
    return HEAD.parse(JSON.parse(text))
  } catch {
    return 'damaged'
  }
}

/** Replaces it as a whole. The caller holds the lock. */
export async function writeHead(directory: string, head: Head): Promise<void> {
  const temporary = join(directory, `.${FILE}.part`)
  const file = await open(temporary, 'w', 0o600)
  try {
    const { file: name, size, sequence, hash, start } = head
    const text = { format: FORMAT, file: name, size, sequence, hash, start }
    await file.writeFile(`${JSON.stringify(text)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(directory, FILE))
  await syncDirectory(directory)
}

/** Makes sure that names of files outlive a loss of power. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } catch (error) {
    // Some network file systems have no fsync for directories.
    if (!['EINVAL', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    await directory.close()
  }
}
