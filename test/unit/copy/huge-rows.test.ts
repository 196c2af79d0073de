import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { BINARY, maskedRow, TEXT, type Form, type TestLayout, type TestRow } from './row-forms.ts'
import { copyAnswer, cutAt, cutRandomly, NOTICE, seeded, transfer } from './wire.ts'

const FORMS: [string, Form][] = [
  ['binary', BINARY],
  ['text', TEXT],
]
const MIB = 1024 * 1024

/** One condition, two columns under masks, a third that a mask reads, two that follow as a tail. */
const LAYOUT: TestLayout = {
  conditions: 1,
  head: 3,
  columns: 5,
  masks: [
    { column: 0, condition: 0, neighbour: 2 },
    { column: 1, condition: -1 },
  ],
}
const BESIDE: TestLayout = {
  conditions: 0,
  head: 1,
  columns: 2,
  masks: [{ column: 0, condition: -1 }],
}

/** Bytes of every value, so that the text form has escapes all over. */
function blob(size: number, seed: number): Buffer {
  const random = seeded(seed)
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i += 3) bytes[i] = random(256)
  return bytes
}

const small = (text: string) => Buffer.from(text)
const ROWS: [string, TestRow][] = [
  ['in the tail', row(true, small('név'), small('x'), small('n'), blob(1.5 * MIB, 1), null)],
  ['under a mask', row(true, blob(1.2 * MIB, 2), small('x'), null, small('t'), small('u'))],
  ['under a mask whose condition is NULL', row(null, blob(1.2 * MIB, 3), null, null, null, null)],
  ['beside a mask', row(true, small('név'), null, blob(1.1 * MIB, 4), small('\\'), null)],
  ['everywhere', row(false, blob(MIB, 5), blob(MIB, 6), blob(10, 7), blob(MIB, 8), blob(MIB, 9))],
  ['the mask is NULL', row(true, small(''), small(''), small('n'), null, blob(1.1 * MIB, 10))],
]

function row(condition: boolean | null, ...values: (Buffer | null)[]): TestRow {
  return { conditions: [condition], values }
}

const ordinary = row(true, small('a'), small('b'), small('c'), small('d'), null)

function expected(form: Form, rows: TestRow[], layout = LAYOUT): Buffer {
  return form.content(rows.map((each) => maskedRow(each, layout)))
}

describe.each(FORMS)('%s', (_, form) => {
  test.each(ROWS)('a row of more than 1 MiB: %s', async (__, huge) => {
    const rows = [ordinary, huge, ordinary, huge]
    const answer = copyAnswer(form.messages(rows).toSpliced(2, 0, NOTICE), rows.length)
    const wanted = expected(form, rows)
    for (const most of [900, 70_000, 5 * MIB]) {
      const chunks = cutRandomly(answer, seeded(most), most)
      const { content } = await transfer(form.open(LAYOUT), chunks, { full: most > 1000 })
      expect(content.equals(wanted)).toBe(true)
    }
  })

  test('the head of a huge first row is cut at every position', async () => {
    const huge = row(true, small('név'), small('xyz'), null, blob(MIB + 1, 11), null)
    const answer = copyAnswer(form.messages([huge]), 1)
    const wanted = expected(form, [huge])
    const head = 64
    const wrong: number[] = []
    for (let at = 1; at < head; at++) {
      const { content } = await transfer(form.open(LAYOUT), cutAt(answer, at))
      if (!content.equals(wanted)) wrong.push(at)
    }
    expect(wrong).toEqual([])
    // byte by byte, then the rest
    const positions = Array.from({ length: head }, (__, i) => i + 1)
    const { content } = await transfer(form.open(LAYOUT), cutAt(answer, ...positions))
    expect(content.equals(wanted)).toBe(true)
  })

  test('a huge tail is cut before its end', async () => {
    const huge = row(true, small('név'), small('xyz'), null, blob(MIB + 1, 12), small('end'))
    const answer = copyAnswer(form.messages([huge, ordinary]), 2)
    const wanted = expected(form, [huge, ordinary])
    const wrong: number[] = []
    for (let at = answer.length - 90; at < answer.length; at += 3) {
      const { content } = await transfer(form.open(LAYOUT), cutAt(answer, at))
      if (!content.equals(wanted)) wrong.push(at)
    }
    expect(wrong).toEqual([])
  })

  test.each([
    ['a short head', small('név'), 400 * 1024],
    ['a head of many chunks', blob(300_000, 14), 2.5 * MIB],
  ])('a huge tail streams through and is never held: %s', async (__, masked, most) => {
    const rows = [{ conditions: [], values: [masked, blob(4 * MIB, 13)] }]
    const chunks = cutRandomly(copyAnswer(form.messages(rows)), seeded(5), 65_536)
    const { content, target } = await transfer(form.open(BESIDE), chunks, { full: true })
    expect(content.equals(expected(form, rows, BESIDE))).toBe(true)
    expect(Math.max(...target.sizes)).toBeLessThan(most)
  })

  test('a huge row whose head never ends', async () => {
    const [message = Buffer.alloc(0)] = form.messages([ROWS[1]![1]])
    const cut = Buffer.concat([
      message.subarray(0, 1),
      Buffer.alloc(4),
      message.subarray(5, MIB + 99),
    ])
    cut.writeInt32BE(cut.length - 1, 1)
    const chunks = cutRandomly(copyAnswer([cut]), seeded(1), 65_536)
    const sent = transfer(form.open(LAYOUT), chunks)
    await expect(sent).rejects.toThrow(Failure)
    await expect(sent).rejects.toMatchObject({ kind: 'source' })
  })
})
