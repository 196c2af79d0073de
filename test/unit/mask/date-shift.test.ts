import { describe, expect, test } from '@jest/globals'
import { int32, int64, maskBytes, open, rowOf } from './masking.ts'

const MICROSECONDS = 86_400_000_000n
const EPOCH = Date.UTC(2000, 0, 1)

/** Days between 2000-01-01 and an ISO date. */
function dayOf(iso: string): number {
  return (Date.parse(`${iso}T00:00:00Z`) - EPOCH) / 86_400_000
}

describe('date.shift', () => {
  test('moves by 1 to N days, both ways, evenly', async () => {
    const { of } = await open('date.shift', { type: 'date', options: { days: 3 } })
    const shifts = new Map<number, number>()
    for (let i = 0; i < 6000; i++) {
      const iso = new Date(EPOCH + i * 86_400_000).toISOString().slice(0, 10)
      const shift = dayOf(of(iso)!) - dayOf(iso)
      shifts.set(shift, (shifts.get(shift) ?? 0) + 1)
    }
    expect([...shifts.keys()].sort((a, b) => a - b)).toEqual([-3, -2, -1, 1, 2, 3])
    expect(Math.min(...shifts.values())).toBeGreaterThan(850)
  })

  test('binary and text agree for dates', async () => {
    const text = await open('date.shift', { type: 'date' })
    const binary = await open('date.shift', { type: 'date' }, 'binary')
    for (let i = 0; i < 2000; i++) {
      const day = -500_000 + i * 997
      const date = new Date(EPOCH + day * 86_400_000)
      const year = date.getUTCFullYear()
      const shown = year > 0 ? year : 1 - year
      const rest = date.toISOString().slice(-20, -14)
      const iso = `${String(shown).padStart(4, '0')}${rest}${year > 0 ? '' : ' BC'}`
      const moved = maskBytes(binary.mask, int32(day))!.readInt32BE()
      const movedDate = new Date(EPOCH + moved * 86_400_000)
      const movedYear = movedDate.getUTCFullYear()
      const expected = `${String(movedYear > 0 ? movedYear : 1 - movedYear).padStart(4, '0')}${movedDate
        .toISOString()
        .slice(-20, -14)}${movedYear > 0 ? '' : ' BC'}`
      expect(text.of(iso)).toBe(expected)
    }
  })

  test.each(['timestamp', 'timestamptz'] as const)('%s keeps its time of day', async (type) => {
    const text = await open('date.shift', { type })
    const binary = await open('date.shift', { type }, 'binary')
    const zone = type === 'timestamp' ? '' : '+00'
    for (const [day, time] of [
      ['2024-02-29', '23:59:59.999999'],
      ['1999-12-31', '00:00:00'],
      ['1970-01-01', '12:34:56.7'],
      ['9998-11-11', '24:00:00'],
    ] as const) {
      const masked = text.of(`${day} ${time}${zone}`)!
      expect(masked.slice(10)).toBe(` ${time}${zone}`)
      if (time.startsWith('24')) continue
      const [h, m, s] = time.split(':') as unknown as [number, number, string]
      const ofDay =
        BigInt(h) * 3_600_000_000n + BigInt(m) * 60_000_000n + BigInt(Math.round(Number(s) * 1e6))
      const raw = maskBytes(binary.mask, int64(BigInt(dayOf(day)) * MICROSECONDS + ofDay))!
      expect(raw.readBigInt64BE()).toBe(BigInt(dayOf(masked.slice(0, 10))) * MICROSECONDS + ofDay)
    }
  })

  test('far timestamps take the exact path', async () => {
    const binary = await open('date.shift', { type: 'timestamp' }, 'binary')
    const text = await open('date.shift', { type: 'timestamp' })
    const day = 106_751_000
    const raw = maskBytes(binary.mask, int64(BigInt(day) * MICROSECONDS + 1n))!.readBigInt64BE()
    expect(raw % MICROSECONDS).toBe(1n)
    expect(Math.abs(Number(raw / MICROSECONDS) - day)).toBeLessThanOrEqual(30)
    const early = maskBytes(binary.mask, int64(-2_400_000n * MICROSECONDS - 1n))!.readBigInt64BE()
    expect(((early % MICROSECONDS) + MICROSECONDS) % MICROSECONDS).toBe(MICROSECONDS - 1n)
    expect(text.of('4713-01-05 10:00:00 BC')).toMatch(/^471[34]-\d\d-\d\d 10:00:00 BC$/)
  })

  test('the ends of the range hold', async () => {
    const binary = await open('date.shift', { type: 'date', options: { days: 36_500 } }, 'binary')
    for (let i = 0; i < 50; i++) {
      expect(maskBytes(binary.mask, int32(2_145_031_948 - i))!.readInt32BE()).toBeLessThanOrEqual(
        2_145_031_948,
      )
      expect(maskBytes(binary.mask, int32(-2_451_545 + i))!.readInt32BE()).toBeGreaterThanOrEqual(
        -2_451_545,
      )
    }
  })

  test('infinity stays, in both codecs', async () => {
    const text = await open('date.shift', { type: 'timestamp' })
    expect(text.of('infinity')).toBe('infinity')
    expect(text.of('-infinity')).toBe('-infinity')
    const date = await open('date.shift', { type: 'date' }, 'binary')
    for (const day of [0x7fffffff, -0x80000000]) {
      expect(maskBytes(date.mask, int32(day))!.readInt32BE()).toBe(day)
    }
    const stamp = await open('date.shift', { type: 'timestamp' }, 'binary')
    for (const value of [2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(maskBytes(stamp.mask, int64(value))!.readBigInt64BE()).toBe(value)
    }
  })

  test('dates of one person move alike', async () => {
    const { of, prepared } = await open('date.shift', {
      type: 'date',
      options: { days: 100, by: 'person_id' },
      column: (name) => (name === 'person_id' ? 1 : undefined),
    })
    expect(prepared.reads).toEqual([1])
    const shift = (iso: string, person: string | null) =>
      dayOf(of(iso, rowOf([iso, person]))!) - dayOf(iso)
    expect(shift('2020-01-01', '7')).toBe(shift('1980-05-05', '7'))
    const shifts = new Set(Array.from({ length: 20 }, (_, i) => shift('2020-01-01', `${i}`)))
    expect(shifts.size).toBeGreaterThan(10)
    expect(shift('2020-01-01', null)).not.toBe(0)
    await expect(open('date.shift', { type: 'date', options: { by: 'nothing' } })).rejects.toThrow(
      'nothing',
    )
  })

  test('what is no ISO date does not pass', async () => {
    const { of } = await open('date.shift', { type: 'date' })
    for (const value of ['31/12/1999', 'Fri 31 Dec', '', 'x']) {
      expect(of(value)).toMatch(/^(1999|2000)-\d\d-\d\d$/)
    }
  })
})
