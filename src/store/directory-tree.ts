import { lstat, mkdir, open, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../errors.ts'
import { diskCode } from './disk-errors.ts'

const PUT_ATTEMPTS = 5

/**
 * Directories between `root` and the object's file, outermost first.
 *
 * @throws Failure `store` where one is a symbolic link: objects stay below `root`; ENOENT, ENOTDIR
 */
export async function parentsOf(root: string, name: string): Promise<string[]> {
  const parents = pathsOf(root, name)
  for (const path of parents) {
    const found = await lstat(path)
    if (found.isSymbolicLink()) throw leadsOut(path)
  }
  return parents
}

/**
 * Makes the directories that an object lies in, then has `act` put it there; again where a deletion took them away
 * as empty in between.
 */
export async function putBelow(
  root: string,
  name: string,
  act: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await makeParents(root, name)
    try {
      await act()
      break
    } catch (error) {
      if (diskCode(error) !== 'ENOENT' || attempt === PUT_ATTEMPTS) throw error
    }
  }
  await syncDirectory(dirname(join(root, name)))
}

/** Makes the directories that are missing between `root` and the object's file, for this user alone. */
async function makeParents(root: string, name: string): Promise<void> {
  let outer = root
  for (const path of pathsOf(root, name)) {
    try {
      await mkdir(path, { mode: 0o700 })
      await syncDirectory(outer)
    } catch (error) {
      if (diskCode(error) !== 'EEXIST') throw error
      const found = await lstat(path)
      if (found.isSymbolicLink()) throw leadsOut(path)
    }
    outer = path
  }
}

/** Removes directories between `root` and the object's file as far as they are empty. */
export async function removeEmptyParents(root: string, name: string): Promise<void> {
  for (const path of pathsOf(root, name).reverse()) {
    try {
      await rmdir(path)
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(diskCode(error))) throw error
      await syncDirectory(path)
      return
    }
  }
  await syncDirectory(root)
}

/** Makes what was linked, renamed or removed in a directory last over a crash. */
export async function syncDirectory(path: string): Promise<void> {
  let directory
  try {
    directory = await open(path, 'r')
    await directory.sync()
  } catch (error) {
    // Some network file systems have no fsync for directories; one that is gone needs none.
    if (!['EINVAL', 'ENOTSUP', 'ENOENT'].includes(diskCode(error))) throw error
  } finally {
    await directory?.close()
  }
}

function pathsOf(root: string, name: string): string[] {
  const parts = name.split('/').slice(0, -1)
  return parts.map((_, i) => join(root, ...parts.slice(0, i + 1)))
}

function leadsOut(path: string): Failure {
  return new Failure('store', `${path} is a symbolic link`, {
    hint: 'a store keeps to its own directory: make it a directory, or move the whole store',
  })
}
