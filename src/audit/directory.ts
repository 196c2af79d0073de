import { join } from 'node:path'

/** Directory of the records. */
export function auditDirectory(state: string): string {
  return join(state, 'audit')
}
