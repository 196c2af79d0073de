import { createHash } from 'node:crypto'
import pLimit from 'p-limit'
import type { Backup } from '../backup/backups.ts'
import type { ManifestObject } from '../backup/manifest.ts'
import { AbsentObject, type Store } from '../store/store.ts'
import type { StepRecord } from './step.ts'

/**
 * Reads objects whole and compares size and SHA-256 of what the store returns with the manifest; each that differs is
 * named.
 *
 * @param isRead objects that were read and compared already
 * @throws Failure `store`
 */
export async function checkObjects(
  record: StepRecord,
  store: Store,
  { label, manifest }: Backup,
  { isRead, jobs, signal }: { isRead: ReadonlySet<string>; jobs: number; signal: AbortSignal },
): Promise<void> {
  const limit = pLimit(jobs)
  const unread = manifest.objects.filter(({ name }) => !isRead.has(name))
  const problems = await Promise.all(
    unread.map((object) => limit(() => problemOf(store, label, object, signal))),
  )
  for (const problem of problems) if (problem !== undefined) record.fail(problem)
  record.checks += manifest.objects.length
  const read = manifest.objects.length - unread.length
  record.note(`${read} objects compared while they were restored, ${unread.length} by themselves`)
}

async function problemOf(
  store: Store,
  label: string,
  { name, size, sha256 }: ManifestObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const hash = createHash('sha256')
  let read = 0
  try {
    for await (const chunk of store.read(`${label}/${name}`, { signal })) {
      read += chunk.length
      hash.update(chunk)
    }
  } catch (error) {
    if (error instanceof AbsentObject) return `${label}/${name} is missing`
    throw error
  }
  if (read !== size) return `${label}/${name} has ${read} bytes instead of ${size}`
  if (hash.digest('hex') === sha256) return undefined
  return `${label}/${name} was changed: its SHA-256 is another`
}
