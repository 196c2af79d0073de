import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MaskRequest } from '../../../src/mask/mask.ts'
import { maskBytes, open, testKey } from './masking.ts'

/** ISO 7064 mod 97-10. */
function isValidIban(iban: string): boolean {
  const digits = Array.from(iban.slice(4) + iban.slice(0, 4), (char) =>
    Number.parseInt(char, 36),
  ).join('')
  return BigInt(digits) % 97n === 1n
}

describe('finance.iban', () => {
  test.each([
    'HU42117730161111101800000000',
    'DE89370400440532013000',
    'GB29NWBK60161331926819',
    'MT84MALT011000012345MTLCAST001S',
    'NO9386011117947',
  ])('%s: country, length and check digits', async (value) => {
    const { of } = await open('finance.iban')
    const masked = of(value)!
    expect(isValidIban(value) && isValidIban(masked)).toBe(true)
    expect(masked).not.toBe(value)
    expect([masked.slice(0, 2), masked.length]).toEqual([value.slice(0, 2), value.length])
    expect(of(`${value.toLowerCase().replace(/(.{4})/g, '$1 ')} `)).toBe(masked)
  })

  test('the inner check digits of Hungary hold', async () => {
    const { of } = await open('finance.iban')
    const weights = [9, 7, 3, 1]
    const isRight = (group: string) =>
      Array.from(
        group,
        (digit, i) => Number(digit) * (i === group.length - 1 ? 1 : weights[i & 3]!),
      ).reduce((sum, each) => sum + each, 0) %
        10 ===
      0
    for (let i = 0; i < 300; i++) {
      const masked = of(`HU42${String(11773016n * 10n ** 16n + BigInt(i))}`)!
      expect(isValidIban(masked)).toBe(true)
      expect([isRight(masked.slice(4, 12)), isRight(masked.slice(12))]).toEqual([true, true])
    }
  })

  test('what is no IBAN is scrambled', async () => {
    const { of } = await open('finance.iban')
    expect(of('11773016-11111018')).toMatch(/^\d{8}-\d{8}$/)
    expect(of('see Anna')).not.toBe('see Anna')
  })
})

describe('internet.ip', () => {
  test('text and inet, both codecs', async () => {
    const text = await open('internet.ip')
    const inet = await open('internet.ip', { type: 'inet' })
    const binary = await open('internet.ip', { type: 'inet' }, 'binary')
    const masked = text.of('203.0.113.77')!
    expect(masked).toMatch(/^10\.\d+\.\d+\.\d+$/)
    expect(inet.of('203.0.113.77')).toBe(masked)
    expect(inet.of('203.0.113.77/24')).toBe(`${masked}/24`)
    expect(inet.of('203.0.113.0/24')).toMatch(/^10\.\d+\.\d+\.0\/24$/)
    expect(inet.of('0.0.0.0/0')).toBe('0.0.0.0/0')
    const raw = maskBytes(binary.mask, Buffer.from('02200004cb00714d', 'hex'))!
    expect([...raw.subarray(0, 4)]).toEqual([2, 32, 0, 4])
    expect(raw.subarray(4).join('.')).toBe(masked)
    const six = inet.of('2a00:1450::1')!
    expect(six).toMatch(/^2001:db8(:[\da-f]{1,4}){6}$/)
    expect(inet.of('2A00:1450:0:0::0.0.0.1')).toBe(six)
    const raw6 = maskBytes(
      binary.mask,
      Buffer.from(`03800010${'2a001450'}${'0'.repeat(23)}1`, 'hex'),
    )!
    expect(raw6.subarray(4).toString('hex').slice(0, 8)).toBe('20010db8')
    expect(raw6.subarray(4).readUInt16BE(14).toString(16)).toBe(six.split(':').at(-1))
  })

  test('short columns and what is no address', async () => {
    const { of } = await open('internet.ip', { maxChars: 15 })
    expect(of('::1')).toMatch(/^2001:db8::[\da-f]{1,4}$/)
    expect(of('www.example.hu')).toMatch(/^10\.\d+\.\d+\.\d+$/)
    expect(of('10.0.0.1, 10.0.0.2')).toMatch(/^10\.\d+\.\d+\.\d+$/)
    await expect(open('internet.ip', { maxChars: 14 })).rejects.toThrow('14')
  })
})

describe('null, fixed, hash', () => {
  test('null', async () => {
    expect((await open('null', { type: 'jsonb' })).of('x')).toBeNull()
    expect((await open('fixed', { options: { value: null } })).of('x')).toBeNull()
  })

  test('fixed', async () => {
    const of = async (value: unknown) => (await open('fixed', { options: { value } })).of('x')
    expect(await of('Ő')).toBe('Ő')
    expect(await of(17)).toBe('17')
    expect(await of(false)).toBe('false')
    expect(await of('')).toBe('')
    const refused = (facts: Partial<MaskRequest>) =>
      expect(open('fixed', { options: { value: 'abő' }, ...facts })).rejects.toThrow(
        expect.objectContaining({ kind: 'refused' }),
      )
    await refused({ maxChars: 2 })
    await refused({ unique: true })
    await refused({ encodable: (codePoint) => codePoint < 0x100 })
  })

  test('hash', async () => {
    const { of } = await open('hash', { options: { length: 7 } })
    expect(of('x')).toMatch(/^[\da-f]{7}$/)
    expect(of('X')).not.toBe(of('x'))
    const { of: folded } = await open('hash', { options: { normalize: true } })
    expect(folded('X ')).toBe(folded('x'))
    expect((await open('hash', { maxChars: 12 })).of('x')).toHaveLength(12)
    await expect(open('hash', { unique: true, maxChars: 8, rows: 1e6 })).rejects.toThrow('32 bits')
    await expect(open('hash', { options: { length: 20 }, maxChars: 8 })).rejects.toThrow('20')
  })
})

describe('template and faker', () => {
  test('other masks of the same value, and a fingerprint', async () => {
    const { of, prepared } = await open('template', {
      options: { template: 'Ügyfél {person.lastName} Kft. #{hash8}' },
    })
    const last = await open('person.lastName')
    expect(of('Kovács')).toMatch(/^Ügyfél [^ ]+ Kft\. #[\da-f]{8}$/)
    expect(of('Kovács')!.split(' ')[1]).toBe(last.of('Kovács'))
    expect(of('KOVÁCS ')).toBe(of('Kovács'))
    expect(prepared.injective).toBe(false)
  })

  test('length and distinctness', async () => {
    const template = '{person.firstName}-{hash16}'
    const { of, prepared } = await open('template', {
      options: { template },
      unique: true,
      maxChars: 24,
    })
    expect(prepared.injective).toBe(true)
    for (let i = 0; i < 300; i++) expect(Array.from(of(`${i}`)!).length).toBeLessThanOrEqual(24)
    const open20 = open('template', { options: { template }, maxChars: 17 })
    await expect(open20).rejects.toThrow('17')
    await expect(
      open('template', { options: { template: '{person.firstName}' }, unique: true }),
    ).rejects.toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/^add .hash/) as unknown }),
    )
    await expect(open('template', { options: { template: '{nothing}' } })).rejects.toThrow(
      '{nothing}',
    )
    await expect(open('template', { options: { template: '{template}' } })).rejects.toThrow(
      '{template}',
    )
  })

  test("faker's methods", async () => {
    const { of } = await open('faker', {
      options: { faker: 'number.int', args: [{ min: 5, max: 9 }] },
    })
    expect(of('x')).toMatch(/^[5-9]$/)
    expect((await open('faker', { options: { faker: 'date.past' } })).of('x')).toMatch(/^\d{4}-/)
    expect((await open('faker', { options: { faker: 'lorem.paragraphs' } })).of('x')).toContain(
      '\n',
    )
    for (const faker of ['no.method', 'person.constructor2', 'seed.x']) {
      await expect(open('faker', { options: { faker } })).rejects.toThrow('no method')
    }
  })
})

describe('function', () => {
  let folder = ''
  let file = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pgveil-function-'))
    file = join(folder, 'masks.mjs')
    writeFileSync(
      file,
      `export const upper = (value) => value.toUpperCase()
       export const nothing = () => null
       export const fails = (value) => { throw new Error('secret ' + value) }
       export const wrong = () => 7`,
    )
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const openIt = (name: string) => open('function', { options: { function: `${file}#${name}` } })

  test('value in, value out', async () => {
    expect((await openIt('upper')).of('ő')).toBe('Ő')
    expect((await openIt('nothing')).of('x')).toBeNull()
  })

  test('a failure names the function and not the value', async () => {
    const { of } = await openIt('fails')
    expect(() => of('Kovács')).toThrow(expect.objectContaining({ kind: 'config' }))
    expect(() => of('Kovács')).not.toThrow(/Kovács|secret/)
    const { of: wrong } = await openIt('wrong')
    expect(() => wrong('x')).toThrow('a text or null')
  })

  test('what cannot be loaded is found before a row moves', async () => {
    await expect(openIt('absent')).rejects.toThrow('no such export')
    await expect(open('function', { options: { function: './absent.mjs#x' } })).rejects.toThrow(
      'absent.mjs',
    )
  })
})

test('keys decide: two of them agree on nothing but chance', async () => {
  for (const [name, type, value] of [
    ['key', 'int8', '123456'],
    ['hash', 'text', 'x'],
    ['finance.iban', 'text', 'HU42117730161111101800000000'],
    ['internet.ip', 'text', '1.2.3.4'],
  ] as const) {
    const one = await open(name, { type })
    const two = await open(name, { type, key: testKey(2) })
    expect(one.of(value)).not.toBe(two.of(value))
  }
})
