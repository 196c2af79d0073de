import type { Files } from '../backup/backups.ts'
import { LABEL } from '../backup/manifest.ts'
import type { Store } from '../store/store.ts'

/** What lies under a label. */
export interface Found {
  files: Files
  bytes: number
  /** When the newest of it was stored. */
  newest: Date
}

/** What the store holds, by label. What else lies in it, ledgers and the like, is none of retention's. */
export async function survey(store: Store, label?: string): Promise<Map<string, Found>> {
  const found = new Map<string, { files: Map<string, number>; bytes: number; newest: Date }>()
  for await (const { name, size, modified } of store.list(label === undefined ? '' : `${label}/`)) {
    const slash = name.indexOf('/')
    const under = name.slice(0, Math.max(0, slash))
    if (!LABEL.safeParse(under).success) continue
    const entry = found.get(under) ?? { files: new Map(), bytes: 0, newest: modified }
    entry.files.set(name.slice(slash + 1), size)
    entry.bytes += size
    if (modified > entry.newest) entry.newest = modified
    found.set(under, entry)
  }
  return found
}
