import { describe, expect, test } from '@jest/globals'
import { Output, type Codec, type TypeClass } from '../../../src/mask/mask.ts'
import { Stream } from '../../../src/mask/keyed.ts'
import { appendNumeric, readNumeric, type Numeric } from '../../../src/mask/masks/numeric.ts'
import { int64, integerField, integerIn, maskBytes, open } from './masking.ts'

function numericField(number: Numeric, codec: Codec): Buffer {
  const out = new Output(64)
  appendNumeric(out, number, codec)
  return out.bytes.subarray(0, out.length)
}

describe('number.noise', () => {
  const edges: [TypeClass, bigint][] = [
    ['int2', 2n ** 15n - 1n],
    ['int4', 2n ** 31n - 1n],
    ['int8', 2n ** 63n - 1n],
  ]

  test.each(edges)('%s: sign, range and codecs', async (type, most) => {
    for (const options of [{ percent: 10 }, { percent: 100 }, { amount: 5 }, { amount: 1e15 }]) {
      const text = await open('number.noise', { type, options })
      const binary = await open('number.noise', { type, options }, 'binary')
      for (const value of [1n, 2n, 7n, 1000n, most, most - 1n, -1n, -5n, -most, -most - 1n]) {
        const masked = BigInt(text.of(String(value))!)
        expect(integerIn(type, maskBytes(binary.mask, integerField(type, value))!)).toBe(masked)
        expect(masked > 0n).toBe(value > 0n)
        expect(masked >= -most - 1n && masked <= most).toBe(true)
        expect(masked).not.toBe(value)
      }
      expect(text.of('0') === '0').toBe(options.percent !== undefined)
    }
  })

  test('a share is a share', async () => {
    const { of } = await open('number.noise', { type: 'int4', options: { percent: 5 } })
    const shares = Array.from(
      { length: 2000 },
      (_, i) => Number(of(`${100_000 + i}`)) / (100_000 + i) - 1,
    )
    expect(Math.max(...shares)).toBeLessThanOrEqual(0.05)
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(-0.05)
    expect(Math.max(...shares)).toBeGreaterThan(0.049)
  })

  test('equal numbers of different types get one mask', async () => {
    const masks = await Promise.all(
      (['int2', 'int4', 'int8'] as const).map(async (type) =>
        (await open('number.noise', { type })).of('1234'),
      ),
    )
    expect(new Set(masks).size).toBe(1)
  })

  test.each([
    ['12.50', 2, 4],
    ['-0.0001', 4, 1],
    ['99999999999999999999.99', 2, 22],
    ['12345678901234567890123456789.123456789', 9, 38],
    ['5', 0, 1],
    ['100000', 0, 6],
  ])('numeric %s keeps scale and number of digits', async (value, scale, digits) => {
    const { of } = await open('number.noise', { type: 'numeric' })
    const masked = of(value)!
    expect(masked).not.toBe(value)
    expect(masked.startsWith('-')).toBe(value.startsWith('-'))
    expect((masked.split('.')[1] ?? '').length).toBe(scale)
    expect(masked.replace(/\D/g, '').replace(/^0+/, '').length).toBeLessThanOrEqual(digits)
  })

  test('NaN, the infinities and zero stay', async () => {
    for (const type of ['numeric', 'float4', 'float8'] as const) {
      const { of } = await open('number.noise', { type })
      for (const value of ['NaN', 'Infinity', '-Infinity', '0']) expect(of(value)).toBe(value)
    }
    const { mask } = await open('number.noise', { type: 'numeric' }, 'binary')
    for (const hex of [
      '00000000c0000000',
      '00000000d0000020',
      '00000000f0000020',
      '0000000000000002',
    ]) {
      expect(maskBytes(mask, Buffer.from(hex, 'hex'))!.toString('hex')).toBe(hex)
    }
  })

  test('numeric in binary is what it is in text', async () => {
    const text = await open('number.noise', { type: 'numeric', options: { amount: 0.5 } })
    const binary = await open(
      'number.noise',
      { type: 'numeric', options: { amount: 0.5 } },
      'binary',
    )
    const digits = (bytes: Buffer) => {
      const words = Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16BE(i * 2))
      const [count = 0, weight = 0, sign, scale = 0, ...groups] = words
      let whole = ''
      for (let i = 0; i <= weight && weight < 0x8000; i++)
        whole += String(groups[i] ?? 0).padStart(4, '0')
      const lead = weight >= 0x8000 ? '0000'.repeat(0x10000 - weight - 1) : ''
      const rest =
        lead +
        groups
          .slice(weight >= 0x8000 ? 0 : weight + 1)
          .map((g) => String(g).padStart(4, '0'))
          .join('')
      expect(groups).toHaveLength(count)
      const fraction = rest.padEnd(scale, '0').slice(0, scale)
      return `${sign ? '-' : ''}${whole.replace(/^0+(?=\d)/, '') || '0'}${scale ? `.${fraction}` : ''}`
    }
    // 1234.5600, -0.0005, 20000, 100000000.01 as PostgreSQL sends them.
    for (const [hex, value] of [
      ['000200000000000404d215e0', '1234.5600'],
      ['0001ffff400000040005', '-0.0005'],
      ['00020001000000000002' + '0000', '20000'],
      ['00040002000000020001000000000064', '100000000.01'],
    ] as const) {
      const masked = maskBytes(binary.mask, Buffer.from(hex, 'hex'))!
      expect(digits(masked)).toBe(text.of(value))
    }
  })

  test.each([1, 10, 100])(
    '%d per cent of a numeric of any length: binary is text',
    async (percent) => {
      const options = { percent }
      const text = await open('number.noise', { type: 'numeric', options })
      const binary = await open('number.noise', { type: 'numeric', options }, 'binary')
      const words = new Stream()
      for (let digits = 1; digits <= 24; digits++) {
        for (let scale = 0; scale <= 9; scale++) {
          const drawn = Array.from({ length: digits }, () => words.below(10)).join('')
          for (const unscaled of [BigInt(drawn), -BigInt(drawn), 10n ** BigInt(digits) - 1n]) {
            const number = { unscaled, scale }
            const masked = maskBytes(binary.mask, numericField(number, 'binary'))!
            expect(readNumeric(masked, 0, masked.length, 'binary')!.scale).toBe(scale)
            const shown = numericField(readNumeric(masked, 0, masked.length, 'binary')!, 'text')
            expect(shown.toString()).toBe(text.of(numericField(number, 'text').toString()))
            // Nothing but PostgreSQL's own form: no zeros that it would not send.
            expect(masked).toEqual(
              numericField(readNumeric(masked, 0, masked.length, 'binary')!, 'binary'),
            )
          }
        }
      }
    },
  )

  test('floats: range, sign and codecs', async () => {
    for (const type of ['float4', 'float8'] as const) {
      const text = await open('number.noise', { type })
      const binary = await open('number.noise', { type }, 'binary')
      const size = type === 'float4' ? 4 : 8
      for (const value of [1.5, -0.1, 3e38, -3.4e38, 1e-30, 42]) {
        const bytes = Buffer.alloc(size)
        if (size === 4) bytes.writeFloatBE(value)
        else bytes.writeDoubleBE(value)
        const raw = maskBytes(binary.mask, bytes)!
        const masked = size === 4 ? raw.readFloatBE() : raw.readDoubleBE()
        expect(Number(text.of(String(size === 4 ? Math.fround(value) : value)))).toBe(masked)
        expect(Math.sign(masked)).toBe(Math.sign(value))
        expect(Number.isFinite(masked)).toBe(true)
        expect(Math.abs(masked / value - 1)).toBeLessThan(0.1001)
      }
    }
  })

  test('money keeps its look', async () => {
    const text = await open('number.noise', { type: 'money' })
    const binary = await open('number.noise', { type: 'money' }, 'binary')
    for (const [shown, cents] of [
      ['$1,234.56', 123456n],
      ['-$9,999.99', -999999n],
      ['12 345,00 Ft', 1234500n],
    ] as const) {
      const masked = text.of(shown)!
      expect(masked.replace(/\d/g, '#')).toBe(shown.replace(/\d/g, '#'))
      const raw = maskBytes(binary.mask, int64(cents))!.readBigInt64BE()
      expect(BigInt(masked.replace(/\D/g, ''))).toBe(raw < 0n ? -raw : raw)
    }
  })
})
