import { buildDictionary, countChars, toEncodable } from '../../dictionary.ts'
import { deriveKey } from '../../keyed.ts'
import type { Dictionary, MaskRequest, PreparedMask } from '../../mask.ts'
import type { ComposeParams, Part } from '../compose.ts'
import type { IdentityKind } from '../identity.ts'
import { normalizes, refuseLength, textIdentity } from './request.ts'

/** Parts and the lists that their picks draw from, by role. Repeated entries are drawn more often. */
export interface Recipe {
  parts: readonly Part[]
  lists: Readonly<Record<string, readonly string[]>>
}

/** A recipe that keeps less of some list than this is passed over for a shorter one. */
const WORTHWHILE = 0.25

/** What the target can write of a list. */
interface OpenList {
  entries: readonly string[]
  lengths: readonly number[]
  longest: number
}

interface FittedList extends OpenList {
  /** Longest entry that may stay. */
  limit: number
}

function literalFor(text: string, request: MaskRequest): string {
  return toEncodable(text, request.encodable) ?? ''
}

function fixedLength(part: Part): number {
  if ('literal' in part) return countChars(part.literal)
  if ('integer' in part) return String(part.integer[1]).length
  if ('digits' in part) return part.digits
  return 'suffix' in part ? part.suffix : 0
}

/** Many masks draw from the same lists. */
const opened = new WeakMap<MaskRequest['encodable'], WeakMap<readonly string[], OpenList>>()

function openList(list: readonly string[], { encodable }: MaskRequest): OpenList {
  const lists = opened.get(encodable) ?? new WeakMap<readonly string[], OpenList>()
  opened.set(encodable, lists)
  const known = lists.get(list)
  if (known) return known
  const entries = list
    .map((entry) => (entry === '' ? '' : toEncodable(entry, encodable)))
    .filter((entry) => entry !== undefined)
  const lengths = entries.map(countChars)
  const result = { entries, lengths, longest: Math.max(0, ...lengths) }
  lists.set(list, result)
  return result
}

/** Lowers limits, the longest list first, until every combination fits. False where none does. */
function shrink(recipe: Recipe, lists: ReadonlyMap<string, FittedList>, maxChars: number): boolean {
  const fixed = recipe.parts.reduce((sum, part) => sum + fixedLength(part), 0)
  const picks = recipe.parts.flatMap((part) => ('pick' in part ? [lists.get(part.pick)!] : []))
  for (;;) {
    const longest = fixed + picks.reduce((sum, list) => sum + list.limit, 0)
    if (longest <= maxChars) return picks.every((list) => Math.min(...list.lengths) <= list.limit)
    const widest = picks.reduce<FittedList | undefined>(
      (widest, list) => (list.limit > (widest?.limit ?? 0) ? list : widest),
      undefined,
    )
    if (!widest) return false
    widest.limit--
  }
}

interface Fitted {
  parts: readonly Part[]
  dictionaries: Record<string, Dictionary>
  worthwhile: boolean
}

function fitRecipe(recipe: Recipe, request: MaskRequest): Fitted | undefined {
  const parts = recipe.parts.map((part) =>
    'literal' in part ? { literal: literalFor(part.literal, request) } : part,
  )
  const lists = new Map(
    Object.entries(recipe.lists).map(([role, list]): [string, FittedList] => {
      const open = openList(list, request)
      return [role, { ...open, limit: open.longest }]
    }),
  )
  if ([...lists.values()].some((list) => list.entries.length === 0)) return undefined
  if (request.maxChars !== undefined && !shrink({ ...recipe, parts }, lists, request.maxChars)) {
    return undefined
  }
  const dictionaries: Record<string, Dictionary> = {}
  let worthwhile = true
  for (const [role, { entries, lengths, limit }] of lists) {
    const kept = entries.filter((_, i) => lengths[i]! <= limit)
    if (kept.length < entries.length * WORTHWHILE) worthwhile = false
    dictionaries[role] = buildDictionary(kept)
  }
  return { parts, dictionaries, worthwhile }
}

/**
 * Prepares a mask of kind `compose` from the first recipe that fits well, or else the first that fits.
 *
 * @param recipes the wanted form first, shorter forms after it
 * @throws Failure `refused` where none fits the length or the target's encoding
 */
export function prepareRecipe(
  request: MaskRequest,
  purpose: string,
  recipes: readonly Recipe[],
  identity: IdentityKind = textIdentity(request),
): PreparedMask {
  let chosen: Fitted | undefined
  for (const recipe of recipes) {
    const fitted = fitRecipe(recipe, request)
    if (fitted?.worthwhile) {
      chosen = fitted
      break
    }
    chosen ??= fitted
  }
  if (!chosen) return refuseLength(request)
  const params: ComposeParams = { identity, parts: chosen.parts }
  return {
    kind: 'compose',
    key: deriveKey(request.key, purpose),
    params: { ...params },
    dictionaries: chosen.dictionaries,
    reads: [],
    injective: false,
    normalizes: normalizes(request),
  }
}

/** Sorted and without duplicates, so that a list does not depend on how it was put together. */
export function sorted(list: readonly string[]): string[] {
  return [...new Set(list)].sort()
}
