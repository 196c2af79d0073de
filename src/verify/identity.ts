import { execFileSync } from 'node:child_process'
import { chownSync } from 'node:fs'

/** Whom a server runs as; empty: this user. */
export interface Identity {
  uid?: number
  gid?: number
}

const NOBODY = 65_534

/** PostgreSQL refuses to run as root: there it runs as `postgres`, or else `nobody`. */
export function serverIdentity(): Identity {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number =>
    Number(execFileSync('id', [flag, 'postgres'], { stdio: ['ignore', 'pipe', 'ignore'] }))
  try {
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return { uid: NOBODY, gid: NOBODY }
  }
}

/** Gives a file to that user. */
export function own(path: string, { uid, gid }: Identity): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
}
