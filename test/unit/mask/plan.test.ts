import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { planMasks } from '../../../src/mask/plan.ts'
import type { TablePlan } from '../../../src/mask/table-plan.ts'
import { MASKS } from '../../../src/mask/registry.ts'
import { parseRules } from '../../../src/mask/rules.ts'
import type {
  Catalog,
  Column,
  ForeignKey,
  Table,
  UniqueIndex,
} from '../../../src/postgres/catalog.ts'

let nextOid = 1

function column(name: string, number: number, more: Partial<Column> = {}): Column {
  return {
    name,
    number,
    typeName: 'text',
    typeClass: 'text',
    isArray: false,
    maxChars: undefined,
    notNull: false,
    generated: false,
    identity: false,
    textOnly: undefined,
    sqlType: 'text',
    ignoresCase: false,
    constrainedDomain: false,
    ...more,
  }
}

/** A table with text columns of these names, numbered from 1. */
function table(name: string, columns: (string | Column)[], more: Partial<Table> = {}): Table {
  return {
    oid: nextOid++,
    schema: 'public',
    name,
    kind: 'table',
    parents: [],
    isPartition: false,
    partitionKey: [],
    columns: columns.map((each, i) => (typeof each === 'string' ? column(each, i + 1) : each)),
    uniqueIndexes: [],
    foreignKeys: [],
    checks: [],
    estimatedRows: 1000,
    bytes: 80_000,
    pages: 10,
    isHeap: true,
    rowSecurity: false,
    extension: undefined,
    extensionFilter: undefined,
    ...more,
  } as Table
}

function unique(columns: number[], more: Partial<UniqueIndex> = {}): UniqueIndex {
  return {
    name: `unique_${columns.join('_')}`,
    columns,
    hasExpression: false,
    isExclusion: false,
    isPartial: false,
    nullsNotDistinct: false,
    ...more,
  }
}

function foreignKey(column: number, to: Table, referenced: number): ForeignKey {
  return { name: 'fk', columns: [column], referencedOid: to.oid, referencedColumns: [referenced] }
}

async function plan(rules: string, tables: Table[]): Promise<Map<string, TablePlan>> {
  const catalog = {
    tables,
    sequences: [],
    materializedViews: [],
    extensions: new Map<string, string>(),
    largeObjects: 0,
  } as unknown as Catalog
  const plans = await planMasks({
    rules: parseRules(`version: 1\nlocale: hu\ntables:\n${rules}`, 'rules.yaml', MASKS),
    catalog,
    masks: MASKS,
    masterKey: new Uint8Array(32).fill(7),
    encodable: () => true,
    skip: new Set(),
  })
  return new Map(plans.map((each) => [each.table.name, each]))
}

async function failure(rules: string, tables: Table[]): Promise<Failure> {
  const outcome = await plan(rules, tables).catch((error: unknown) => error)
  expect(outcome).toBeInstanceOf(Failure)
  return outcome as Failure
}

const masksOf = (entry: TablePlan | undefined) =>
  entry?.masks.map(({ column: { name }, rule, follows }) => [name, rule.mask, follows])

describe('which rule a table has', () => {
  test('an exact name before patterns, a narrow pattern before a wide one', async () => {
    const tables = ['event_2024', 'event_2025', 'other'].map((name) => table(name, ['ip']))
    const plans = await plan(
      '  "public.*": keep\n  public.event_*: omit\n  public.event_2025:\n    ip: internet.ip\n',
      tables,
    )
    expect(plans.get('other')?.rows).toBe('copied')
    expect(plans.get('event_2024')?.rows).toBe('none')
    expect(masksOf(plans.get('event_2025'))).toEqual([['ip', 'internet.ip', undefined]])
  })

  test('partitions and children take the rule of their parent, and may add to it', async () => {
    const parent = table('event', ['id', 'ip'], { kind: 'partitioned', partitionKey: [1] })
    const part = table('event_1', ['id', 'ip'], { parents: [parent.oid], isPartition: true })
    const child = table('event_2', ['id', 'ip', 'note'], { parents: [parent.oid] })
    const plans = await plan(
      '  public.event:\n    ip: internet.ip\n    keep: [id]\n  public.event_2:\n    note: text.scramble\n',
      [parent, part, child],
    )
    expect(masksOf(plans.get('event_1'))).toEqual([['ip', 'internet.ip', undefined]])
    expect(plans.get('event_1')?.root).toBe(parent)
    expect(masksOf(plans.get('event_2'))?.map(([name]) => name)).toEqual(['ip', 'note'])
  })

  test('rows whose partition key is masked go in through the partitioned table', async () => {
    const parent = table('event', ['id', 'ip'], { kind: 'partitioned', partitionKey: [2] })
    const part = table('event_1', ['id', 'ip'], { parents: [parent.oid], isPartition: true })
    const rules = (id: string, ip: string) => `  public.event:\n    id: ${id}\n    ip: ${ip}\n`
    const moved = await plan(rules('keep', 'internet.ip'), [parent, part])
    expect(moved.get('event_1')?.into).toBe(parent)
    const stays = await plan(rules('text.scramble', 'keep'), [parent, part])
    expect(stays.get('event_1')?.into).toBe(part)
  })

  test('tables that an extension fills itself, and foreign ones, need none', async () => {
    const own = table('spatial_ref', ['id'], { extension: 'postgis' })
    const plans = await plan('  public.t: keep\n', [
      table('t', ['id']),
      own,
      table('far', ['id'], { kind: 'foreign' }),
    ])
    expect([...plans.keys()]).toEqual(['t'])
  })
})

describe('the census', () => {
  test('says which tables and columns are not decided', async () => {
    const tables = [table('a', ['id', 'name', 'mail']), table('b', ['x', 'y'])]
    const { kind, message } = await failure('  public.a:\n    name: person.fullName\n', tables)
    expect(kind).toBe('refused')
    expect(message).toBe(
      '4 columns are not decided in rules.yaml; missing lines:\n' +
        '  public.a:\n    id: # text\n    mail: # text\n' +
        '  public.b: # keep, omit, or masks for 2 columns',
    )
  })

  test('asks once for what partitions have from their parent', async () => {
    const parent = table('event', ['id', 'ip'], { kind: 'partitioned', partitionKey: [1] })
    const part = table('event_1', ['id', 'ip'], { parents: [parent.oid], isPartition: true })
    const { message } = await failure('  public.event:\n    id: keep\n', [parent, part])
    expect(message).toBe(
      '1 column is not decided in rules.yaml; missing lines:\n  public.event:\n    ip: # text',
    )
  })

  test('a generated column follows its inputs', async () => {
    const tables = [table('a', ['name', column('upper', 2, { generated: true })])]
    const plans = await plan('  public.a:\n    name: person.fullName\n', tables)
    expect(plans.get('a')?.columns.map(({ name }) => name)).toEqual(['name'])
    const { kind } = await failure('  public.a:\n    name: keep\n    upper: hash\n', tables)
    expect(kind).toBe('config')
  })
})

describe('foreign keys', () => {
  const company = table('company', [column('number', 1, { notNull: true })], {
    uniqueIndexes: [unique([1])],
  })
  const invoice = table('invoice', ['number', 'payer'], {
    foreignKeys: [foreignKey(1, company, 1)],
  })
  const line = table('line', ['invoice_number'], { foreignKeys: [foreignKey(1, invoice, 1)] })

  test('follow a masked key, over several steps and against keep', async () => {
    const plans = await plan(
      '  public.company:\n    number: key\n  public.invoice:\n    keep: [number, payer]\n  public.line: keep\n',
      [company, invoice, line],
    )
    expect(masksOf(plans.get('invoice'))).toEqual([['number', 'key', 'public.company.number']])
    expect(masksOf(plans.get('line'))).toEqual([['invoice_number', 'key', 'public.company.number']])
    const [first, second] = ['company', 'line'].map((name) => plans.get(name)?.masks[0]?.prepared)
    expect(first?.key).toEqual(second?.key)
  })

  test('cannot be masked where the key is kept, or otherwise than the key', async () => {
    const rules = (key: string, reference: string) =>
      `  public.company:\n    number: ${key}\n  public.invoice:\n    number: ${reference}\n    payer: keep\n`
    const kept = await failure(rules('keep', 'hash'), [company, invoice])
    expect(kept).toMatchObject({ kind: 'config' })
    expect(kept.message).toContain(
      'refers to public.company.number (foreign key fk), which is kept',
    )
    const other = await failure(rules('key', 'hash'), [company, invoice])
    expect(other.message).toContain('which is masked differently')
    await expect(plan(rules('keep', '"null"'), [company, invoice])).resolves.toBeDefined()
  })
})

describe('unique indexes', () => {
  const name = '  public.t:\n    keep: [id]\n    name: person.firstName\n'

  test('refuse masks that may make rows equal', async () => {
    const { kind, message } = await failure(name, [
      table('t', ['id', 'name'], { uniqueIndexes: [unique([2])] }),
    ])
    expect(kind).toBe('refused')
    expect(message).toContain('rules.yaml:6:5: public.t.name')
  })

  test('do not mind where kept columns tell the rows apart already', async () => {
    const id = column('id', 1, { notNull: true })
    const keys = [unique([1]), unique([1, 2])]
    await expect(
      plan(name, [table('t', [id, 'name'], { uniqueIndexes: keys })]),
    ).resolves.toBeDefined()
    // A key that may be NULL tells nothing apart, nor does one over some of the rows.
    expect(
      await failure(name, [table('t', ['id', 'name'], { uniqueIndexes: keys })]),
    ).toMatchObject({ kind: 'refused' })
    const partial = [unique([1], { isPartial: true }), unique([1, 2])]
    expect(
      await failure(name, [table('t', [id, 'name'], { uniqueIndexes: partial })]),
    ).toMatchObject({ kind: 'refused' })
  })

  test('take NULL, unless NULLs count as equal', async () => {
    const rules = '  public.t:\n    name: "null"\n'
    const of = (nullsNotDistinct: boolean) => [
      table('t', ['name'], { uniqueIndexes: [unique([1], { nullsNotDistinct })] }),
    ]
    await expect(plan(rules, of(false))).resolves.toBeDefined()
    expect(await failure(rules, of(true))).toMatchObject({ kind: 'refused' })
  })

  test('refuse conditions, under which a mask may meet a kept value', async () => {
    const rules = "  public.t:\n    mail: { mask: internet.email, when: 'true' }\n"
    expect(
      await failure(rules, [table('t', ['mail'], { uniqueIndexes: [unique([1])] })]),
    ).toMatchObject({ kind: 'refused' })
  })

  test('make a whole domain distinct, and the least length holds for all of it', async () => {
    const short = table('short', [column('mail', 1, { maxChars: 40 })])
    const keyed = table('keyed', ['mail'], { uniqueIndexes: [unique([1])] })
    const plans = await plan(
      '  public.short:\n    mail: internet.email\n  public.keyed:\n    mail: internet.email\n',
      [short, keyed],
    )
    const [a, b] = ['short', 'keyed'].map((each) => plans.get(each)?.masks[0]?.prepared)
    expect(a).toEqual(b)
    expect(a?.injective).toBe(true)
  })
})

describe('how rows travel', () => {
  test('conditions first, then what masks read or replace, then the rest', async () => {
    const rules = `  public.t:
    keep: [id, person, note]
    born: { mask: date.shift, by: person }
    name: { mask: person.fullName, when: note is null }
`
    const born = column('born', 3, { typeClass: 'date', typeName: 'date' })
    const plans = await plan(rules, [
      table(
        't',
        ['id', 'person', born, 'name', 'note'].map((each, i) =>
          typeof each === 'string' ? column(each, i + 1) : each,
        ),
      ),
    ])
    const entry = plans.get('t') as TablePlan
    expect(entry.conditions).toEqual(['note is null'])
    expect(entry.columns.map(({ name }) => name)).toEqual(['born', 'name', 'person', 'id', 'note'])
    expect(entry.head).toBe(3)
    expect(entry.masks.map(({ field, condition }) => [field, condition])).toEqual([
      [1, -1],
      [2, 0],
    ])
    expect(entry.masks[0]?.prepared.reads).toEqual([3])
  })

  test('as text where a type has no portable binary form, or a mask wants text', async () => {
    const composite = column('c', 2, { textOnly: 'composite type', typeClass: 'other' })
    const number = column('n', 1, { typeClass: 'int4', typeName: 'integer' })
    const rules = (n: string) => `  public.t:\n    n: ${n}\n    c: keep\n`
    const plain = (await plan(rules('number.noise'), [table('t', [number, column('c', 2)])])).get(
      't',
    )
    expect(plain).toMatchObject({ codec: 'binary', codecReason: undefined })
    const typed = (await plan(rules('number.noise'), [table('t', [number, composite])])).get('t')
    expect(typed).toMatchObject({ codec: 'text', codecReason: 'c: composite type' })
    const asText = (
      await plan(rules('{ faker: number.int }'), [table('t', [number, column('c', 2)])])
    ).get('t')
    expect(asText).toMatchObject({ codec: 'text', codecReason: 'n: faker works on text' })
  })

  test('refuses a mask for a type that it cannot read', async () => {
    const point = column('p', 1, { typeClass: 'other', typeName: 'point' })
    expect(
      await failure('  public.t:\n    p: text.scramble\n', [table('t', [point])]),
    ).toMatchObject({ kind: 'refused' })
  })
})
