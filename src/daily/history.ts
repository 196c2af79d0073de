import { readFile } from 'node:fs/promises'
import { z } from '../config/zod.ts'
import { replaceFile } from '../notify/files.ts'

/** What reports remember of backups of all chains, so that the charts outlive retention. Nothing is decided by it. */
const FORMAT = 'pgveil history 1'
const KEPT_DAYS = 60
const DAY_MS = 86_400_000

const PAST = z.strictObject({
  label: z.string(),
  sequence: z.int(),
  /** When its snapshot was taken. */
  time: z.iso.datetime(),
  stored: z.int().nonnegative(),
  rows: z.int().nonnegative(),
  outcome: z.enum(['pass', 'fail', 'incomplete', 'open']),
  recoverySeconds: z.number().nullable(),
})

const HISTORY = z.strictObject({ format: z.literal(FORMAT), backups: z.array(PAST) })

/** A backup as a report has seen it last. */
export type Past = z.infer<typeof PAST>

/**
 * What earlier reports have seen; none where there was none yet.
 *
 * @returns undefined where the file cannot be read or is damaged
 */
export async function readHistory(path: string): Promise<Past[] | undefined> {
  try {
    return HISTORY.parse(JSON.parse(await readFile(path, 'utf8'))).backups
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : undefined
  }
}

/** Earlier backups, those that are here as they are now; by time. */
export function mergeHistory(earlier: readonly Past[], here: readonly Past[]): Past[] {
  const byLabel = new Map([...earlier, ...here].map((past) => [past.label, past]))
  return [...byLabel.values()].toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time))
}

/** Keeps what the next report needs. */
export async function writeHistory(
  path: string,
  history: readonly Past[],
  at: number,
): Promise<void> {
  const backups = history.filter(({ time }) => Date.parse(time) > at - KEPT_DAYS * DAY_MS)
  await replaceFile(path, `${JSON.stringify({ format: FORMAT, backups }, null, 1)}\n`)
}
