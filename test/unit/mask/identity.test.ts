import { describe, expect, test } from '@jest/globals'
import {
  openIdentity,
  type IdentityKind,
  type PhoneNumbering,
} from '../../../src/mask/masks/identity.ts'
import { seeded } from '../copy/wire.ts'

function canonical(kind: IdentityKind, value: string | Uint8Array): string {
  const identity = openIdentity(kind)
  const bytes = Buffer.concat([Buffer.from('7 '), Buffer.from(value), Buffer.from(' 9')])
  identity.read(bytes, 2, bytes.length - 2)
  return Buffer.from(identity.bytes.subarray(identity.start, identity.end)).toString('utf8')
}

describe('text', () => {
  test.each([
    ['A@X.hu', 'a@x.hu '],
    ['Kovács Árpád', '  KOVÁCS \t ÁRPÁD\n'],
    ['Őrs', 'Őrs'],
    ['Ÿ', 'ÿ'],
    ['İzmir', 'i̇zmir'],
    ['a\u00a0b', 'A B'],
    ['ΟΔΟΣ', 'οδος'],
    ['漢字 x', '漢字\u3000X'],
    ['Å', 'å'],
    ['', '   '],
  ])('%j and %j are one', (a, b) => {
    expect(canonical('text', a)).toBe(canonical('text', b))
  })

  test.each([
    ['a b', 'ab'],
    ['Kovács', 'Kovacs'],
    ['ß', 'ss'],
  ])('%j and %j are two', (a, b) => {
    expect(canonical('text', a)).not.toBe(canonical('text', b))
  })

  test('the path without allocation agrees with Unicode for every Latin letter', () => {
    for (let codePoint = 0xc0; codePoint <= 0x17f; codePoint++) {
      const char = String.fromCodePoint(codePoint)
      const expected = char.normalize('NFC').toLowerCase().normalize('NFC')
      expect(canonical('text', `x${char}y`)).toBe(`x${expected}y`)
      expect(canonical('text', `x${char}日`)).toBe(`x${expected}日`)
    }
  })

  test.each([
    [0x41, 0xff, 0xc3],
    [0x41, 0xc3],
    [0x41, 0xc3, 0x42],
    [0x41, 0xe2, 0x80],
  ])('bytes that are no UTF-8 are taken as they are', (...values) => {
    const identity = openIdentity('text')
    const bytes = Uint8Array.of(...values)
    identity.read(bytes, 0, bytes.length)
    expect([...identity.bytes.subarray(identity.start, identity.end)]).toEqual([...bytes])
  })

  test('values longer than the scratch space', () => {
    const long = 'Á'.repeat(5000)
    expect(canonical('text', long)).toBe('á'.repeat(5000))
    expect(canonical('text', `${long}日`)).toBe(`${'á'.repeat(5000)}日`)
  })
})

describe('telephone numbers', () => {
  const hungary = { country: '36', trunk: '06', nationalDigits: 9 }
  test.each([
    '+36 20 123 4567',
    '06 20 123 4567',
    '0036 20 1234567',
    '(06-20) 123-4567',
    '+36 (06) 20/123-4567',
    '36201234567',
    '20 123 4567',
    '  +36.20.123.4567 ',
  ])('%s', (written) => {
    expect(canonical(hungary, written)).toBe('36201234567')
  })

  test.each([
    ['+49 30 123456', '4930123456'],
    ['0049 30 123456', '4930123456'],
    ['36 123 456', '3636123456'],
    ['+36 36 123 456', '3636123456'],
    ['0620123456789012345', '3620123456789012345'],
    ['+36 20 123 4567 ext 3', '+36 20 123 4567 ext 3'],
    ['Titok', 'titok'],
    ['-', '-'],
    ['0', '360'],
  ])('%s is %s', (written, expected) => {
    expect(canonical(hungary, written)).toBe(expected)
  })

  test('a trunk prefix of one digit', () => {
    const germany = { country: '49', trunk: '0', nationalDigits: 11 }
    expect(canonical(germany, '030 123456')).toBe('4930123456')
    expect(canonical(germany, '+49 (0) 30 123456')).toBe('4930123456')
  })
})

/** What PhoneIdentity says of itself, one character after the other. */
function dialled(written: string, { country, trunk, nationalDigits }: PhoneNumbering): string {
  const digits = written.replaceAll(/\D/g, '')
  const withCode = (national: string) =>
    country + (national.startsWith(trunk) ? national.slice(trunk.length) : national)
  const abroad = (number: string) =>
    number.startsWith(country) ? withCode(number.slice(country.length)) : number
  if (/^[^\d]*\+/.test(written)) return abroad(digits)
  if (digits.length > 2 && digits.startsWith('00')) return abroad(digits.slice(2))
  return digits.length > nationalDigits && digits.startsWith(country)
    ? abroad(digits)
    : withCode(digits)
}

test.each([
  { country: '36', trunk: '06', nationalDigits: 9 },
  { country: '49', trunk: '0', nationalDigits: 11 },
  { country: '1', trunk: '', nationalDigits: 10 },
  { country: '', trunk: '', nationalDigits: 15 },
  { country: '998', trunk: '8', nationalDigits: 3 },
])('numbers at random, of $country', (numbering) => {
  const random = seeded(5)
  const pieces = ['0', '6', '3', '4', '9', '1', '8', '00', '36', '+', ' ', '-', '(0)', '06', '49']
  for (let i = 0; i < 20_000; i++) {
    const written = Array.from({ length: random(9) }, () => pieces[random(pieces.length)]).join('')
    if (!/\d/.test(written)) continue
    expect([written, canonical(numbering, written)]).toEqual([written, dialled(written, numbering)])
  }
})

test('a number of many digits is one', () => {
  const numbering = { country: '36', trunk: '06', nationalDigits: 9 }
  expect(canonical(numbering, `+1 ${'2 '.repeat(2000)}`)).toBe(`1${'2'.repeat(2000)}`)
})

test('codes are equal but for spaces and case', () => {
  expect(canonical('code', ' hu42 1177 3016 ')).toBe('HU4211773016')
})
