import { describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../../../src/errors.ts'
import { BLOCK_BYTES } from '../../../src/stream/blocks.ts'
import { addDigests, FramedRows, LineRows } from '../../../src/stream/rows.ts'
import { frame, numbers, plainDigest, rowsOf, sipHash128 } from './copy-rows.ts'

const VECTORS = join(import.meta.dirname, '..', '..', 'vectors', 'stream')
const sip = JSON.parse(readFileSync(join(VECTORS, 'siphash-2-4-128.json'), 'utf8')) as {
  key: string
  hashes: string[]
}
const golden = JSON.parse(readFileSync(join(VECTORS, 'row-digests.json'), 'utf8')) as {
  what: string
  key: string
  rows: string[]
  repeat: number
  count: number
  digest: string
}[]

const KEY = Buffer.from(sip.key, 'hex')

function linesDigest(key: Buffer, bytes: Buffer, cuts: number[] = []): LineRows {
  const lines = new LineRows(key)
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    lines.take(bytes.subarray(from, cut))
    from = cut
  }
  expect(lines.end()).toBe(true)
  return lines
}

/** A consumer and the output it handed on. */
function framed(key: Buffer = KEY): { rows: FramedRows; blocks: Buffer[]; output: () => Buffer } {
  const blocks: Buffer[] = []
  const rows = new FramedRows(key, (block) => blocks.push(Buffer.from(block)))
  return { rows, blocks, output: () => Buffer.concat(blocks) }
}

function takeAll(key: Buffer, contents: Buffer[]): ReturnType<typeof framed> {
  const taker = framed(key)
  const bytes = frame(contents)
  taker.rows.takeFramed(bytes, 0, bytes.length)
  taker.rows.flush()
  return taker
}

/** Gives a message in parts of these sizes. */
function takeParts(rows: FramedRows, content: Buffer, sizes: () => number): void {
  rows.beginFramed(content.length)
  for (let at = 0; at < content.length;) {
    const end = Math.min(content.length, at + sizes())
    rows.partFramed(content, at, end, end === content.length)
    at = end
  }
}

function thrownBy(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

describe('the hash of a row', () => {
  test('is SipHash-2-4-128 as its authors published it, both ways in', () => {
    const message = Buffer.from(sip.hashes.map((_, i) => i))
    expect(sip.hashes).toHaveLength(64)
    sip.hashes.forEach((expected, length) => {
      expect(sipHash128(KEY, message.subarray(0, length)).toString('hex')).toBe(expected)
      // A row holds no 0x0A: messages from 11 bytes up cannot come as lines, nor as one row.
      if (length > 10) return
      const row = Buffer.from([...message.subarray(0, length), 0x0a])
      const digest = Buffer.from(expected, 'hex').reverse().toString('hex')
      expect(linesDigest(KEY, row).digest()).toBe(digest)
      expect(takeAll(KEY, [row]).rows.digest()).toBe(digest)
    })
  })

  test('agrees with the plain one for rows of every length, every alignment, any bytes', () => {
    const next = numbers(7)
    for (let length = 0; length <= 300; length++) {
      const rows = rowsOf([next(9), length, next(40)], next)
      const expected = plainDigest(KEY, rows)
      expect(linesDigest(KEY, Buffer.concat(rows)).digest()).toBe(expected)
      expect(takeAll(KEY, rows).rows.digest()).toBe(expected)
    }
  })

  test('is not misled by the neighbours of the newline', () => {
    const bytes = [0x09, 0x0b, 0x8a, 0x00, 0xff, 0x01, 0x80, 0x7f, 0x0d, 0x5c]
    const rows = bytes.flatMap((a) =>
      bytes.map((b) => Buffer.from([b, a, a, b, a, b, b, a, a, b, 0x0a])),
    )
    const expected = plainDigest(KEY, rows)
    expect(linesDigest(KEY, Buffer.concat(rows)).digest()).toBe(expected)
  })
})

describe('the digest', () => {
  test.each(golden)('stays what it was: $what', ({ key, rows, repeat, count, digest }) => {
    const text = Buffer.from(
      rows
        .map((row) => `${row}\n`)
        .join('')
        .repeat(repeat),
    )
    const lines = linesDigest(Buffer.from(key, 'hex'), text)
    expect({ count: lines.rows, digest: lines.digest() }).toEqual({ count, digest })
  })

  test('does not depend on order, does on every row, on how often it occurs, and on the key', () => {
    const rows = rowsOf([5, 20, 100, 0, 64], numbers(3))
    const of = (all: Buffer[], key = KEY): string => linesDigest(key, Buffer.concat(all)).digest()
    const digest = of(rows)
    expect(of(rows.toReversed())).toBe(digest)
    expect(of([...rows, rows[1] as Buffer])).not.toBe(digest)
    expect(of(rows.slice(1))).not.toBe(digest)
    expect(of(rows, Buffer.alloc(16))).not.toBe(digest)
    for (let i = 0; i < 20; i++) {
      const changed = Buffer.from(rows[1] as Buffer)
      changed[i] = (changed[i] as number) ^ 0x80
      expect(of(rows.with(1, changed))).not.toBe(digest)
    }
  })

  test('of two sets together is the sum of theirs, carried over at 128 bits', () => {
    const [one, other] = [rowsOf([5, 20], numbers(3)), rowsOf([8, 9, 1000], numbers(4))]
    const sum = addDigests(plainDigest(KEY, one), plainDigest(KEY, other))
    expect(sum).toBe(linesDigest(KEY, Buffer.concat([...one, ...other])).digest())
    expect(addDigests('f'.repeat(32), `${'0'.repeat(31)}2`)).toBe(`${'0'.repeat(31)}1`)
    expect(() => addDigests('1', sum)).toThrow(RangeError)
    expect(() => addDigests(sum, sum.toUpperCase())).toThrow(RangeError)
  })

  test('of no rows is zero, and a key has 16 bytes', () => {
    expect(linesDigest(KEY, Buffer.alloc(0)).digest()).toBe('0'.repeat(32))
    expect(() => new LineRows(Buffer.alloc(15))).toThrow(RangeError)
  })

  test('begins anew after a reset, even in the midst of a row', () => {
    const lines = new LineRows(KEY)
    lines.take(Buffer.from('one row and a piece of ano'))
    lines.reset()
    expect(lines.end()).toBe(true)
    lines.take(Buffer.from('row\n'))
    expect(lines.rows).toBe(1)
    expect(lines.digest()).toBe(plainDigest(KEY, [Buffer.from('row\n')]))

    const { rows, blocks } = framed()
    takeParts(rows, Buffer.from('a long one\n'), () => 4)
    rows.reset()
    rows.flush()
    expect(blocks).toEqual([])
    expect(rows.rows).toBe(0)
  })
})

describe('lines', () => {
  const rows = rowsOf([0, 1, 7, 8, 9, 15, 16, 17, 40, 0, 0, 3], numbers(11))
  const bytes = Buffer.concat(rows)
  const expected = plainDigest(KEY, rows)

  test('may be cut anywhere, in two and in three', () => {
    for (let a = 0; a <= bytes.length; a++) {
      for (let b = a; b <= bytes.length; b += 3) {
        expect(linesDigest(KEY, bytes, [a, b]).digest()).toBe(expected)
      }
    }
  })

  test('may come byte by byte, and in chunks larger than any memory of ours', () => {
    const every = bytes.map((_, i) => i)
    expect(linesDigest(KEY, bytes, [...every.keys()]).digest()).toBe(expected)
    const large = rowsOf([3_000_000, 5, 2_500_001, 131_071, 131_072], numbers(5))
    expect(linesDigest(KEY, Buffer.concat(large)).digest()).toBe(plainDigest(KEY, large))
  })

  test.each(['x', '1234567', '12345678', '123456789', 'row\nx', 'row\n12345678'])(
    'without the last newline are not at their end: %j',
    (text) => {
      const lines = new LineRows(KEY)
      lines.take(Buffer.from(text))
      expect(lines.end()).toBe(false)
      lines.take(Buffer.from('\n'))
      expect(lines.end()).toBe(true)
    },
  )
})

describe('framed rows', () => {
  test('lose their framing and come out in blocks of exactly one size', () => {
    const next = numbers(2)
    const rows = rowsOf(
      Array.from({ length: 12_000 }, () => next(400)),
      next,
    )
    const bytes = Buffer.concat(rows)
    const taker = takeAll(KEY, rows)
    expect(taker.output().equals(bytes)).toBe(true)
    expect(taker.blocks.length).toBeGreaterThan(2)
    expect(taker.blocks.slice(0, -1).every(({ length }) => length === BLOCK_BYTES)).toBe(true)
    expect(taker.rows.rows).toBe(rows.length)
    expect(taker.rows.digest()).toBe(linesDigest(KEY, bytes).digest())
  })

  test('that are closed leave their memory to others, and nothing in it', () => {
    const next = numbers(5)
    const other = Buffer.alloc(16, 7)
    const rows = rowsOf([50, 900_000, 3], next)
    const alone = takeAll(other, rows)
    const { rows: cut } = framed()
    cut.takeFramed(frame(rows.slice(0, 1)), 0, frame(rows.slice(0, 1)).length)
    cut.beginFramed(100)
    cut.partFramed(Buffer.alloc(50, 'x'), 0, 50, false)
    const memory = (cut as unknown as { memory: Buffer }).memory.buffer
    cut.close()
    const after = takeAll(other, rows)
    expect((after.rows as unknown as { memory: Buffer }).memory.buffer).toBe(memory)
    expect(after.rows.digest()).toBe(alone.rows.digest())
    expect(after.rows.rows).toBe(3)
    expect(after.output().equals(Buffer.concat(rows))).toBe(true)
    expect(() => cut.rows).toThrow('closed')
    expect(() => cut.digest()).toThrow('closed')
    cut.close()
    expect(takeAll(other, []).rows.rows).toBe(0)
  })

  test('of one full block leave nothing for a second, and none make no block', () => {
    const rows = rowsOf([BLOCK_BYTES / 2 - 1, BLOCK_BYTES / 2 - 1], numbers(1))
    expect(takeAll(KEY, rows).blocks.map(({ length }) => length)).toEqual([BLOCK_BYTES])
    expect(takeAll(KEY, []).blocks).toEqual([])
  })

  test('may be mixed with messages in parts, of any size, across the ends of blocks', () => {
    const next = numbers(9)
    const sizes = [1, 2, 8, 100, 131_066, 131_067, 131_068, 1_048_576, 1_048_577, 2_500_000, 0, 7]
    const rows = rowsOf([...sizes, ...Array.from({ length: 300 }, () => next(9000))], next)
    const { rows: taker, output } = framed()
    rows.forEach((row, i) => {
      if (i % 3 === 0) takeParts(taker, row, () => 1 + next(i % 2 ? 200_000 : 70))
      else {
        const chunk = Buffer.concat([Buffer.from('before'), frame([row]), Buffer.from('after')])
        taker.takeFramed(chunk, 6, chunk.length - 5)
      }
    })
    taker.flush()
    expect(output().equals(Buffer.concat(rows))).toBe(true)
    expect(taker.rows).toBe(rows.length)
    expect(taker.digest()).toBe(plainDigest(KEY, rows))
  })

  test('in parts end at a block’s end with any number of bytes not yet hashed', () => {
    for (let over = 0; over < 10; over++) {
      const rows = rowsOf([BLOCK_BYTES - 20, 40], numbers(over + 1))
      const { rows: taker, output } = framed()
      const [first, second] = rows as [Buffer, Buffer]
      takeParts(taker, first, () => 100_000)
      takeParts(taker, second, () => 15 + over)
      taker.flush()
      expect(output().equals(Buffer.concat(rows))).toBe(true)
      expect(taker.digest()).toBe(plainDigest(KEY, rows))
    }
  })

  const bad: [string, Buffer][] = [
    ['no newline at the end', frame([Buffer.from('row')])],
    ['no content', frame([Buffer.alloc(0)])],
    ['another type of message', Buffer.from('X\0\0\0\x06a\n')],
    ['a length below its own', Buffer.from('d\0\0\0\x03a\n')],
    ['a length beyond the chunk', Buffer.from('d\0\0\0\xf0a\n', 'latin1')],
    ['a length of 4 GiB', Buffer.from('d\xff\xff\xff\xffa\n', 'latin1')],
    ['half a header', Buffer.from('d\0\0')],
    ['a newline inside', frame([Buffer.from('secret\nrow\n')])],
    ['a large one without newline', frame([Buffer.alloc(200_000, 'x')])],
  ]
  test.each(bad)('are refused with %s', (_, bytes) => {
    const { rows } = framed()
    const good = frame([Buffer.from('good\n')])
    const error = thrownBy(() => {
      rows.takeFramed(Buffer.concat([good, bytes]), 0, good.length + bytes.length)
      rows.flush()
    })
    expect(error).toBeInstanceOf(Failure)
    expect((error as Failure).kind).toBe('source')
    expect((error as Failure).message).not.toContain('secret')
  })

  test.each(['row', 'r\now\n', ''])('in parts are refused where they are not one: %j', (text) => {
    const { rows } = framed()
    expect(thrownBy(() => takeParts(rows, Buffer.from(text), () => 2))).toMatchObject({
      kind: 'source',
    })
  })
})
