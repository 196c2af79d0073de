import { describe, expect, test } from '@jest/globals'
import { FF1 } from '@noble/ciphers/ff1.js'
import { BigFf1, Ff1 } from '../../../src/mask/masks/ff1.ts'
import {
  NumeralPermutation,
  SmallPermutation,
  WidePermutation,
} from '../../../src/mask/masks/permutation.ts'
import { testKey } from './masking.ts'

const NIST_KEY = '2B7E151628AED2A6ABF7158809CF4F3C'

describe('the sample vectors of NIST SP 800-38G that have no tweak', () => {
  test.each([
    ['AES-128', NIST_KEY, '2433477484'],
    ['AES-192', `${NIST_KEY}EF4359D8D580AA4F`, '2830668132'],
    ['AES-256', `${NIST_KEY}EF4359D8D580AA4F7F036D6F04FC6A94`, '6657667009'],
  ])('%s', (_, key, expected) => {
    const numerals = Uint8Array.from('0123456789', Number)
    new NumeralPermutation(Buffer.from(key, 'hex'), 10).apply(numerals, 0, 10)
    expect(numerals.join('')).toBe(expected)
    const [high, low] = new BigFf1(Buffer.from(key, 'hex'), 10, 10).encrypt(1234n, 56789n)
    expect(`${high}`.padStart(5, '0') + `${low}`.padStart(5, '0')).toBe(expected)
  })
})

test.each([
  [2, [7, 15, 31, 32, 63, 74, 75, 90]],
  [10, [2, 3, 6, 9, 11, 19, 22, 23, 24, 40, 77, 130]],
  [26, [2, 5, 9, 15, 16, 17, 60]],
])('radix %d agrees with an independent implementation', (radix, lengths) => {
  const key = testKey(3).subarray(0, 16)
  const mine = new NumeralPermutation(key, radix)
  const theirs = FF1(radix, key)
  for (const length of lengths) {
    for (let seed = 0; seed < 5; seed++) {
      const numerals = Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 13 + (i >> 1)) % radix)
      const expected = theirs.encrypt([...numerals])
      mine.apply(numerals, 0, length)
      expect([...numerals]).toEqual(expected)
    }
  }
})

test('the arithmetic in doubles ends where it would lose bits', () => {
  expect(Ff1.fits(10, 22)).toBe(true)
  expect(Ff1.fits(10, 23)).toBe(false)
  expect(Ff1.fits(2, 74)).toBe(true)
  expect(Ff1.fits(2, 75)).toBe(false)
})

test.each([1, 2, 3, 10, 97, 1000, 4096, 32768])('a permutation of %d numbers is one', (size) => {
  const small = new SmallPermutation(testKey(5).subarray(0, 16), size)
  const wide = new WidePermutation(testKey(5).subarray(0, 16), BigInt(size))
  const images = Array.from({ length: size }, (_, i) => small.of(i))
  expect(new Set(images).size).toBe(size)
  expect(Math.max(...images)).toBe(size - 1)
  expect(wide.of(BigInt(size - 1))).toBe(BigInt(images[size - 1]!))
})
