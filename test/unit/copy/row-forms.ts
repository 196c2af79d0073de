import { BinaryRows } from '../../../src/copy/binary-rows.ts'
import type { MaskedField, RowLayout } from '../../../src/copy/masked-rows.ts'
import { TextRows } from '../../../src/copy/text-rows.ts'
import type { Mask } from '../../../src/mask/mask.ts'
import { copyData, type OpenRows } from './wire.ts'

/** A row: values by field, NULL as null. The conditions come first: true, false or NULL. */
export interface TestRow {
  conditions: (boolean | null)[]
  values: (Buffer | null)[]
}

export interface TestLayout {
  conditions: number
  head: number
  /** Columns; conditions do not count. */
  columns: number
  masks: { column: number; condition: number; neighbour?: number }[]
}

/** The bytes backwards, after the neighbour's, which may be NULL; the mask of an empty value is NULL. */
export function reversed(value: Buffer, neighbour: Buffer | null | undefined): Buffer | null {
  if (value.length === 0) return null
  const front = neighbour === undefined ? [] : [neighbour ?? Buffer.from('∅')]
  return Buffer.concat([...front, Buffer.from(value).reverse()])
}

function mask(neighbour: number | undefined): Mask {
  return (bytes, start, end, out, row) => {
    const read = (from: number, to: number) => Buffer.from(bytes.subarray(from, to))
    const from = neighbour === undefined ? -1 : (row.start[neighbour] as number)
    const beside = from < 0 ? null : read(from, row.end[neighbour as number] as number)
    const masked = reversed(read(start, end), neighbour === undefined ? undefined : beside)
    if (!masked) return false
    out.reserve(masked.length)
    out.bytes.set(masked, out.length)
    out.length += masked.length
    return true
  }
}

/** What a row is after its masks, by the definition of masking. */
export function maskedRow({ conditions, values }: TestRow, layout: TestLayout): (Buffer | null)[] {
  return values.map((value, column) => {
    const rule = layout.masks.find((each) => each.column === column)
    if (!rule || value === null) return value
    if (rule.condition >= 0 && conditions[rule.condition] !== true) return value
    const { neighbour } = rule
    return reversed(
      value,
      neighbour === undefined ? undefined : (values[neighbour] as Buffer | null),
    )
  })
}

function rowLayout({ conditions, head, columns, masks }: TestLayout): RowLayout {
  const fields: MaskedField[] = masks.map(({ column, condition, neighbour }) => ({
    field: conditions + column,
    condition,
    mask: mask(neighbour === undefined ? undefined : conditions + neighbour),
    count: 0,
  }))
  return { conditions, head, total: conditions + columns, masks: fields }
}

/** One of COPY's two formats. */
export interface Form {
  open(layout: TestLayout): OpenRows
  /** The server's messages. */
  messages(rows: readonly TestRow[]): Buffer[]
  /** What the target is to get: the columns alone. */
  content(rows: readonly (Buffer | null)[][]): Buffer
}

const FILE_HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const TRAILER = Buffer.from([0xff, 0xff])

function int(bytes: 2 | 4, value: number): Buffer {
  const buffer = Buffer.alloc(bytes)
  buffer.writeIntBE(value, 0, bytes)
  return buffer
}

function binaryRow(fields: readonly (Buffer | null)[]): Buffer {
  const parts = fields.flatMap((field) => (field ? [int(4, field.length), field] : [int(4, -1)]))
  return Buffer.concat([int(2, fields.length), ...parts])
}

export const BINARY: Form = {
  open: (layout) => (writer, count) => new BinaryRows(rowLayout(layout), writer, count),
  messages(rows) {
    const bodies = rows.map(({ conditions, values }) =>
      binaryRow([...conditions.map((is) => (is === null ? null : Buffer.from([+is]))), ...values]),
    )
    // The server sends the file's header with the first row, or with the trailer.
    const all = [...bodies, TRAILER]
    return all.map((body, i) => copyData(i > 0 ? body : Buffer.concat([FILE_HEADER, body])))
  },
  content: (rows) => Buffer.concat([FILE_HEADER, ...rows.map(binaryRow), TRAILER]),
}

const ESCAPES = new Map(
  ['\bb', '\tt', '\nn', '\vv', '\ff', '\rr', '\\\\'].map((pair) => [
    pair.charCodeAt(0),
    pair.charCodeAt(1),
  ]),
)

function escaped(field: Buffer): Buffer {
  const bytes = Buffer.alloc(field.length * 2)
  let length = 0
  for (const byte of field) {
    const letter = ESCAPES.get(byte)
    if (letter !== undefined) bytes[length++] = 0x5c
    bytes[length++] = letter ?? byte
  }
  return bytes.subarray(0, length)
}

function textRow(fields: readonly (Buffer | null)[]): Buffer {
  const parts = fields.map((field) => (field ? escaped(field) : Buffer.from('\\N')))
  const tabbed = parts.flatMap((part, i) => (i > 0 ? [Buffer.from('\t'), part] : [part]))
  return Buffer.concat([...tabbed, Buffer.from('\n')])
}

export const TEXT: Form = {
  open: (layout) => (writer, count) => new TextRows(rowLayout(layout), writer, count),
  messages: (rows) =>
    rows.map(({ conditions, values }) =>
      copyData(
        textRow([
          ...conditions.map((is) => (is === null ? null : Buffer.from(is ? 't' : 'f'))),
          ...values,
        ]),
      ),
    ),
  content: (rows) => Buffer.concat(rows.map(textRow)),
}
