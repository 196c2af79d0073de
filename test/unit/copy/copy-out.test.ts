import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { CopyOut, type RowConsumer } from '../../../src/postgres/copy-out.ts'
import {
  answerEnd,
  commandComplete,
  COPY_DONE,
  COPY_OUT_RESPONSE,
  copyAnswer,
  copyData,
  cutAt,
  cutRandomly,
  deliver,
  ERROR,
  message,
  NOTICE,
  PARAMETER_STATUS,
  READY,
  seeded,
} from './wire.ts'

/** Puts the content of messages together again and checks the order of the calls. */
class Collector implements RowConsumer {
  readonly messages: string[] = []
  onDrain: (() => void) | undefined
  #open: { size: number; parts: Buffer[] } | undefined

  rows(chunk: Buffer, start: number, end: number): void {
    if (this.#open) throw new Error('rows within a message')
    let at = start
    while (at < end) {
      const next = at + 1 + chunk.readInt32BE(at + 1)
      this.messages.push(chunk.toString('latin1', at + 5, next))
      at = next
    }
    if (at !== end) throw new Error('rows are not whole')
  }

  begin(size: number): void {
    if (this.#open) throw new Error('a message within a message')
    this.#open = { size, parts: [] }
  }

  part(chunk: Buffer, start: number, end: number, last: boolean): void {
    if (!this.#open || start >= end) throw new Error('a part of nothing')
    this.#open.parts.push(Buffer.from(chunk.subarray(start, end)))
    if (!last) return
    const whole = Buffer.concat(this.#open.parts)
    if (whole.length !== this.#open.size) throw new Error('the size was wrong')
    this.messages.push(whole.toString('latin1'))
    this.#open = undefined
  }

  ready(): boolean {
    return true
  }
}

async function read(chunks: readonly Buffer[]) {
  const collector = new Collector()
  const copy = new CopyOut('COPY', collector)
  const delivered = await deliver(copy, chunks)
  return { ...delivered, copy, messages: collector.messages }
}

const TEXTS = [
  'first\n',
  'd\0\0\0\x09',
  'x',
  'c\0\0\0\x04',
  'E',
  'a longer row than the others\n',
  'Z\n',
]
const ROWS = TEXTS.map(copyData)
const BETWEEN = [NOTICE, PARAMETER_STATUS, message('N', '')]
/** Other messages before, between and after the rows. */
const MIXED = ROWS.flatMap((row, i) => [...BETWEEN.slice(0, i % 4), row]).concat(NOTICE)

test.each([
  ['rows alone', ROWS, Buffer.alloc(0)],
  ['notices and parameters between them', MIXED, Buffer.concat(MIXED.filter((m) => m[0] !== 0x64))],
  ['no rows', [], Buffer.alloc(0)],
])('an answer cut at every position: %s', async (_, messages, others) => {
  const answer = copyAnswer(messages, 7)
  const rows = messages.length > 0 ? TEXTS : []
  for (let at = 0; at <= answer.length; at++) {
    const whole = await read(cutAt(answer, at))
    expect(whole.messages).toEqual(rows)
    expect(whole.toPg).toEqual(Buffer.concat([others, answerEnd(7)]))
    expect(whole.copy.messages).toBe(rows.length)
  }
})

test('an answer cut at every two positions', async () => {
  const answer = copyAnswer([NOTICE, ...ROWS.slice(0, 3), PARAMETER_STATUS])
  const wrong: [number, number][] = []
  for (let a = 0; a < answer.length; a++) {
    for (let b = a; b <= answer.length; b++) {
      const { messages } = await read(cutAt(answer, a, b))
      if (messages.join() !== TEXTS.slice(0, 3).join()) wrong.push([a, b])
    }
  }
  expect(wrong).toEqual([])
})

test('random rows in random chunks', async () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seeded(seed)
    const texts = Array.from({ length: 60 }, () =>
      'dcEHNSZ\0\x01'.charAt(random(9)).repeat(1 + random(40)),
    )
    const messages = texts.flatMap((text) =>
      random(8) === 0 ? [BETWEEN[random(3)] as Buffer, copyData(text)] : [copyData(text)],
    )
    const answer = copyAnswer(messages)
    const chunks = cutRandomly(answer, random, [1, 3, 8, 40, 400][seed % 5] as number)
    expect((await read(chunks)).messages).toEqual(texts)
  }
})

describe('the end', () => {
  const sending = async (...messages: Buffer[]) => read([Buffer.concat(messages)])

  test('resolves with the count of the command tag', async () => {
    const { copy } = await sending(copyAnswer(ROWS))
    copy.handleCommandComplete({ text: 'COPY 7' })
    copy.handleReadyForQuery()
    expect(await copy.finished).toBe(7)
  })

  test('an error of the server in the middle', async () => {
    for (let at = 1; at < ERROR.length; at++) {
      const answer = Buffer.concat([COPY_OUT_RESPONSE, ...ROWS.slice(0, 2), ERROR, READY])
      const split = answer.length - READY.length - ERROR.length + at
      const { copy, messages, toPg } = await read(cutAt(answer, split))
      expect(messages).toEqual(TEXTS.slice(0, 2))
      expect(toPg).toEqual(Buffer.concat([ERROR, READY]))
      const error = new Error('canceled')
      copy.handleError(error)
      copy.handleReadyForQuery()
      await expect(copy.finished).rejects.toBe(error)
    }
  })

  test('a connection that ends', async () => {
    const { copy } = await read([COPY_OUT_RESPONSE, (ROWS[0] as Buffer).subarray(0, 7)])
    copy.handleError(new Error('Connection terminated unexpectedly'))
    await expect(copy.finished).rejects.toThrow('terminated')
  })

  test('no end mark', async () => {
    const { copy } = await sending(COPY_OUT_RESPONSE, ...ROWS, commandComplete(7))
    copy.handleCommandComplete({ text: 'COPY 7' })
    copy.handleReadyForQuery()
    await expect(copy.finished).rejects.toThrow('without its end mark')
  })

  test('no command tag', async () => {
    const { copy } = await sending(COPY_OUT_RESPONSE, COPY_DONE)
    copy.handleReadyForQuery()
    await expect(copy.finished).rejects.toThrow('without its end mark')
  })
})

describe('what is no message', () => {
  test.each([
    ['a row of size 0', Buffer.from('d\0\0\0\0', 'latin1')],
    ['a row of size 3', Buffer.from('d\0\0\0\x03', 'latin1')],
    ['a row of negative size', Buffer.from('d\xff\xff\xff\xf0', 'latin1')],
    ['a notice of size 1', Buffer.from('N\0\0\0\x01', 'latin1')],
  ])('%s', async (_, bytes) => {
    const answer = Buffer.concat([COPY_OUT_RESPONSE, copyData('x'), bytes, copyData('y')])
    const from = answer.length - bytes.length - 6
    for (let at = from; at <= from + 5; at++) {
      const { copy, destroyed } = await read(cutAt(answer, at))
      expect(destroyed).toBe(true)
      await expect(copy.finished).rejects.toThrow(Failure)
    }
  })
})

test('a consumer that fails ends the connection', async () => {
  const broken = new Collector()
  broken.rows = () => {
    throw new Failure('sink', 'enough')
  }
  const copy = new CopyOut('COPY', broken)
  const { destroyed } = await deliver(copy, [copyAnswer(ROWS)])
  expect(destroyed).toBe(true)
  await expect(copy.finished).rejects.toThrow('enough')
})

test('a consumer that is not ready pauses the socket until it drains', async () => {
  const slow = new Collector()
  let asked = 0
  slow.ready = () => {
    if (asked++ % 3 > 0) return true
    setImmediate(() => slow.onDrain?.())
    return false
  }
  const copy = new CopyOut('COPY', slow)
  const { toPg } = await deliver(copy, cutRandomly(copyAnswer(ROWS), seeded(1), 5))
  expect(slow.messages).toEqual(TEXTS)
  expect(toPg).toEqual(answerEnd(7))
  expect(slow.onDrain).toBeUndefined()
})
