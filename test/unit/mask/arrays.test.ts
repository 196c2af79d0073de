import { describe, expect, test } from '@jest/globals'
import { openArrayMask } from '../../../src/mask/arrays.ts'
import { Output, type Codec, type Mask, type Row } from '../../../src/mask/mask.ts'

const row: Row = { bytes: Buffer.alloc(0), start: new Int32Array(0), end: new Int32Array(0) }

/** Doubles a value and puts what needs quotes around it; what is empty becomes NULL. */
const around: Mask = (bytes, start, end, out) => {
  if (end === start) return false
  const value = Buffer.from(bytes.subarray(start, end)).toString()
  const masked = Buffer.from(aroundText(value))
  out.reserve(masked.length)
  out.bytes.set(masked, out.length)
  out.length += masked.length
  return true
}
const aroundText = (value: string): string => `{"\\${value},${value}`

/** Masks `value` in the midst of other bytes, after what `out` holds already. */
function run(value: Buffer, codec: Codec, element = around): Buffer {
  const out = new Output(2)
  out.reserve(3)
  out.length = 3
  out.bytes.write('abc')
  const bytes = Buffer.concat([Buffer.from('{"x'), value, Buffer.from('y"}')])
  const isValue = openArrayMask(element, codec)(bytes, 3, 3 + value.length, out, row)
  expect(isValue).toBe(true)
  expect(out.bytes.toString('latin1', 0, 3)).toBe('abc')
  return Buffer.from(out.bytes.subarray(3, out.length))
}

type Elements = (string | null)[]

/** array_send: `bounds` has a length and a lower bound for each dimension. */
function binary(elements: Elements, bounds: [number, number][], hasNull = elements.includes(null)) {
  const ints = [bounds.length, hasNull ? 1 : 0, 25, ...bounds.flat()]
  const header = Buffer.alloc(ints.length * 4)
  ints.forEach((int, i) => header.writeInt32BE(int, i * 4))
  const parts = elements.map((element) => {
    const value = Buffer.from(element ?? '')
    const length = Buffer.alloc(4)
    length.writeInt32BE(element === null ? -1 : value.length)
    return Buffer.concat([length, value])
  })
  return Buffer.concat([header, ...parts])
}

describe('binary', () => {
  test.each<[string, Elements, [number, number][]]>([
    ['no elements', [], []],
    ['one', ['a'], [[1, 1]]],
    ['many', ['a', 'ő"', '\0\0\0\x04', 'NULL', '{}'], [[5, 1]]],
    ['NULL among them', [null, 'a', null], [[3, 1]]],
    ['nothing but NULL', [null], [[1, 1]]],
    ['odd bounds', ['a', 'b'], [[2, -7]]],
    ['three dimensions', ['a', 'b', null, 'd', 'e', 'f', 'g', 'h'], [[2, 1], [2, 0], [2, 5]]], // prettier-ignore
    ['a long one', ['x'.repeat(100_000), 'y'], [[2, 1]]],
  ])('%s', (_, elements, bounds) => {
    const masked = elements.map((element) => element && aroundText(element))
    expect(run(binary(elements, bounds), 'binary')).toEqual(binary(masked, bounds))
  })

  test('an element whose mask is NULL', () => {
    const bounds: [number, number][] = [[3, 1]]
    const masked = [aroundText('a'), null, aroundText('c')]
    expect(run(binary(['a', '', 'c'], bounds), 'binary')).toEqual(binary(masked, bounds, true))
  })

  test('a mask of NULL for every element', () => {
    const bounds: [number, number][] = [[2, 1]]
    const none = run(binary(['a', 'b'], bounds), 'binary', () => false)
    expect(none).toEqual(binary([null, null], bounds))
  })
})

/** An element as array_out writes it. */
function quoted(element: string | null): string {
  if (element === null) return 'NULL'
  const plain = element !== '' && !/[\s{}",\\]/.test(element) && element.toUpperCase() !== 'NULL'
  return plain ? element : always(element)
}

/** As the mask writes it. */
const always = (element: string | null): string =>
  element === null ? 'NULL' : `"${element.replace(/["\\]/g, '\\$&')}"`

describe('text', () => {
  const hard = [
    'a',
    'NULL',
    'null',
    'a,b',
    '{',
    '}',
    '"',
    '\\',
    '\\N',
    ' ',
    ' x ',
    'ő',
    'tab\t',
    '\n',
  ]

  test.each<[string, string, string]>([
    ['no elements', '{}', '{}'],
    ['one', '{a}', `{${always(aroundText('a'))}}`],
    ['NULL', '{NULL,NULL}', '{NULL,NULL}'],
    ['NULL in quotes is text', '{"NULL"}', `{${always(aroundText('NULL'))}}`],
    ['an element whose mask is NULL', '{"",a}', `{NULL,${always(aroundText('a'))}}`],
    ['two dimensions', '{{a,NULL},{NULL,b}}', `{{${always(aroundText('a'))},NULL},{NULL,${always(aroundText('b'))}}}`], // prettier-ignore
    [
      'odd bounds',
      '[-2:-1][5:5]={{a},{NULL}}',
      `[-2:-1][5:5]={{${always(aroundText('a'))}},{NULL}}`,
    ],
    ['an escape in quotes', '{"a\\"b"}', `{${always(aroundText('a"b'))}}`],
  ])('%s', (_, given, wanted) => {
    expect(run(Buffer.from(given), 'text').toString()).toBe(wanted)
  })

  test.each(hard)('%j', (element) => {
    for (const elements of [[element], [element, 'x'], [null, element, element]]) {
      const given = `{${elements.map(quoted).join(',')}}`
      const wanted = elements.map((each) => always(each && aroundText(each)))
      expect(run(Buffer.from(given), 'text').toString()).toBe(`{${wanted.join(',')}}`)
    }
  })

  test('a long one', () => {
    const long = '"\\'.repeat(50_000)
    const given = Buffer.from(`{${always(long)},x}`)
    const wanted = `{${always(aroundText(long))},${always(aroundText('x'))}}`
    expect(run(given, 'text').toString()).toBe(wanted)
  })
})

describe('what is no array becomes NULL or ends where it ends', () => {
  const int = (...ints: number[]) => {
    const bytes = Buffer.alloc(ints.length * 4)
    ints.forEach((each, i) => bytes.writeInt32BE(each, i * 4))
    return bytes
  }
  const header = int(1, 0, 25, 2, 1)
  const masked = (codec: Codec, bytes: Buffer) => {
    const out = new Output(4)
    const isValue = openArrayMask(around, codec)(bytes, 0, bytes.length, out, row)
    return isValue ? Buffer.from(out.bytes.subarray(0, out.length)) : out.length
  }

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one number', int(1)],
    ['too many dimensions', int(0x7fffffff, 0, 25)],
    ['fewer than no dimensions', int(-1, 0, 25)],
    ['an element beyond the end', Buffer.concat([header, int(255)])],
    ['a second element beyond the end', Buffer.concat([header, int(1), Buffer.from('a'), int(1)])],
    ['half a length', Buffer.concat([header, Buffer.from([0, 0])])],
  ])('binary: %s', (_, bytes) => {
    expect(masked('binary', bytes)).toBe(0)
  })

  test.each(['', '{"a', '{a\\', '[1:2', 'a', '}{', '{,}'])('text: %j', (text) => {
    expect(masked('text', Buffer.from(text))).toBeInstanceOf(Buffer)
  })
})
