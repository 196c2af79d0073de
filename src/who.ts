import { hostname, userInfo } from 'node:os'

/** Who runs this. A user without an entry, as in a container, has a number only. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'unknown')
  }
}

/** User and machine, like `backup@db-1`. */
export function userAtHost(): string {
  return `${userName()}@${hostname()}`
}
