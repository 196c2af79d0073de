import { describe, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { KeyedHash, Stream, deriveKey } from '../../../src/mask/keyed.ts'
import { testKey } from './masking.ts'

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/mask/chaskey-12.json', import.meta.url), 'utf8'),
) as { key: string[]; tags: string[] }

function tagOf(hash: KeyedHash): string {
  return [hash.t0, hash.t1, hash.t2, hash.t3]
    .map((word) => (word >>> 0).toString(16).padStart(8, '0'))
    .join(' ')
}

/** The key's words as the bytes that the reference code has in memory. */
function referenceKey(): Uint8Array {
  const key = Buffer.alloc(16)
  vectors.key.forEach((word, i) => key.writeUInt32LE(Number.parseInt(word, 16), i * 4))
  return key
}

describe('KeyedHash', () => {
  test.each(vectors.tags.map((tag, length) => ({ tag, length })))(
    'gives the reference tag of $length bytes',
    ({ tag, length }) => {
      const hash = new KeyedHash(referenceKey())
      const message = Uint8Array.from({ length: length + 3 }, (_, i) => i - 2)
      hash.hash(message, 2, 2 + length)
      expect(tagOf(hash)).toBe(tag)
    },
  )

  test('takes a key that lies anywhere in a buffer', () => {
    const key = Buffer.concat([Buffer.from('abc'), referenceKey()]).subarray(3)
    const hash = new KeyedHash(key)
    hash.hash(new Uint8Array(0), 0, 0)
    expect(tagOf(hash)).toBe(vectors.tags[0])
  })
})

test('Stream is xoshiro128**', () => {
  const from = Object.assign(new KeyedHash(testKey()), { t0: 1, t1: 2, t2: 3, t3: 4 })
  const stream = new Stream()
  stream.seed(from)
  const words = Array.from({ length: 6 }, () => stream.next())
  expect(words).toEqual([11520, 0, 5927040, 70819200, 2031721883, 1637235492])
})

test('Stream leaves the all-zero tag', () => {
  const stream = new Stream()
  stream.seed(new KeyedHash(testKey()))
  expect(Array.from({ length: 8 }, () => stream.next()).some((word) => word !== 0)).toBe(true)
})

test('derived keys depend on master and purpose', () => {
  const keys = [
    deriveKey(testKey(1), 'a'),
    deriveKey(testKey(1), 'b'),
    deriveKey(testKey(2), 'a'),
  ].map((key) => Buffer.from(key).toString('hex'))
  expect(new Set(keys).size).toBe(3)
  expect(keys[0]).toHaveLength(64)
  expect(Buffer.from(deriveKey(testKey(1), 'a')).toString('hex')).toBe(keys[0])
})
