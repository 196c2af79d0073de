import { describe, expect, test } from '@jest/globals'
import { classOf, KEPT } from '../../../src/mask/characters.ts'
import { buildDictionary, keepDictionary } from '../../../src/mask/dictionary.ts'
import { allocate, copy, heap, SLACK, WINDOW } from '../../../src/mask/kernel.ts'
import { KeyedHash, Stream } from '../../../src/mask/keyed.ts'
import { openCompose } from '../../../src/mask/masks/compose.ts'
import { openIdentity, Original } from '../../../src/mask/masks/identity.ts'
import { CHANGED, DRAWN, scrambleText } from '../../../src/mask/masks/scramble-text.ts'
import { Output } from '../../../src/mask/mask.ts'
import { seeded } from '../copy/wire.ts'
import { NO_ROW, testKey } from './masking.ts'

/** `bytes` in the kernel's memory, with other bytes behind it. */
function placed(bytes: Buffer): number {
  const at = allocate(bytes.length)
  bytes.copy(heap, at)
  heap.fill('y', at + bytes.length, at + bytes.length + SLACK)
  return at
}

function scrambled(bytes: Buffer, start: number, end: number, out: Output, seed: string) {
  const hash = new KeyedHash(testKey())
  hash.hash(Buffer.from(seed), 0, seed.length)
  const stream = new Stream()
  stream.seed(hash)
  const from = out.length
  const did = scrambleText(bytes, start, end, out, stream, true)
  return { text: out.bytes.toString('utf8', from, out.length), did, next: stream.next() }
}

const ALPHABET = Array.from('aZ9 .-éŐÿĸŉſİ\t\n„”×÷ßµªΣ٣漢😀\u0301\u00a0')

function randomText(random: (below: number) => number, length: number): string {
  return Array.from({ length }, () => ALPHABET[random(ALPHABET.length)]).join('')
}

test.each([0, 1, 15, 16, 17, 511, 512, 513, 70_000])('copies %i bytes', (size) => {
  const bytes = Buffer.from(Array.from({ length: size }, (_, i) => i % 251))
  const [from, to] = [placed(bytes), allocate(size)]
  heap.fill('x', to, to + size + SLACK)
  copy(from, from + size, to)
  expect(heap.subarray(to, to + size).equals(bytes)).toBe(true)
})

test('what was allocated is followed by room for what is written beyond it', () => {
  const [one, other] = [allocate(5), allocate(5)]
  expect(other - one).toBeGreaterThanOrEqual(5 + SLACK)
  expect(one % 16).toBe(0)
  expect(() => allocate(heap.length)).toThrow('more than 60 MB')
  expect(allocate(1)).toBeGreaterThan(other)
})

test('the canonical form is Unicode’s, wherever the text lies', () => {
  const random = seeded(7)
  for (let i = 0; i < 5000; i++) {
    const text = randomText(random, random(60))
    const bytes = Buffer.from(text)
    const at = placed(bytes)
    const expected = text
      .normalize('NFC')
      .toLowerCase()
      .normalize('NFC')
      .replace(/\s+/gu, ' ')
      .trim()
    for (const [where, start] of [
      [bytes, 0],
      [heap, at],
    ] as const) {
      const identity = openIdentity('text')
      identity.read(where, start, start + bytes.length)
      const canonical = Buffer.from(identity.bytes.subarray(identity.start, identity.end))
      expect(canonical.toString()).toBe(expected)
    }
  }
})

test.each([WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW, 3 * WINDOW + 5])(
  'the tag of %i bytes is one, brought in pieces or not',
  (size) => {
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7) % 251))
    const at = placed(bytes)
    const [one, other] = [new KeyedHash(testKey()), new KeyedHash(testKey())]
    one.hash(bytes, 0, size)
    other.hash(heap, at, at + size)
    expect([one.t0, one.t1, one.t2, one.t3]).toEqual([other.t0, other.t1, other.t2, other.t3])
  },
)

describe('scramble', () => {
  test('every character of the basic plane is replaced, or stays, by its class', () => {
    const chars = Array.from({ length: 0xffff }, (_, i) => i).filter(
      (i) => i < 0xd800 || i > 0xdfff,
    )
    const bytes = Buffer.from(
      String.fromCodePoint(...chars.slice(0, 0x8000)) +
        String.fromCodePoint(...chars.slice(0x8000)),
    )
    const { text } = scrambled(bytes, 0, bytes.length, new Output(1), 'a')
    const results = Array.from(text)
    const wrong = chars.filter((codePoint, i) => {
      const kept = String.fromCodePoint(codePoint)
      const shape = [kept, '[a-z]', '[A-Z]', '[0-9]'][classOf(codePoint)]!
      return classOf(codePoint) === KEPT
        ? results[i] !== kept
        : !new RegExp(`^${shape}$`).test(results[i]!)
    })
    expect(wrong).toEqual([])
    expect(results).toHaveLength(chars.length)
  })

  test('the same wherever the text and its result lie, however long', () => {
    const random = seeded(3)
    for (let i = 0; i < 300; i++) {
      const bytes = Buffer.from(randomText(random, i % 50 === 0 ? 3 * WINDOW : random(200)))
      const at = placed(bytes)
      const results = [
        scrambled(bytes, 0, bytes.length, new Output(1), `${i}`),
        scrambled(bytes, 0, bytes.length, new Output(bytes.length, allocate(bytes.length)), `${i}`),
        scrambled(heap, at, at + bytes.length, new Output(1), `${i}`),
        scrambled(
          heap,
          at,
          at + bytes.length,
          new Output(bytes.length, allocate(bytes.length)),
          `${i}`,
        ),
      ]
      for (const result of results) expect(result).toEqual(results[0])
    }
  })

  test.each([
    ['', 0],
    ['-- !', 0],
    ['– „”', 0],
    ['\xff', CHANGED],
    ['é', DRAWN | CHANGED],
    ['漢', DRAWN | CHANGED],
    ['abcdefghijklmnopqrstuvwxyz', DRAWN | CHANGED],
  ])('%j: says what it did', (text, expected) => {
    const bytes = text === '\xff' ? Buffer.from([0xff]) : Buffer.from(text)
    expect(scrambled(bytes, 0, bytes.length, new Output(1), 'x').did).toBe(expected)
  })

  test('says that letters were drawn that are the same', () => {
    const dids = Array.from({ length: 200 }, (_, i) => {
      const { text, did } = scrambled(Buffer.from('a'), 0, 1, new Output(1), `${i}`)
      return [text === 'a', did === DRAWN]
    })
    expect(dids.every(([same, told]) => same === told)).toBe(true)
    expect(dids.some(([same]) => same)).toBe(true)
  })
})

test('a value is drawn again only where its canonical form is that of the original', async () => {
  const entries = Array.from({ length: 60 }, (_, i) => `A${'béÉ x'[i % 5]}${i % 12}d`)
  const dictionaries = { name: buildDictionary(entries) }
  const params = { identity: 'text', parts: [{ pick: 'name' }] }
  const mask = await openCompose(
    {
      kind: 'compose',
      key: testKey(),
      params,
      dictionaries: { name: keepDictionary(dictionaries.name) },
      reads: [],
      injective: false,
      normalizes: true,
    },
    'text',
    'text',
  )
  const original = new Original(testKey(), 'text')
  let again = 0
  for (let i = 0; i < 2000; i++) {
    const text = i % 2 ? `a${String.fromCharCode(97 + (i % 26))}${i % 10}d` : ` ${entries[i % 60]} `
    const bytes = Buffer.from(i % 3 ? text : text.toUpperCase())
    original.read(bytes, 0, bytes.length)
    const canonical = (value: string) => value.trim().toLowerCase()
    let expected = entries[original.stream.below(entries.length)]!
    while (canonical(expected) === canonical(bytes.toString())) {
      expected = entries[original.stream.below(entries.length)]!
      again++
    }
    const out = new Output(8)
    mask(bytes, 0, bytes.length, out, NO_ROW)
    expect(out.bytes.toString('utf8', 0, out.length)).toBe(expected)
  }
  expect(again).toBeGreaterThan(20)
})

describe('Output', () => {
  test('leaves the kernel’s memory when it is full, keeps its offsets, and comes back', () => {
    const at = allocate(100)
    const out = new Output(100, at)
    expect([out.bytes === heap, out.start, out.length]).toEqual([true, at, at])
    out.append(Buffer.alloc(60, 'a'), 0, 60)
    out.append(Buffer.alloc(60, 'b'), 0, 60)
    expect(out.bytes === heap).toBe(false)
    expect(out.bytes.toString('latin1', out.start, out.length)).toBe(
      'a'.repeat(60) + 'b'.repeat(60),
    )
    out.clear()
    expect([out.bytes === heap, out.length]).toEqual([true, at])
    out.append(Buffer.alloc(100, 'c'), 0, 100)
    expect(out.bytes === heap).toBe(true)
  })
})

test('equal dictionaries share their place', () => {
  const make = (...entries: string[]) => ({
    bytes: Buffer.from(entries.join('')),
    offsets: Uint32Array.from([
      0,
      ...entries.map((_, i) => entries.slice(0, i + 1).join('').length),
    ]),
  })
  const [one, same, other, split] = [
    keepDictionary(make('ab', 'cd')),
    keepDictionary(make('ab', 'cd')),
    keepDictionary(make('ab', 'ce')),
    keepDictionary(make('abc', 'd')),
  ]
  expect(same!.offsets.byteOffset).toBe(one!.offsets.byteOffset)
  expect(other!.offsets[0]).not.toBe(one!.offsets[0])
  const entries = [one, other, split].map(({ bytes, offsets }) =>
    [0, 1].map((i) => Buffer.from(bytes).toString('utf8', offsets[i], offsets[i + 1])),
  )
  expect(entries).toEqual([
    ['ab', 'cd'],
    ['ab', 'ce'],
    ['abc', 'd'],
  ])
})
