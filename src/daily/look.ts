import { loadSigners } from '../backup/keys.ts'
import { Failure } from '../errors.ts'
import { openStore } from '../store/open.ts'
import type { DailyOptions } from './build.ts'
import { gather, type Gathered } from './gather.ts'
import { verdictSigners } from './keys.ts'

/** What could be seen of the store. */
export interface Look extends Gathered {
  /** The store, for people. */
  label: string
  /** Why nothing could be seen. */
  unreadable: string | undefined
}

/** Looks into the store; where that fails, the failure is what was seen. */
export async function lookIntoStore(options: DailyOptions): Promise<Look> {
  const { store: settings, backup, operations, at } = options
  const name = options.name ?? backup.name
  const store = await openStore(settings)
  const { label } = store
  try {
    const seen = await gather({
      store,
      signers: await loadSigners(backup),
      verdictSigners: await verdictSigners(operations.verify),
      name,
      graceHours: operations.retention.graceHours,
      locks: settings.kind === 's3' && settings.lock !== undefined,
      at,
    })
    return { ...seen, label, unreadable: undefined }
  } catch (error) {
    if (!(error instanceof Failure) || !TOLD.has(error.kind)) throw error
    return { ...nothing(name), label, unreadable: error.message }
  } finally {
    await store.close()
  }
}

/** Kinds of failures that a report tells; others are its own. */
const TOLD: ReadonlySet<Failure['kind']> = new Set(['store', 'refused', 'key', 'integrity'])

function nothing(name: string | undefined): Gathered {
  return {
    name,
    backups: [],
    broken: [],
    damaged: [],
    doubts: [],
    unfinished: [],
    stranded: [],
    lockedUntil: undefined,
    drills: new Map(),
  }
}
