import { describe, expect, test } from '@jest/globals'
import { readManifest, writeManifest, type Manifest } from '../../../src/backup/manifest.ts'
import { Failure } from '../../../src/errors.ts'
import { HEX, sampleManifest } from './sample-manifest.ts'

const LABEL = '20261122T020000Z-crm'
const DIGEST = 'a1'.repeat(16)

function table(name: string, rows: number, segments: string[]): Manifest['tables'][number] {
  const names = { schema: 'sales', name }
  const rest = { columns: ['id'], configuration: false, bytes: 1, digest: DIGEST }
  return { ...names, root: names, into: names, ...rest, rows, segments }
}

function segment(name: string, rows: number): Manifest['objects'][number] {
  return { name, size: 100, sha256: HEX, content: 10, rows, digest: DIGEST }
}

/** Two tables, one of which has two segments, and what belongs to none. */
const whole = sampleManifest({
  tables: [
    table('orders', 7, ['tables/1.1.0.pgp', 'tables/1.1.1.pgp']),
    table('items', 2, ['tables/2.1.0.pgp']),
    table('empty', 0, []),
  ],
  objects: [
    { name: 'pre-data.sql.pgp', size: 100, sha256: HEX, content: 10 },
    segment('tables/1.1.0.pgp', 3),
    segment('tables/1.1.1.pgp', 4),
    segment('tables/2.1.0.pgp', 2),
    { name: 'restore.sh', size: 100, sha256: HEX },
  ],
})

/** The failure of a manifest that was changed, to anything at all: what is changed is its JSON. */
function refusal(change: (json: Manifest) => unknown, label = LABEL): Failure {
  const json = JSON.parse(writeManifest(whole).toString()) as Manifest
  change(json)
  return refusalOf(Buffer.from(JSON.stringify(json)), label)
}

function refusalOf(bytes: Buffer, label = LABEL): Failure {
  try {
    readManifest(bytes, label)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('it was read')
}

test('what was written is read', () => {
  expect(readManifest(writeManifest(whole), LABEL)).toEqual(whole)
})

test('a format that is not known is refused by its name, not by what else is in it', () => {
  const failure = refusal((json) => {
    Object.assign(json, { format: 'pgveil backup 2', novelty: true })
  })
  expect(failure).toMatchObject({ kind: 'integrity', hint: 'use a newer pgveil' })
  expect(failure.message).toBe(
    `${LABEL}/manifest.json is of a format this version does not know: pgveil backup 2`,
  )
})

test('a manifest under another label, which it names', () => {
  const failure = refusal(() => {}, '20261123T020000Z-crm')
  expect(failure.kind).toBe('integrity')
  expect(failure.message).toBe(`20261123T020000Z-crm/manifest.json is the manifest of ${LABEL}`)
})

test('a chain that its label does not say', () => {
  for (const name of ['shop', 'm', 'Z-crm', '']) {
    const failure = refusal((json) => (json.name = name))
    expect(failure.kind).toBe('integrity')
    expect(failure.message).toContain(`manifest.json is of ${name}, which its label does not say`)
  }
})

const REFUSED: Record<string, [change: (json: Manifest) => unknown, says: string]> = {
  'an object twice': [
    ({ objects }) => objects.push({ ...objects[0]! }),
    'names an object twice: pre-data.sql.pgp',
  ],
  'a segment that is no object': [
    ({ tables }) => tables[1]!.segments.push('tables/2.1.1.pgp'),
    'refers to tables/2.1.1.pgp, which is no segment of its own',
  ],
  'a segment that is an object without rows': [
    ({ tables }) => tables[1]!.segments.push('pre-data.sql.pgp'),
    'refers to pre-data.sql.pgp, which is no segment of its own',
  ],
  'a segment without digest': [
    ({ objects }) => delete objects[3]!.digest,
    'refers to tables/2.1.0.pgp, which is no segment of its own',
  ],
  'the segment of another table': [
    ({ tables }) => {
      tables[1]!.segments = ['tables/1.1.1.pgp']
      tables[1]!.rows = 4
    },
    'refers to tables/1.1.1.pgp, which is no segment of its own',
  ],
  'a segment of its own twice': [
    ({ tables }) => {
      tables[1]!.segments.push('tables/2.1.0.pgp')
      tables[1]!.rows = 4
    },
    'refers to tables/2.1.0.pgp, which is no segment of its own',
  ],
  'a table with more rows than its segments': [
    ({ tables }) => tables[0]!.rows++,
    'rows of sales.orders do not sum up: 7 in its segments, 8 in all',
  ],
  'a table with fewer rows than its segments': [
    ({ tables }) => tables[1]!.rows--,
    'rows of sales.items do not sum up: 2 in its segments, 1 in all',
  ],
  'a segment that was taken from a table': [
    ({ tables }) => tables[0]!.segments.pop(),
    'rows of sales.orders do not sum up: 3 in its segments, 7 in all',
  ],
  'a table with rows and no segment': [
    ({ tables }) => tables[2]!.rows++,
    'rows of sales.empty do not sum up: 0 in its segments, 1 in all',
  ],
  'an unknown key': [(json) => Object.assign(json, { novelty: 1 }), 'is no manifest: novelty'],
  'an unknown key further in': [
    ({ objects }) => Object.assign(objects[2]!, { mode: 7 }),
    'is no manifest: objects.2.mode',
  ],
  'a key that is missing': [
    (json) => Reflect.deleteProperty(json, 'views'),
    'is no manifest: views',
  ],
  'a number that is none': [
    ({ tables }) => (tables[1]!.rows = -1),
    'is no manifest: tables.1.rows',
  ],
  'three sides': [({ seal }) => seal.sides.push(seal.sides[0]!), 'is no manifest: seal.sides'],
  'another format by half': [
    (json) => Object.assign(json, { format: 'pgveil copy 1' }),
    'is no manifest: format',
  ],
}

test.each(Object.entries(REFUSED))('%s', (_, [change, says]) => {
  const failure = refusal(change)
  expect(failure.kind).toBe('integrity')
  expect(failure.message).toContain(`${LABEL}/manifest.json`)
  expect(failure.message.endsWith(says) ? says : failure.message).toBe(says)
})

describe('a name that leads elsewhere', () => {
  const NAMES = [
    '../x',
    '..',
    '.',
    '.hidden',
    'tables/../../x',
    'tables/..',
    '/etc/passwd',
    'tables//1',
    'tables/',
    '',
    'a b',
    'a\\b',
    'a\n../x',
    'x\n',
  ]

  test.each(NAMES)('%j as an object', (name) => {
    const failure = refusal(({ objects }) => (objects[0]!.name = name))
    expect(failure.kind).toBe('integrity')
    expect(failure.message).toBe(`${LABEL}/manifest.json is no manifest: objects.0.name`)
  })

  test.each(NAMES)('%j as a segment', (name) => {
    const failure = refusal(({ tables }) => (tables[1]!.segments[0] = name))
    expect(failure.kind).toBe('integrity')
    expect(failure.message).toBe(`${LABEL}/manifest.json is no manifest: tables.1.segments.0`)
  })

  test.each(['../20261121T020000Z-crm', '20261121T020000Z-../x', '20261121T020000Z-crm\n'])(
    '%j as a label',
    (label) => {
      const own = refusal((json) => (json.label = label))
      expect(own.message).toBe(`${LABEL}/manifest.json is no manifest: label`)
      const before = refusal(({ previous }) => (previous!.label = label))
      expect(before.message).toBe(`${LABEL}/manifest.json is no manifest: previous.label`)
    },
  )
})

test.each([
  ['', 'is not JSON'],
  ['{', 'is not JSON'],
  ['null', 'is no manifest: its content'],
  ['[]', 'is no manifest: its content'],
  ['"pgveil backup 1"', 'is no manifest: its content'],
])('what is no manifest: %j', (text, says) => {
  const failure = refusalOf(Buffer.from(text))
  expect(failure.kind).toBe('integrity')
  expect(failure.message).toBe(`${LABEL}/manifest.json ${says}`)
})
