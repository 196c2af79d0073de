import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

const DAY_MS = 86_400_000

/** Removes files of records with their signatures. */
export async function removeOld(directory: string, files: readonly string[]): Promise<void> {
  for (const file of files) {
    await rm(join(directory, `${file}.asc`), { force: true })
    await rm(join(directory, file), { force: true })
  }
}

/**
 * Removes the detailed logs of restore tests that nobody has written to for so long.
 *
 * @param directory where each test has a file or a directory of its own; may be missing
 */
export async function removeOldLogs(directory: string, time: Date, days: number): Promise<void> {
  let names: string[]
  try {
    names = await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const before = time.getTime() - days * DAY_MS
  for (const name of names) {
    const path = join(directory, name)
    if ((await lstat(path)).mtimeMs < before) await rm(path, { recursive: true, force: true })
  }
}
