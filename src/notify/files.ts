import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemReason } from '../errors.ts'
import { undelivered } from './undelivered.ts'

const MODE = 0o644

/**
 * Puts a file into its place, so that whoever reads it sees the old one or the new one, whole. Its directory is made.
 *
 * @throws Failure where it cannot be written; then the old one stays
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const building = `${path}.${randomUUID().slice(0, 8)}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    const file = await open(building, 'wx', MODE)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(building, path)
  } catch (cause) {
    await rm(building, { force: true }).catch(() => undefined)
    throw undelivered(`cannot write ${path}: ${systemReason(cause)}`, {
      hint: 'let the user that runs pgveil write there, and look for room on the disk',
      cause,
    })
  }
}
