import { readFile } from 'node:fs/promises'
import { expect, test } from '@jest/globals'
import { MASKS as REGISTRY } from '../../../src/mask/registry.ts'
import { ruleSchema, type JsonSchema } from '../../../src/mask/rule-schema.ts'
import { MASKS } from './masks.ts'

const schema = ruleSchema(MASKS)
const forms = schema.definitions?.['column']?.anyOf ?? []

function formOf(key: string, name: string): JsonSchema | undefined {
  return forms.find(({ properties }) => properties?.[key]?.const === name)
}

test('offers masks that need no options as words, each with its summary', () => {
  const words = forms.filter((form) => form.const !== undefined)
  expect(words.map((form) => form.const)).toEqual([
    'keep',
    'date.shift',
    'internet.email',
    'null',
    'person.fullName',
    'text.scramble',
    'scramble',
  ])
  expect(words[2]?.description).toBe('summary of internet.email')
  expect(forms).toContainEqual({ type: 'null', description: expect.any(String) })
})

test('describes the options of each mask', () => {
  const shift = formOf('mask', 'date.shift')
  expect(shift).toMatchObject({ required: ['mask'], additionalProperties: false })
  expect(shift?.properties?.['days']).toMatchObject({
    type: 'integer',
    minimum: 1,
    default: 30,
    description: 'how far at most',
  })
  expect(Object.keys(shift?.properties ?? {})).toEqual([
    'mask',
    'days',
    'domain',
    'when',
    'normalize',
  ])
  expect(formOf('mask', 'fixed')?.required).toEqual(['mask', 'value'])
})

test('knows masks whose name is the key', () => {
  const faker = forms.find(({ required }) => required?.[0] === 'faker')
  expect(Object.keys(faker?.properties ?? {}).slice(0, 2)).toEqual(['faker', 'args'])
})

test('is published in masking-rules: pgveil rules schema > masking-rules/schema.json', async () => {
  const path = new URL('../../../masking-rules/schema.json', import.meta.url)
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(ruleSchema(REGISTRY))),
  )
})
