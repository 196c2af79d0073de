import { open, rm } from 'node:fs/promises'
import { Failure, systemReason } from '../errors.ts'

/**
 * Writes a file that is not there yet; one that cannot be written whole does not stay.
 *
 * @param mode like 0o600; the process's umask may take more away
 * @throws Failure `refused` where there is a file of that name; `key` where it cannot be written
 */
export async function writeNewFile(
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<void> {
  try {
    const file = await open(path, 'wx', mode)
    try {
      await file.writeFile(content)
      await file.sync()
    } catch (error) {
      await rm(path, { force: true })
      throw error
    } finally {
      await file.close()
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') throw alreadyThere(path)
    throw new Failure('key', `cannot write ${path}: ${systemReason(cause)}`, { cause })
  }
}

export function alreadyThere(path: string): Failure {
  return new Failure('refused', `there is a ${path} already, and it is not replaced`, {
    hint: 'move it away, or choose another name',
  })
}
