import { PRIVATE_ROLES } from '../backup/check-keys.ts'
import { plural } from '../report/numbers.ts'
import type { KeyFact } from './facts.ts'
import { attention, bad, good, type Finding, type Judgeable } from './judgement.ts'

const DAY_MS = 86_400_000
export const KEY_WARN_DAYS = 30

/** Whether the keys will do for the coming nights. */
export function keysCheck({ keys, keyProblems, keyWarnings, time }: Judgeable): Finding {
  const broken = keys.filter(({ problems }) => problems.length > 0)
  const hindering = broken.find((key) => hinders(key, keys))
  const [problem = keyProblems[0]] = hindering?.problems ?? []
  if (problem !== undefined) {
    const message = hindering ? `key of ${describe(hindering)}: ${problem}` : problem
    return bad('cannot be used', message)
  }
  const [other] = broken
  if (other) return attention(other.role, `key of ${describe(other)}: ${other.problems[0]}`)
  const [doubt] = keyWarnings
  if (doubt !== undefined) return attention(plural(keyWarnings.length, 'warning'), doubt)
  const [next] = keys
    .filter(({ expires }) => expires !== undefined)
    .toSorted((a, b) => Date.parse(a.expires ?? '') - Date.parse(b.expires ?? ''))
  if (next?.expires === undefined) return good(`${plural(keys.length, 'key')}, none ends`)
  const day = next.expires.slice(0, 10)
  const days = Math.floor((Date.parse(next.expires) - Date.parse(time)) / DAY_MS)
  if (days > KEY_WARN_DAYS) return good(`the first ends on ${day}`)
  const message = `key of ${describe(next)} ends on ${day}, in ${plural(days, 'day')}`
  return attention(`one ends on ${day}`, message)
}

/** They may be out of reach for whoever makes the report. */
const PRIVATE = new Set<string>(Object.values(PRIVATE_ROLES))

/** Of several signers one is enough. */
function hinders({ role }: KeyFact, keys: readonly KeyFact[]): boolean {
  if (PRIVATE.has(role)) return false
  if (role !== 'signer' && role !== 'verdict signer') return true
  return keys.every((key) => key.role !== role || key.problems.length > 0)
}

function describe({ role, fingerprint, path }: KeyFact): string {
  return `${role} (${fingerprint === '' ? path : `…${fingerprint.slice(-16)}`})`
}
