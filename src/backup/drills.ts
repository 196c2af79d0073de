import type { Store } from '../store/store.ts'
import { stampTime } from './label.ts'
import { userAtHost } from '../who.ts'

/**
 * Which sides could open a backup, and when: an object of each drill, for the report to remind of the next. They are not
 * signed, since custodians have keys that open and none that sign; nothing but the reminder depends on them.
 */
const FORMAT = 'pgveil drill 1'
const FOLDER = 'drills'
const RECORD = /^drills\/([a-z0-9][a-z0-9_-]{0,62})\.([a-z][a-z0-9-]{0,30})\.(\d{8}T\d{6}Z)\.json$/

export interface Drill {
  /** The chain, and the backup of it. */
  name: string
  label: string
  side: string
  /** Now, in milliseconds. */
  at: number
  /** This program and its version. */
  tool: string
}

/** @throws Failure `store` where this machine may not write there, for example */
export async function recordDrill(
  store: Store,
  { name, label, side, at, tool }: Drill,
): Promise<void> {
  const time = `${new Date(at).toISOString().slice(0, 19)}Z`
  const by = userAtHost()
  const content = { format: FORMAT, name, label, side, time, by, tool }
  const object = `${FOLDER}/${name}.${side}.${time.replace(/[-:]/g, '')}.json`
  const bytes = Buffer.from(`${JSON.stringify(content, null, 1)}\n`)
  await store.create(object, bytes, { lock: false })
}

/**
 * The last drill of each side of a chain, in milliseconds.
 *
 * @throws Failure `store`
 */
export async function readDrills(store: Store, name: string): Promise<Map<string, number>> {
  const last = new Map<string, number>()
  for await (const object of store.list(`${FOLDER}/${name}.`)) {
    const [, chain, side = '', time = ''] = RECORD.exec(object.name) ?? []
    if (chain !== name) continue
    last.set(side, Math.max(stampTime(time), last.get(side) ?? 0))
  }
  return last
}
