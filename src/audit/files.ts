import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { splitLines, type AuditLine } from './record.ts'

const NAME = /^\d{4}-\d{2}-\d{2}\.jsonl$/

/** The file for a time: one for each day, in UTC. */
export function fileOf(time: Date): string {
  return `${time.toISOString().slice(0, 10)}.jsonl`
}

/** Names of the files, oldest first; none where there is no such directory. */
export async function listFiles(directory: string): Promise<string[]> {
  return (await listNames(directory)).filter((name) => NAME.test(name)).sort()
}

/** Names of the files that have a signature. */
export async function listSigned(directory: string): Promise<Set<string>> {
  const names = await listNames(directory)
  return new Set(
    names.filter((name) => name.endsWith('.jsonl.asc')).map((name) => name.slice(0, -4)),
  )
}

async function listNames(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The lines of one file, and what stands behind the last line break. */
export async function readLines(
  directory: string,
  file: string,
): Promise<{ lines: AuditLine[]; torn: Buffer }> {
  return splitLines(file, await readFile(join(directory, file)))
}
