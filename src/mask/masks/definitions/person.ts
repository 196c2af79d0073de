import { z } from '../../../config/zod.ts'
import type { MaskDefinition, MaskRequest, PreparedMask } from '../../mask.ts'
import { openLocale } from '../../locales/open-locale.ts'
import { prepareRecipe, sorted, type Recipe } from './recipe.ts'
import { refuseUnique } from './request.ts'

const UNIQUE_HINT = 'internet.userName, internet.email, hash and key keep distinct values distinct'

const noOptions = z.strictObject({})

async function prepareFullName(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const locale = await openLocale(request.locale)
  const lists = { family: sorted(locale.family), given: sorted(locale.given) }
  const [first, second] = locale.familyFirst ? ['family', 'given'] : ['given', 'family']
  const parts = [{ pick: first! }, { literal: ' ' }, { pick: second! }]
  const recipes: Recipe[] = [
    { parts: [{ pick: 'title' }, ...parts], lists: { ...lists, title: locale.titles } },
    { parts, lists },
    { parts: [{ pick: 'family' }], lists: { family: lists.family } },
    { parts: [{ pick: 'initial' }], lists: { initial: sorted(lists.family.map((n) => n[0]!)) } },
  ]
  return prepareRecipe(request, 'person.fullName', recipes)
}

async function prepareName(
  request: MaskRequest,
  purpose: string,
  role: 'given' | 'family',
): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const names = sorted((await openLocale(request.locale))[role])
  return prepareRecipe(request, purpose, [
    { parts: [{ pick: role }], lists: { [role]: names } },
    { parts: [{ pick: 'initial' }], lists: { initial: sorted(names.map((name) => name[0]!)) } },
  ])
}

async function prepareCompany(request: MaskRequest): Promise<PreparedMask> {
  refuseUnique(request, UNIQUE_HINT)
  const { family, companySuffixes } = await openLocale(request.locale)
  const lists = { family: sorted(family) }
  const suffixed: Recipe = {
    parts: [{ pick: 'family' }, { literal: ' ' }, { pick: 'suffix' }],
    lists: { ...lists, suffix: companySuffixes },
  }
  const bare: Recipe = { parts: [{ pick: 'family' }], lists }
  return prepareRecipe(
    request,
    'company.name',
    companySuffixes.length > 0 ? [suffixed, bare] : [bare],
  )
}

/** Masks for the names of people and companies. */
export const PERSON_MASKS: readonly MaskDefinition[] = [
  {
    name: 'person.fullName',
    summary: 'a full name, in the order of the locale, sometimes with a title',
    types: ['text'],
    options: noOptions,
    prepare: prepareFullName,
  },
  {
    name: 'person.firstName',
    summary: 'a given name',
    types: ['text'],
    options: noOptions,
    prepare: (request) => prepareName(request, 'person.firstName', 'given'),
  },
  {
    name: 'person.lastName',
    summary: 'a family name',
    types: ['text'],
    options: noOptions,
    prepare: (request) => prepareName(request, 'person.lastName', 'family'),
  },
  {
    name: 'company.name',
    summary: 'a company name with a legal form of the locale',
    types: ['text'],
    options: noOptions,
    prepare: prepareCompany,
  },
]
