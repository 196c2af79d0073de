import { WINDOW } from '../../../src/mask/kernel.ts'
import { describe, expect, test } from '@jest/globals'
import { randomBytes } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import { KeyedHash, Stream } from '../../../src/mask/keyed.ts'
import { type Codec, Output, type TypeClass } from '../../../src/mask/mask.ts'
import { classOf, pick } from '../../../src/mask/characters.ts'
import { scrambleText } from '../../../src/mask/masks/scramble-text.ts'
import { MASKS } from '../../../src/mask/registry.ts'
import { maskBytes, open, rowOf, testKey } from './masking.ts'

/** The class of each character: case for letters, 9 for digits, the character itself for the rest. */
function shape(text: string): string {
  return text
    .replace(/[\p{Lu}\p{Lt}]/gu, 'A')
    .replace(/\p{L}/gu, (char) => (char === 'A' ? 'A' : 'a'))
    .replace(/\p{Nd}/gu, '9')
}

describe('text', () => {
  test.each([
    'Kovács Árpád, 1117 Budapest, Kőrösi út 12/B.',
    'tel.: +36 20 123-4567 (este)\n\tRégi ügyfél!',
    'ÁRVÍZTŰRŐ TÜKÖRFÚRÓGÉP 😀 – „idézet”',
    'Ελλάδα 漢字 ٣٤',
    '',
    '---',
  ])('%j keeps its shape', async (value) => {
    const { of } = await open('text.scramble')
    expect(shape(of(value)!)).toBe(shape(value))
  })

  test('letters become ASCII letters and change', async () => {
    const { of } = await open('text.scramble')
    const mask = of('Őszintén szólva, Űrállomás 漢')!
    expect(mask).toMatch(/^[A-Z][a-z]{7} [a-z]{6}, [A-Z][a-z]{8} [a-z]$/)
  })

  test('short values never stay', async () => {
    const { of } = await open('text.scramble')
    for (const char of 'abcxyzABCXYZ0123456789') expect(of(char)).not.toBe(char)
  })

  test('bytes that are no UTF-8 become question marks', async () => {
    const { mask } = await open('text.scramble')
    const bytes = Buffer.from([
      0x2d, 0xff, 0xc3, 0x2d, 0xe2, 0x82, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0xc0, 0xaf,
    ])
    expect(maskBytes(mask, bytes)!.toString('latin1')).toBe('-??-???????????')
  })

  test('what the target cannot encode becomes a question mark', async () => {
    const { of } = await open('text.scramble', { encodable: (codePoint) => codePoint < 0x80 })
    expect(of('– 😀 !')).toBe('? ? !')
  })

  test('many bytes at a time are replaced as characters are one by one', () => {
    const alphabet = Array.from('azQ5 .-éŐßñЖяΣ٣«§–漢😀ǅע\u0301')
    const hash = new KeyedHash(testKey(1))
    const [once, other] = [new Stream(), new Stream()]
    for (let seed = 0; seed < 3000; seed++) {
      hash.hash(Buffer.from(`${seed}`), 0, `${seed}`.length)
      once.seed(hash)
      other.seed(hash)
      const text = Array.from({ length: seed % 61 }, () => alphabet[other.below(alphabet.length)])
      other.seed(hash)
      const bytes = Buffer.from(text.join(''))
      const out = new Output(1)
      scrambleText(bytes, 0, bytes.length, out, once, true)
      let [word, drawn] = [0, 0]
      const expected = text.map((char = '') => {
        const kind = classOf(char.codePointAt(0)!)
        if (kind === 0) return char
        word = drawn++ % 4 === 0 ? other.next() : word >>> 8
        return String.fromCharCode(pick(kind, word))
      })
      expect(out.bytes.toString('utf8', 0, out.length)).toBe(expected.join(''))
      expect(once.next()).toBe(other.next())
    }
  })

  test('long values use the whole stream', async () => {
    const { of } = await open('text.scramble')
    const mask = of('a'.repeat(10_000))!
    expect(mask).toHaveLength(10_000)
    expect(new Set(mask).size).toBe(26)
    expect(new Set(mask.match(/.{20}/g)).size).toBe(500)
  })
})

test('of a long text 48 bytes at its start and 16 at its end decide, in whole characters', async () => {
  const { of } = await open('text.scramble')
  const like = (at: number, text: string) =>
    of('a'.repeat(at) + text + 'z'.repeat(80 - at - Buffer.byteLength(text)))!
  const same = like(56, 'a')
  expect([48, 55, 63].map((at) => like(at, 'b'))).toEqual([same, same, same])
  expect([47, 65].map((at) => like(at, 'b') === same)).toEqual([false, false])
  // A letter of two bytes over either border counts as outside.
  const [head, tail] = [like(47, 'é'), like(63, 'é')]
  expect(head).toBe(like(47, 'ő'))
  expect(tail).toBe(like(63, 'ő'))
  expect(new Set([head, tail, like(46, 'é'), like(64, 'é')]).size).toBe(4)
})

describe('JSON', () => {
  const document = `{"név": "Kovács \\u00c1rp\\u00e1d \\n\\"x\\"", "a":[1, -20.50e+3,0 , null,true,false,""],
    "a" : 12345678901234567890.0010, "mély": {"k\\"1": {"üres": {}, "t": []}}, "e":1E-7}`

  test.each(['json', 'jsonb'] as const)(
    '%s keeps keys, structure and white space',
    async (type) => {
      const { of } = await open('text.scramble', { type })
      const mask = of(document)!
      const bare = (json: string) =>
        json.replace(/"(?:[^"\\]|\\.)*"(\s*:)?|\d[\d.]*/g, (token: string, colon?: string) =>
          colon === undefined ? '#' : token,
        )
      expect(bare(mask)).toBe(bare(document))
      const parsed = JSON.parse(mask) as Record<string, unknown>
      expect(Object.keys(parsed)).toEqual(['név', 'a', 'mély', 'e'])
      expect(mask).not.toContain('Kovács')
      expect(mask).not.toContain('12345678901234567890')
      expect(mask).toMatch(/"név": "[A-Z][a-z]{5} [A-Z][a-z]{4} \\n\\"[a-z]\\""/)
      expect(mask).toMatch(/-\d\d\.\d\de\+3/)
    },
  )

  test('the binary form of jsonb keeps its version byte', async () => {
    const { mask } = await open('text.scramble', { type: 'jsonb' }, 'binary')
    const masked = maskBytes(mask, Buffer.from('\x01{"a": "b7"}'))!
    expect(masked[0]).toBe(1)
    expect(masked.toString('latin1', 1)).toMatch(/^\{"a": "[a-z]\d"\}$/)
  })

  test.each(['"x"', '17', '0', '-3', 'null', 'true', '[]', '"\\ud83d\\ude00"', ' "a" '])(
    'a scalar at the top: %s',
    async (value) => {
      const { of } = await open('text.scramble', { type: 'json' })
      expect(typeof JSON.parse(of(value)!)).toBe(typeof JSON.parse(value))
    },
  )

  test('numbers stay numbers: no leading zero, the exponent as it was', async () => {
    const { of } = await open('text.scramble', { type: 'json' })
    for (let i = 0; i < 2000; i++) {
      const value = `${i % 2 ? '-' : ''}${i}${i % 3 ? '' : `.${i}0`}${i % 5 ? '' : `e${i % 7}`}`
      const mask = of(value)!
      expect(() => JSON.parse(mask) as unknown).not.toThrow()
      expect(mask).toHaveLength(value.length)
      expect(mask.split('e')[1]).toBe(value.split('e')[1])
    }
  })

  test('values are masked alike wherever they lie in a long document', async () => {
    const { of } = await open('text.scramble', { type: 'json' })
    // What has no escapes comes first: behind one, another piece begins.
    const values = `"k" : [-12.50e7, {"név 7" :"Őri"} ,0 , "Anna 7", "", "Kovács \\u00c1rpád 12", "漢字 a\\"b", 1]`
    const expected = of(`{${values}}`)!
    expect(expected).not.toContain('Kovács')
    const PIECE = 4096
    for (const border of [PIECE, 2 * PIECE, WINDOW, WINDOW + PIECE]) {
      for (let before = border - Buffer.byteLength(values) - 5; before <= border; before++) {
        const white = ' '.repeat(before)
        expect(of(`{${white}${values}}`)).toBe(`{${white}${expected.slice(1)}`)
      }
    }
  })

  test('a string and a number of more than a window', async () => {
    const { of } = await open('text.scramble', { type: 'json' })
    const text = await open('text.scramble')
    const long = 'Kovács é '.repeat(WINDOW / 6)
    const digits = '7'.repeat(WINDOW + 9)
    const [string, number, last] = JSON.parse(
      of(`["${long}", ${digits}, "Anna B."]`)!.replace(/\d{30,}/, '"$&"'),
    ) as string[]
    expect(string).toBe(text.of(long))
    expect(number).toMatch(/^[1-9]\d+$/)
    expect(number).toHaveLength(digits.length)
    expect(new Set(number).size).toBe(10)
    expect(last).toBe(text.of('Anna B.'))
  })

  test.each(['"', '"a', '{"a":"b', '"a\\', '["\\u00', '-', '{"a" ', '[1,2', '"""', '}{][:,'])(
    'what is no JSON is masked without harm: %s',
    async (broken) => {
      const { of } = await open('text.scramble', { type: 'json' })
      expect(of(broken)!.replace(/[a-z\d]/g, '')).toBe(broken.replace(/[a-z\d]/g, ''))
    },
  )

  test('equal values are equal in all documents, and as in a text column', async () => {
    const { of } = await open('text.scramble', { type: 'json' })
    const text = await open('text.scramble')
    expect(of('{"a":"Anna B."}')).toBe(`{"a":"${text.of('Anna B.')}"}`)
    expect(of('["Anna B."]')).toBe(`["${text.of('Anna B.')}"]`)
  })
})

describe('uuid and bytea', () => {
  const UUID = '6f9619ff-8b86-4011-b42d-00cf4fc964ff'

  test.each(['text.scramble', 'hash', 'key'])(
    '%s of a uuid is the same in both codecs',
    async (name) => {
      const text = await open(name, { type: 'uuid' })
      const binary = await open(name, { type: 'uuid' }, 'binary')
      const mask = text.of(UUID)!
      expect(mask).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
      expect(mask).not.toBe(UUID)
      const raw = maskBytes(binary.mask, Buffer.from(UUID.replaceAll('-', ''), 'hex'))!
      expect(raw.toString('hex')).toBe(mask.replaceAll('-', ''))
      expect(text.prepared.injective).toBe(true)
    },
  )

  test.each(['text.scramble', 'hash'])('%s of a bytea is the same in both codecs', async (name) => {
    const text = await open(name, { type: 'bytea' })
    const binary = await open(name, { type: 'bytea' }, 'binary')
    const raw = maskBytes(binary.mask, Buffer.from('hello, world'))!
    expect(text.of(`\\x${Buffer.from('hello, world').toString('hex')}`)).toBe(
      `\\x${raw.toString('hex')}`,
    )
    expect(raw).toHaveLength(name === 'hash' ? 16 : 12)
  })
})

const FAMILIES: [TypeClass, string][] = [
  ['text', 'text'],
  ['json', 'json'],
  ['jsonb', 'jsonb'],
  ['inet', 'inet'],
]

test('random bytes never make a mask throw or emit what is no text', async () => {
  const options: Record<string, Record<string, unknown>> = {
    fixed: { value: 'x' },
    template: { template: '{person.lastName} {hash8}' },
    faker: { faker: 'word.noun' },
  }
  for (const name of MASKS.keys()) {
    if (name === 'function') continue
    for (const [type] of FAMILIES) {
      if (!MASKS.get(name)!.types.includes(type)) continue
      const { mask } = await open(name, { type, options: options[name] ?? {} })
      for (let i = 0; i < 200; i++) {
        const bytes = randomBytes(i % 40)
        const masked = maskBytes(mask, bytes, rowOf([]))
        // `key` leaves in place what is neither a digit nor a letter, broken bytes included.
        const isText = type !== 'text' || name === 'key' || masked === null || isUtf8(masked)
        expect(isText).toBe(true)
      }
    }
  }
})

test.each(['text', 'binary'] as Codec[])('another key scrambles otherwise: %s', async (codec) => {
  const one = await open('text.scramble', {}, codec)
  const two = await open('text.scramble', { key: testKey(9) }, codec)
  expect(one.of('a fairly long original')).not.toBe(two.of('a fairly long original'))
})
