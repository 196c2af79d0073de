import { expect, test } from '@jest/globals'
import { changedDefinitions } from '../../../src/postgres/structure-facts.ts'

const TEXT = 'schemas\npublic\0sales\0views\nv SELECT\n 1\0'
const COUNTS = { schemas: 2, views: 1 }
const schema = (line: string) => ({ kind: 'schemas', line, what: `schema ${line}` })

test('what another database has otherwise, of whatever kind', () => {
  const view = { kind: 'views', line: 'v SELECT\n 1', what: 'view v' }
  expect(changedDefinitions([schema('public'), schema('sales'), view], TEXT, COUNTS)).toEqual([])
  const other = { ...view, line: 'v SELECT\n 2' }
  expect(changedDefinitions([schema('public'), schema('x'), other], TEXT, COUNTS)).toEqual([
    schema('x'),
    other,
  ])
  // The same line of another kind is no match.
  expect(changedDefinitions([{ ...view, line: 'sales' }], TEXT, COUNTS)).toHaveLength(1)
})

test('a text that does not go with its counts is no answer', () => {
  expect(() => changedDefinitions([], TEXT, { schemas: 3, views: 1 })).toThrow(RangeError)
  expect(() => changedDefinitions([], TEXT, { views: 1 })).toThrow(RangeError)
})
