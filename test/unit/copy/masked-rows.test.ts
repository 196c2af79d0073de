import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { BINARY, maskedRow, TEXT, type Form, type TestLayout, type TestRow } from './row-forms.ts'
import {
  copyAnswer,
  copyData,
  cutAt,
  cutRandomly,
  NOTICE,
  PARAMETER_STATUS,
  seeded,
  transfer,
} from './wire.ts'

const FORMS: [string, Form][] = [
  ['binary', BINARY],
  ['text', TEXT],
]

const LAYOUTS: [string, TestLayout][] = [
  ['one column', { conditions: 0, head: 1, columns: 1, masks: [{ column: 0, condition: -1 }] }],
  [
    'a neighbour that is read, and a tail',
    { conditions: 0, head: 2, columns: 4, masks: [{ column: 0, condition: -1, neighbour: 1 }] },
  ],
  [
    'conditions',
    {
      conditions: 2,
      head: 3,
      columns: 5,
      masks: [
        { column: 0, condition: 0 },
        { column: 1, condition: -1, neighbour: 0 },
        { column: 2, condition: 1 },
      ],
    },
  ],
  [
    'everything masked',
    {
      conditions: 1,
      head: 3,
      columns: 3,
      masks: [0, 1, 2].map((column) => ({ column, condition: column === 1 ? 0 : -1 })),
    },
  ],
]

/** What gives codecs trouble: NULL, nothing, `\N`, control characters, what looks like lengths and ends. */
const VALUES = [
  null,
  '',
  'a',
  '\\N',
  '\\.',
  '\\',
  'tab\tnewline\nreturn\r\b\f\v',
  'NULL',
  '\0\0\0\x04',
  '\xff\xff\xff\xff',
  'árvíztűrő\u2028\u0085tükörfúrógép',
  'PGCOPY\n\xff\r\n\0',
].map((value) => (value === null ? null : Buffer.from(value)))

function randomRow(layout: TestLayout, random: (below: number) => number): TestRow {
  const value = () => {
    if (random(3) > 0) return VALUES[random(VALUES.length)] as Buffer | null
    return Buffer.from(Array.from({ length: random(60) }, () => random(256)))
  }
  return {
    conditions: Array.from({ length: layout.conditions }, () => [true, false, null][random(3)]!),
    values: Array.from({ length: layout.columns }, value),
  }
}

const rowsOf = (count: number, layout: TestLayout, random: (below: number) => number) =>
  Array.from({ length: count }, () => randomRow(layout, random))

function expected(form: Form, layout: TestLayout, rows: TestRow[]): Buffer {
  return form.content(rows.map((row) => maskedRow(row, layout)))
}

describe.each(FORMS)('%s', (_, form) => {
  describe.each(LAYOUTS)('%s', (__, layout) => {
    test('cut at every position', async () => {
      const rows = rowsOf(6, layout, seeded(7))
      const messages = form.messages(rows)
      messages.splice(2, 0, NOTICE, PARAMETER_STATUS)
      const answer = copyAnswer(messages, rows.length)
      const wanted = expected(form, layout, rows)
      const wrong: number[] = []
      for (let at = 0; at <= answer.length; at++) {
        const { content, counted } = await transfer(form.open(layout), cutAt(answer, at))
        if (!content.equals(wanted) || counted === 0) wrong.push(at)
      }
      expect(wrong).toEqual([])
    })

    test('random rows in random chunks, to a target that is slow', async () => {
      const wrong: number[] = []
      for (let seed = 0; seed < 60; seed++) {
        const random = seeded(seed)
        const rows = rowsOf(random(40), layout, random)
        const messages = form.messages(rows).flatMap((m) => (random(9) === 0 ? [NOTICE, m] : [m]))
        const most = [1, 2, 7, 50, 500, 5000][seed % 6] as number
        const chunks = cutRandomly(copyAnswer(messages, rows.length), random, most)
        const { content } = await transfer(form.open(layout), chunks, { full: seed % 2 === 0 })
        if (!content.equals(expected(form, layout, rows))) wrong.push(seed)
      }
      expect(wrong).toEqual([])
    })
  })

  test('many rows travel in few writes', async () => {
    const [, layout] = LAYOUTS[2]!
    const random = seeded(3)
    const rows = rowsOf(6_000, layout, random)
    const chunks = cutRandomly(copyAnswer(form.messages(rows)), random, 65_536)
    const { content, target } = await transfer(form.open(layout), chunks, { full: true })
    expect(content.equals(expected(form, layout, rows))).toBe(true)
    expect(target.sizes.length).toBeLessThan(content.length / 250_000 + 2)
    expect(target.drains).toBe(target.sizes.length)
  })

  test('no rows', async () => {
    const [, layout] = LAYOUTS[1]!
    const answer = copyAnswer(form.messages([]), 0)
    for (let at = 0; at <= answer.length; at++) {
      const { content } = await transfer(form.open(layout), cutAt(answer, at))
      expect(content).toEqual(form.content([]))
    }
  })
})

describe('rows that are not what COPY promises', () => {
  const [, layout] = LAYOUTS[2]!
  const row: TestRow = {
    conditions: [true, null],
    values: ['aa', 'bb', 'cc', 'dd', 'ee'].map((value) => Buffer.from(value)),
  }
  /** What a bad message after a good one leads to, wherever it is cut. */
  const outcomes = async (form: Form, content: Buffer) => {
    const first = form.messages([row])[0] as Buffer
    const answer = copyAnswer([first, copyData(content)])
    const found = new Set<unknown>()
    for (let at = first.length; at < first.length + content.length + 13; at++) {
      const error: unknown = await transfer(form.open(layout), cutAt(answer, at)).catch((e) => e)
      found.add(error instanceof Failure ? error.kind : error)
    }
    return [...found]
  }
  const binary = (BINARY.messages([row, row])[1] as Buffer).subarray(5)
  const text = (TEXT.messages([row])[0] as Buffer).subarray(5)

  test.each([
    ['a count of fields that is wrong', Buffer.concat([Buffer.from([0, 6]), binary.subarray(2)])],
    [
      'a field beyond the end',
      Buffer.concat([binary.subarray(0, 2), Buffer.from([0x7f, 0, 0, 0])]),
    ],
    ['a length that is cut off', binary.subarray(0, 4)],
    [
      'a length below -1',
      Buffer.concat([binary.subarray(0, 2), Buffer.from([0xff, 0, 0, 0]), binary]),
    ],
    ['one byte', binary.subarray(0, 1)],
  ])('binary: %s', async (_, content) => {
    expect(await outcomes(BINARY, content)).toEqual(['source'])
  })

  test.each([
    ['no newline at the end', text.subarray(0, -1)],
    ['too few fields', Buffer.from('t\t\\N\taa\n')],
    ['a newline too early', Buffer.from('t\t\\N\taa\nbb\tcc\tdd\tee\n')],
  ])('text: %s', async (_, content) => {
    expect(await outcomes(TEXT, content)).toEqual(['source'])
  })

  test.each([
    ['no signature', Buffer.from('PGCOPY\n\xff\r\r\0'.padEnd(40, '\0'), 'latin1')],
    ['half a signature', Buffer.from('PGCOPY')],
    [
      'a header extension beyond the end',
      Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\x7f\0\0\0', 'latin1'),
    ],
    [
      'a header extension of negative length',
      Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\xff\0\0\0xx', 'latin1'),
    ],
  ])('binary: %s', async (_, content) => {
    const sent = transfer(BINARY.open(layout), [copyAnswer([copyData(content)])])
    await expect(sent).rejects.toMatchObject({ kind: 'source' })
  })
})
