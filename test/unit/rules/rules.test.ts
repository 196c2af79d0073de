import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { parseTableName } from '../../../src/mask/rule-names.ts'
import { parseRules, readRules, type RuleFile } from '../../../src/mask/rules.ts'
import { MASKS } from './masks.ts'

const parse = (text: string): RuleFile => parseRules(text, 'rules.yaml', MASKS)
const table = (body: string): string => `version: 1\ntables:\n  public.t:\n${body}`

function failure(text: string): { message: string; hint: string | undefined } {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof Failure && error.kind === 'config') return error
    throw error
  }
  throw new Error('no failure')
}

describe('a good file', () => {
  test('gives tables, columns and places', () => {
    const rules = parse(`# rules
version: 1
locale: hu
tables:
  public.contact:
    name: person.fullName
    birth: { mask: date.shift, days: 3, when: "id > 5", domain: births, normalize: false }
    secret: null
    gone: ~
    title: keep
    city: scramble
    pet: { faker: animal.dog, args: [1] }
    keep: [id, "null", 1]
    where: deleted_at IS NULL
  session: omit
  public.country: keep
  event_2025_*: like contact
`)
    expect(rules.locale).toBe('hu')
    expect(rules.tables.map(({ schema, table, wildcard }) => [schema, table, wildcard])).toEqual([
      ['public', 'contact', false],
      ['public', 'session', false],
      ['public', 'country', false],
      ['public', 'event_2025_*', true],
    ])
    const [contact, session, , events] = rules.tables
    expect(contact?.place).toEqual({ file: 'rules.yaml', line: 5, column: 3 })
    expect(session?.treatment).toEqual({ kind: 'omit' })
    expect(events?.treatment).toMatchObject({ kind: 'like', schema: 'public', table: 'contact' })
    const columns = contact?.treatment
    if (columns?.kind !== 'columns') throw new Error('columns expected')
    expect(columns.where).toBe('deleted_at IS NULL')
    expect(columns.keep.map(({ column }) => column)).toEqual(['title', 'id', 'null', '1'])
    expect(columns.columns).toMatchObject([
      { column: 'name', mask: 'person.fullName', options: {} },
      {
        column: 'birth',
        mask: 'date.shift',
        options: { days: 3 },
        when: 'id > 5',
        domain: 'births',
        normalize: false,
      },
      { column: 'secret', mask: 'null', options: {} },
      { column: 'gone', mask: 'null', options: {} },
      { column: 'city', mask: 'text.scramble', options: {} },
      { column: 'pet', mask: 'faker', options: { faker: 'animal.dog', args: [1] } },
    ])
    expect(columns.columns[1]?.place).toEqual({ file: 'rules.yaml', line: 7, column: 5 })
  })

  test('fills in the defaults of a mask', () => {
    const [rule] = parse(table('    d: date.shift')).tables
    expect(rule?.treatment).toMatchObject({ columns: [{ options: { days: 30 } }] })
  })

  test('takes columns named like its own words under columns:', () => {
    const [rule] = parse(
      table('    columns: { keep: scramble, where: keep, columns: null }\n    keep: [id]'),
    ).tables
    expect(rule?.treatment).toMatchObject({
      columns: [
        { column: 'keep', mask: 'text.scramble' },
        { column: 'columns', mask: 'null' },
      ],
      keep: [{ column: 'where' }, { column: 'id' }],
    })
  })

  test('follows aliases', () => {
    const rules = parse(`version: 1
tables:
  a: &model { name: person.fullName, keep: [id] }
  b: *model
`)
    expect(rules.tables[1]?.treatment).toMatchObject({ columns: [{ mask: 'person.fullName' }] })
  })

  test('may have no tables yet', () => {
    expect(parse('version: 1\ntables:\n').tables).toEqual([])
  })
})

test('reads table names as the catalog holds them', () => {
  const name = (text: string) => {
    const found = parseTableName(text)
    return 'error' in found ? undefined : [found.schema, found.table, found.wildcard]
  }
  expect(name('Contact')).toEqual(['public', 'Contact', false])
  expect(name('My Schema.Árajánlat Tételek')).toEqual(['My Schema', 'Árajánlat Tételek', false])
  expect(name('public."Árajánlat Tételek"')).toEqual(['public', 'Árajánlat Tételek', false])
  expect(name('"a.b"."c*""d"')).toEqual(['a.b', 'c*"d', false])
  expect(name('log.event_*')).toEqual(['log', 'event_*', true])
  for (const bad of ['a.b.c', '', '.', 'a.', '"a', 'a"b"', '""', 'tenant_*.t'])
    expect(name(bad)).toBeUndefined()
})

describe('what is wrong is said with its place', () => {
  test.each([
    ['', 'rules.yaml:1:1: a rule file is a mapping'],
    ['tables: {}', 'rules.yaml:1:1: version is missing'],
    ['version: 2\ntables: {}', 'rules.yaml:1:10: this version of pgveil reads'],
    ['version: 1\ntabels: {}', 'rules.yaml:2:1: unknown key tabels'],
    ['version: 1\nlocale: 5\ntables: {}', 'rules.yaml:2:9: expected a faker locale'],
    ['version: 1\nlarge_objects: maybe\ntables: {}', 'rules.yaml:2:16: '],
    ['version: 1\ntables: [a]', 'rules.yaml:2:9: tables is a mapping'],
    ['version: 1\ntables:\n  a.b.c: omit', 'rules.yaml:3:3: "a.b.c" is not schema.table'],
    ['version: 1\ntables:\n  a:', 'rules.yaml:3:3: table a has no rule'],
    ['version: 1\ntables:\n  a: [x]', 'rules.yaml:3:6: table a: expected one word'],
    ['version: 1\ntables:\n  a: skip', 'rules.yaml:3:6: table a: "skip" is no rule'],
    ['version: 1\ntables:\n  a: keep\n  public.a: omit', 'already at rules.yaml:3:3'],
    ['version: 1\ntables:\n  a: keep\n  a: omit', 'rules.yaml:4:3: this key stands twice'],
    ['version: 1\ntables:\n  a: like b', 'rules.yaml:3:6: like public.b: that table has no rules'],
    ['version: 1\ntables:\n  a: like b\n  b: like c\n  c: keep', 'itself like another'],
    [table('    x:'), 'rules.yaml:4:5: column x has no rule'],
    [table('    x: 5'), 'rules.yaml:4:8: column x: expected a mask'],
    [table('    x: [a]'), 'rules.yaml:4:8: column x: expected a mask'],
    [table('    x: person.fulName'), 'rules.yaml:4:8: unknown mask "person.fulName"'],
    [table('    x: fixed'), 'rules.yaml:4:8: column x: mask fixed needs options: value'],
    [table('    x: { days: 3 }'), 'rules.yaml:4:8: column x: mask: is missing'],
    [table('    x: { mask: fixed, faker: a }'), 'mask and faker exclude each other'],
    [table('    x: { mask: keep }'), 'rules.yaml:4:16: column x: mask: expected the name'],
    [table('    x: { mask: date.shift, day: 3 }'), 'rules.yaml:4:28: unknown key day'],
    [table('    x: { mask: date.shift, days: a }'), 'rules.yaml:4:34: days: invalid input'],
    [table('    x: { mask: fixed }'), 'rules.yaml:4:8: value: is missing'],
    [table('    x: { faker: 3 }'), 'rules.yaml:4:17: faker: invalid input'],
    [table('    x: { mask: null, when: }'), 'rules.yaml:4:28: when: expected an SQL condition'],
    [table('    x: { mask: null, normalize: 1 }'), 'rules.yaml:4:33: normalize: expected true'],
    [table('    x: { json: { $.a: scramble } }'), 'JSON paths are not available in this version'],
    [table('    x: scramble\n    keep: [x]'), 'rules.yaml:5:12: column x is decided already at'],
    [table('    keep: scramble'), 'rules.yaml:4:5: keep: expected a list of columns'],
    [table('    keep: [[a]]'), 'rules.yaml:4:12: expected the name of a column'],
    [table('    where:'), 'rules.yaml:4:5: where: expected an SQL condition'],
    [table('    columns: [a]'), 'rules.yaml:4:5: columns: expected a mapping of columns'],
    [table('    x: *gone'), 'rules.yaml:4:8: no anchor &gone'],
    ['version: 1\ntables: {}\n---\na: 1', 'more than one YAML document'],
  ])('%j', (text, message) => {
    expect(failure(text).message).toContain(message)
  })

  test('near names are suggested', () => {
    expect(failure(table('    x: person.fulName')).hint).toBe('did you mean person.fullName')
    expect(failure(table('    x: email')).hint).toBe('did you mean internet.email')
    expect(failure(table('    x: { mask: date.shift, day: 3 }')).hint).toBe('did you mean days')
    expect(failure('version: 1\nqqq: 1\ntables: {}').hint).toBe(
      'known keys: version, locale, large_objects, tables',
    )
  })

  test('a key that YAML cuts short gets a hint', () => {
    const { hint } = failure('version: 1\ntables:\n  "My Schema"."T": omit')
    expect(hint).toContain('single quotes')
  })

  test('all problems come together, twenty in words', () => {
    const body = Array.from({ length: 25 }, (_, i) => `    c${i}: nonsense${i}`).join('\n')
    const lines = failure(table(body)).message.split('\n')
    expect(lines[0]).toBe('rules.yaml:4:9: unknown mask "nonsense0"')
    expect(lines.slice(20)).toEqual(['and 5 more', '25 problems in this file'])
  })
})

test('a file that cannot be read is a config failure', async () => {
  await expect(readRules('/nowhere/rules.yaml', MASKS)).rejects.toMatchObject({
    kind: 'config',
    message: 'cannot read the rule file /nowhere/rules.yaml: no such file or directory (ENOENT)',
  })
})
