import { describe, expect, test } from '@jest/globals'
import { int64, integerField, integerIn, maskBytes, open } from './masking.ts'

describe('key', () => {
  test.each([
    ['int2', -(2 ** 15), 2 ** 15 - 1],
    ['int4', -5_000, 15_000],
  ] as const)('%s is a permutation within the type', async (type, first, last) => {
    const { mask } = await open('key', { type }, 'binary')
    const masks = new Set<bigint>()
    let kept = 0
    for (let i = first; i <= last; i++) {
      const masked = integerIn(type, maskBytes(mask, integerField(type, BigInt(i)))!)
      expect(masked < 0n).toBe(i < 0)
      if (masked === BigInt(i)) kept++
      masks.add(masked)
    }
    expect(masks.size).toBe(last - first + 1)
    expect(kept).toBeLessThan(10)
  })

  test('int8: both codecs, every digit', async () => {
    const text = await open('key', { type: 'int8' })
    const binary = await open('key', { type: 'int8' }, 'binary')
    const masks = new Set<bigint>()
    for (const value of [0n, 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -1n, -(2n ** 63n)]) {
      const masked = BigInt(text.of(String(value))!)
      expect(maskBytes(binary.mask, int64(value))!.readBigInt64BE()).toBe(masked)
      expect(masked < 0n).toBe(value < 0n)
      masks.add(masked)
    }
    expect(masks.size).toBe(7)
  })

  test('ranges and digits hold', async () => {
    const ranged = await open('key', { type: 'int4', options: { min: 1000, max: 1999 } })
    const masks = new Set<string>()
    for (let i = 1000; i < 2000; i++) masks.add(ranged.of(`${i}`)!)
    expect(masks.size).toBe(1000)
    expect([...masks].every((mask) => Number(mask) >= 1000 && Number(mask) <= 1999)).toBe(true)
    expect(Number(ranged.of('2000'))).toBeGreaterThan(1999)
    expect(Number(ranged.of('7'))).toBeLessThan(1000)
    const digits = await open('key', { type: 'int8', options: { digits: 'keep' } })
    for (const value of ['7', '42', '12345', '9223372036854775807', '-17']) {
      expect(digits.of(value)).toHaveLength(value.length)
    }
    await expect(open('key', { type: 'int4', options: { min: 5, max: 4 } })).rejects.toThrow(
      'greater',
    )
  })

  test('text: digits change in their places, leading zeros and the rest stay', async () => {
    const { of } = await open('key')
    expect(of('INV-2024/000123')).toMatch(/^INV-\d{4}\/\d{6}$/)
    expect(of('INV-2024/000123')).not.toBe('INV-2024/000123')
    expect(of('ABC-xyz')).toMatch(/^[A-Z]{3}-[a-z]{3}$/)
    expect(of('ABC-xyz')).not.toBe('ABC-xyz')
    const masks = new Set<string>()
    for (let i = 0; i < 10_000; i++) masks.add(of(String(i).padStart(4, '0'))!)
    expect(masks.size).toBe(10_000)
    expect([...masks].every((mask) => /^\d{4}$/.test(mask))).toBe(true)
    expect(new Set(Array.from('0123456789', (digit) => of(digit))).size).toBe(10)
    expect(of('9'.repeat(100))).toMatch(/^\d{100}$/)
  })
})
