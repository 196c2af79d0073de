import { readFile } from 'node:fs/promises'
import { describe, expect, test } from '@jest/globals'
import { parseVerificationRules, verificationSchema } from '../../../src/verify/rules.ts'

const PATH = '/etc/pgveil/verification.yaml'

function parse(text: string) {
  return parseVerificationRules(text, PATH)
}

test('a whole file, with its defaults', () => {
  const rules = parse(
    `
assertions:
  - { name: contacts, sql: SELECT 1, atLeast: 1 }
commands:
  - { name: smoke, run: [true] }
limits: { recoverySeconds: 60 }
`.replace('[true]', '["true"]'),
  )
  expect(rules).toEqual({
    minimumChecks: 1,
    assertions: [{ name: 'contacts', sql: 'SELECT 1', atLeast: 1 }],
    commands: [{ name: 'smoke', run: ['true'], timeoutSeconds: 600 }],
    limits: { recoverySeconds: 60 },
    directory: '/etc/pgveil',
  })
})

describe('nothing checked is never a pass', () => {
  for (const text of [
    '',
    '# only a comment\n',
    '{}',
    'limits: { ageHours: 1 }',
    'assertions: []',
    'null',
  ]) {
    test(JSON.stringify(text), () => {
      expect(() => parse(text)).toThrow(/nothing checked is never a pass/)
    })
  }

  test('fewer than wanted', () => {
    expect(() =>
      parse('minimumChecks: 3\nassertions: [{ name: a, sql: SELECT 1, equals: 1 }]'),
    ).toThrow(`${PATH} has 1 checks, and minimumChecks is 3`)
  })
})

describe('what is wrong, and where', () => {
  const one = (text: string) => `assertions:\n  - ${text}\n`
  for (const [text, message] of [
    ['asserts: []', /:1:1: unknown key asserts/],
    [
      one('{ name: a, sql: SELECT 1 }'),
      /:2:5: assertions\.0: expected one of equals, atLeast, atMost, between, within/,
    ],
    [one('{ name: a, sql: SELECT 1, equals: 1, atMost: 2 }'), /expected one of equals/],
    [
      one('{ name: a, sql: SELECT 1, between: [2, 1] }'),
      /:2:40: assertions\.0\.between: expected the lower number first/,
    ],
    [one('{ name: a, sql: SELECT 1, between: 3 }'), /expected two numbers/],
    [
      one('{ name: a, sql: SELECT 1, within: { percent: 5, of: yesterday } }'),
      /assertions\.0\.within\.of/,
    ],
    [one('{ name: a, sql: SELECT 1, atLeast: many }'), /expected a number/],
    [one('{ sql: SELECT 1, equals: 1 }'), /assertions\.0\.name: is missing/],
    [
      one('{ name: a, sql: SELECT 1, equals: 1 }\n  - { name: a, sql: SELECT 2, equals: 2 }'),
      /:3:5: assertions: the name "a" is given twice/,
    ],
    [
      'commands: [{ name: a, run: echo hello }]',
      /commands\.0\.run: expected a list: the program and its arguments/,
    ],
    ['commands: [{ name: a, run: [] }]', /expected a program/],
    ['commands: [{ name: a, run: [x], timeoutSeconds: 0 }]', /expected a number above 0/],
    ['limits: { ages: 3 }', /:1:11: unknown key limits\.ages/],
    [
      'minimumChecks: 0\nassertions: [{ name: a, sql: SELECT 1, equals: 1 }]',
      /minimumChecks: expected 1 or more/,
    ],
  ] as const) {
    test(text.replaceAll('\n', '⏎'), () => {
      expect(() => parse(text)).toThrow(message)
    })
  }
})

test('the schema for editors says the same keys, and closes them', () => {
  const schema = verificationSchema() as {
    properties: Record<string, unknown>
    additionalProperties: boolean
  }
  expect(Object.keys(schema.properties)).toEqual([
    'minimumChecks',
    'assertions',
    'commands',
    'limits',
  ])
  expect(schema.additionalProperties).toBe(false)
})

test('the schema is published: pgveil verify --schema > masking-rules/verification.schema.json', async () => {
  const path = new URL('../../../masking-rules/verification.schema.json', import.meta.url)
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(verificationSchema())),
  )
})
