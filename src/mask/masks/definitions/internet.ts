import { z } from '../../../config/zod.ts'
import { Failure } from '../../../errors.ts'
import { dropAccents } from '../../dictionary.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import { openLocale } from '../../locales/open-locale.ts'
import { LONGEST_SUFFIX, SUFFIX_BITS, type Part } from '../compose.ts'
import { prepareRecipe, sorted, type Recipe } from './recipe.ts'
import { bitsFor, bitsProof, refuseLength } from './request.ts'

const noOptions = z.strictObject({})

/** Reserved by RFC 2606 and RFC 6761: no mail and no request for them ever reaches anybody. */
const DOMAINS = ['example.com', 'example.net', 'example.org', 'example.test', 'mail.test', 'x.test']

/** Enough for a column where an occasional collision breaks nothing. */
const USUAL_SUFFIX = 8
const SHORTEST_SUFFIX = 4

interface WordLists extends Record<string, readonly string[]> {
  given: readonly string[]
  family: readonly string[]
}

function asciiWords(names: readonly string[]): string[] {
  return sorted(
    names.map((name) =>
      dropAccents(name)
        .toLowerCase()
        .replace(/[^a-z]/g, ''),
    ),
  ).filter((word) => word.length > 1)
}

const opened = new Map<string, WordLists>()

/** Given and family names in ASCII, small; those of `en` where the locale's script has none. */
async function openWords(locale: string): Promise<WordLists> {
  const known = opened.get(locale)
  if (known) return known
  const { given, family } = await openLocale(locale)
  const own = { given: asciiWords(given), family: asciiWords(family) }
  const words = own.given.length > 0 && own.family.length > 0 ? own : await openWords('en')
  opened.set(locale, words)
  return words
}

/**
 * Prepares names with a suffix of the tag's bits, long enough to keep the domain's originals distinct
 * where that is asked.
 *
 * @param forms parts for a suffix, the wanted form first
 */
async function prepareSuffixed(
  request: MaskRequest,
  purpose: string,
  forms: (suffix: Part) => Part[][],
): Promise<PreparedMask> {
  const safe = Math.ceil(bitsFor(request.rows) / SUFFIX_BITS)
  if (request.unique && safe > LONGEST_SUFFIX) {
    throw new Failure('refused', 'the mask cannot keep so many distinct values distinct')
  }
  const words = await openWords(request.locale)
  const lists: Record<string, readonly string[]> = { ...words, domain: DOMAINS }
  const recipes = (count: number): Recipe[] =>
    forms({ suffix: count }).map((parts) => {
      const roles = new Set(parts.flatMap((part) => ('pick' in part ? [part.pick] : [])))
      return { parts, lists: Object.fromEntries([...roles].map((role) => [role, lists[role]!])) }
    })
  const wanted = request.unique ? safe : Math.min(safe, USUAL_SUFFIX)
  if (request.unique) {
    const shortest = forms({ suffix: wanted }).at(-1)!
    const least = shortest.reduce((sum, part) => sum + shortestPart(part), 0)
    if (request.maxChars !== undefined && request.maxChars < least) refuseLength(request, least)
  }
  const counts = request.unique ? [wanted] : [wanted, Math.min(wanted, SHORTEST_SUFFIX), 1]
  const prepared = prepareRecipe(request, purpose, counts.flatMap(recipes))
  const { parts } = prepared.params as unknown as { parts: readonly Part[] }
  const used = parts.reduce((count, part) => ('suffix' in part ? part.suffix : count), 0)
  if (used < safe) return prepared
  return { ...prepared, injective: true, proof: bitsProof(used * SUFFIX_BITS, request.rows) }
}

function shortestPart(part: Part): number {
  if ('literal' in part) return part.literal.length
  if ('suffix' in part) return part.suffix
  return 'pick' in part && part.pick === 'domain' ? Math.min(...DOMAINS.map((d) => d.length)) : 0
}

const DOT: Part = { literal: '.' }
const AT: Part = { literal: '@' }
const given: Part = { pick: 'given' }
const family: Part = { pick: 'family' }
const domain: Part = { pick: 'domain' }

function prepareEmail(request: MaskRequest): Promise<PreparedMask> {
  return prepareSuffixed(request, 'internet.email', (suffix) => [
    [given, DOT, family, DOT, suffix, AT, domain],
    [family, DOT, suffix, AT, domain],
    [suffix, AT, domain],
  ])
}

function prepareUserName(request: MaskRequest): Promise<PreparedMask> {
  return prepareSuffixed(request, 'internet.userName', (suffix) => [
    [given, DOT, family, DOT, suffix],
    [family, DOT, suffix],
    [suffix],
  ])
}

function prepareUrl(request: MaskRequest): Promise<PreparedMask> {
  const slash: Part = { literal: '/' }
  return prepareSuffixed(request, 'internet.url', (suffix) => [
    [{ literal: 'https://' }, domain, slash, given, { literal: '-' }, family, slash, suffix],
    [{ literal: 'https://' }, domain, slash, suffix],
    [{ literal: 'http://' }, domain, slash, suffix],
  ])
}

/** Masks for addresses on the Internet that are made of words. */
export const INTERNET_MASKS: readonly MaskDefinition[] = [
  {
    name: 'internet.email',
    summary: 'a mail address at a reserved domain, distinct for distinct originals',
    types: ['text'],
    options: noOptions,
    prepare: prepareEmail,
  },
  {
    name: 'internet.userName',
    summary: 'a login name, distinct for distinct originals',
    types: ['text'],
    options: noOptions,
    prepare: prepareUserName,
  },
  {
    name: 'internet.url',
    summary: 'a web address at a reserved domain, distinct for distinct originals',
    types: ['text'],
    options: noOptions,
    prepare: prepareUrl,
  },
]
