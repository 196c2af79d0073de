import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import type { ManifestObject } from '../../../src/backup/manifest.ts'
import { FrameWriter } from '../../../src/copy/frames.ts'
import { wireLayout } from '../../../src/copy/from-backup/jobs.ts'
import { withoutRights } from '../../../src/copy/from-backup/large-objects.ts'
import { provenStore } from '../../../src/copy/from-backup/proven-bytes.ts'
import { MaskedLines, UnmaskedRows } from '../../../src/copy/from-backup/sealed-rows.ts'
import type { MaskedField, RowLayout } from '../../../src/copy/masked-rows.ts'
import type { Mask } from '../../../src/mask/mask.ts'
import type { TablePlan } from '../../../src/mask/table-plan.ts'
import { cutRandomly, FakeCopyIn, seeded } from './wire.ts'

/** Puts the value of field `beside` and a line end behind the value. */
function beside(field: number): Mask {
  return (bytes, start, end, out, row) => {
    const at = row.start[field] as number
    const read = (from: Uint8Array, begin: number, until: number) =>
      Buffer.from(from.subarray(begin, until)).toString()
    const other = at < 0 ? '∅' : read(row.bytes, at, row.end[field] as number)
    const text = Buffer.from(`${read(bytes, start, end)}+${other}\n`)
    out.reserve(text.length)
    out.bytes.set(text, out.length)
    out.length += text.length
    return true
  }
}

const masked = (field: number, other: number): MaskedField => ({
  field,
  condition: -1,
  mask: beside(other),
  count: 0,
})

/** On the wire: a column that nobody looks at, field 1, field 0, then a tail. */
const layout = (): RowLayout => ({
  conditions: 0,
  head: 3,
  total: 5,
  order: [2, 1, 0],
  masks: [masked(1, 0), masked(0, 1)],
})

const NAMES = ['név', '', '\\N', 'tab\\there', 'back\\\\slash', 'line\\nend', 'x'.repeat(90)]

/** Rows of COPY text, and what the masks make of them. */
function rows(count: number, random: (below: number) => number): { text: string; wanted: string } {
  const name = () => NAMES[random(NAMES.length)] as string
  const plus = (value: string, other: string) =>
    value === '\\N' ? value : `${value}+${other === '\\N' ? '∅' : other}\\n`
  const lines = Array.from({ length: count }, (_, i) => {
    const [a, b, tail] = [
      name(),
      name(),
      `${name()}\t${i % 40 === 0 ? 'w'.repeat(70_000) : name()}`,
    ]
    return {
      text: `${i}\t${a}\t${b}\t${tail}\n`,
      wanted: `${i}\t${plus(a, b)}\t${plus(b, a)}\t${tail}\n`,
    }
  })
  const join = (key: 'text' | 'wanted') => lines.map((line) => line[key]).join('')
  return { text: join('text'), wanted: join('wanted') }
}

describe('rows of a segment', () => {
  test.each([1, 2, 3, 4, 5, 6])('blocks cut anywhere: seed %i', async (seed) => {
    const random = seeded(seed)
    const { text, wanted } = rows(120, random)
    const copyIn = new FakeCopyIn()
    const writer = new FrameWriter(copyIn.asCopyIn)
    const feed = new MaskedLines(layout(), writer)
    for (const block of cutRandomly(Buffer.from(text), random, seed * seed * 300)) feed.take(block)
    writer.flush()
    expect((await copyIn.content()).toString()).toBe(wanted)
  })

  test('a value under a mask that is longer than many blocks', async () => {
    const long = 'á'.repeat(1_500_000)
    const copyIn = new FakeCopyIn()
    const writer = new FrameWriter(copyIn.asCopyIn)
    const feed = new MaskedLines(layout(), writer)
    const text = Buffer.from(`1\t${long}\tb\tc\td\n2\ta\tb\tc\td\n`)
    for (let at = 0; at < text.length; at += 65_537) feed.take(text.subarray(at, at + 65_537))
    writer.flush()
    const wanted = `1\t${long}+b\\n\tb+${long}\\n\tc\td\n2\ta+b\\n\tb+a\\n\tc\td\n`
    expect((await copyIn.content()).equals(Buffer.from(wanted))).toBe(true)
  })

  test.each([
    ['a column too few', '1\ta\n'],
    ['no line end', '1\ta\tb'],
  ])('%s: nothing of the row is written', async (_, text) => {
    const copyIn = new FakeCopyIn()
    const writer = new FrameWriter(copyIn.asCopyIn)
    const feed = new MaskedLines(layout(), writer)
    try {
      feed.take(Buffer.from(text))
    } catch (error) {
      expect(error).toMatchObject({ kind: 'source' })
    }
    writer.flush()
    expect((await copyIn.content()).length).toBe(0)
  })

  test('without masks, blocks go as they are', async () => {
    const copyIn = new FakeCopyIn({ full: true })
    const feed = new UnmaskedRows(new FrameWriter(copyIn.asCopyIn))
    for (const block of ['1\ta\n2', '\tb\n']) feed.take(Buffer.from(block))
    expect((await copyIn.content()).toString()).toBe('1\ta\n2\tb\n')
  })

  test('fields keep the numbers that masks know them by', () => {
    const column = (name: string) => ({ name }) as TablePlan['columns'][number]
    const [id, mail, city, zip] = ['id', 'mail', 'city', 'zip'].map(column)
    // masks on zip and mail; the one of zip reads city
    const plan = {
      columns: [mail, zip, city, id],
      head: 3,
      masks: [
        { column: zip, field: 1, rule: { mask: 'location.zipCode' } },
        { column: mail, field: 0, rule: { mask: 'internet.email' } },
      ],
    } as unknown as TablePlan
    const found = wireLayout(plan, ['id', 'mail', 'city', 'zip', 'note'])
    expect(found).toMatchObject({ head: 4, total: 5, order: [3, 0, 2, 1] })
    expect(found.masks.map(({ field }) => field)).toEqual([0, 1])
  })
})

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const random = seeded(7)
const OBJECT = Buffer.from(Array.from({ length: 2_500_000 }, () => random(256)))

/** Reads an object from a store that gives other bytes each time. */
async function readProven(versions: readonly Buffer[], object: Buffer) {
  let reads = 0
  const store = {
    async *read() {
      const bytes = versions[Math.min(reads++, versions.length - 1)] as Buffer
      for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000)
    },
  }
  const described = { name: 'x', size: object.length, sha256: sha256(object) } as ManifestObject
  const parts: Buffer[] = []
  const proven = provenStore(store as never, described)
  let failure: unknown
  try {
    for await (const part of proven.read('x')) parts.push(Buffer.from(part))
  } catch (error) {
    failure = error
  }
  return { content: Buffer.concat(parts), reads, failure }
}

function changed(at: number): Buffer {
  const bytes = Buffer.from(OBJECT)
  bytes[at]! ^= 1
  return bytes
}

describe('an object proves itself before it is handed on', () => {
  test('one that is whole comes as it is', async () => {
    const { content, reads } = await readProven([OBJECT], OBJECT)
    expect(content.equals(OBJECT)).toBe(true)
    expect(reads).toBe(2)
  })

  test('a small one is read once', async () => {
    const small = OBJECT.subarray(0, 700_000)
    const { content, reads } = await readProven([small], small)
    expect(content.equals(small)).toBe(true)
    expect(reads).toBe(1)
  })

  test.each([
    ['changed', changed(2_400_000)],
    ['cut off', OBJECT.subarray(0, -1)],
    ['longer', Buffer.concat([OBJECT, Buffer.from('x')])],
  ])('%s: not a byte of it', async (_, bytes) => {
    const { content, failure } = await readProven([bytes], OBJECT)
    expect(content.length).toBe(0)
    expect(failure).toMatchObject({ kind: 'integrity' })
  })

  test('one that changes between the readings: not a byte that is other', async () => {
    const { content, failure } = await readProven([OBJECT, changed(1_500_000)], OBJECT)
    expect(content.equals(OBJECT.subarray(0, 1024 * 1024))).toBe(true)
    expect(failure).toMatchObject({ kind: 'integrity', message: 'was changed while it was read' })
  })
})

test('what says whose large objects are stays behind, wherever the SQL is cut', async () => {
  const kept = [
    "SELECT lo_put(1, 0, '\\x444f20');",
    "COMMENT ON LARGE OBJECT 1 IS 'DO it';",
    'COMMIT;',
  ]
  const sql = `BEGIN;\n${kept[0]}\nDO $pgveil$ owner $pgveil$;\n${kept[1]}\nDO $x$ grant $x$;\n${kept[2]}\n`
  for (let size = 1; size < sql.length; size += 7) {
    const chunks = (async function* () {
      for (let at = 0; at < sql.length; at += size) yield Buffer.from(sql.slice(at, at + size))
    })()
    let found = ''
    for await (const line of withoutRights(chunks)) found += line.toString()
    expect(found).toBe(`BEGIN;\n${kept.join('\n')}\n`)
  }
})
