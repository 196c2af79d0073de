import {
  Output,
  type Codec,
  type Mask,
  type MaskRequest,
  type PreparedMask,
  type Row,
  type TypeClass,
} from '../../../src/mask/mask.ts'
import { MASKS } from '../../../src/mask/registry.ts'
import { openMask } from '../../../src/mask/open.ts'

/** 32 bytes, all different from those of any other seed. */
export function testKey(seed = 1): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (seed * 37 + i * 11) & 0xff)
}

/** A request with the facts that a test does not care about filled in. */
export function request(facts: Partial<MaskRequest> = {}): MaskRequest {
  return {
    options: {},
    type: 'text',
    maxChars: undefined,
    unique: false,
    rows: 1000,
    locale: 'hu',
    encodable: () => true,
    key: testKey(),
    companions: {},
    column: () => undefined,
    ...facts,
  }
}

export const NO_ROW: Row = {
  bytes: new Uint8Array(0),
  start: new Int32Array(0),
  end: new Int32Array(0),
}

/** A row whose fields are these texts; null is NULL. */
export function rowOf(fields: readonly (string | null)[]): Row {
  const bytes = Buffer.from(fields.map((field) => field ?? '').join(''), 'utf8')
  const start = new Int32Array(fields.length)
  const end = new Int32Array(fields.length)
  let at = 0
  fields.forEach((field, i) => {
    start[i] = field === null ? -1 : at
    at += Buffer.byteLength(field ?? '')
    end[i] = at
  })
  return { bytes, start, end }
}

/** The bytes that a mask makes of `value`; null for NULL. */
export function maskBytes(mask: Mask, value: Uint8Array, row: Row = NO_ROW): Buffer | null {
  // Not at offset 0, so that masks which forget `start` are found out.
  const padded = Buffer.concat([Buffer.from('ab'), value, Buffer.from('yz')])
  const out = new Output(3)
  out.length = 3
  const written = mask(padded, 2, 2 + value.length, out, row)
  if (!written) return null
  return Buffer.from(out.bytes.subarray(3, out.length))
}

export interface Opened {
  prepared: PreparedMask
  mask: Mask
  /** The mask of a text. */
  of: (value: string, row?: Row) => string | null
}

/** Prepares a mask by its name and opens it as a worker would: from a structured clone. */
export async function open(
  name: string,
  facts: Partial<MaskRequest> = {},
  codec: Codec = 'text',
): Promise<Opened> {
  const definition = MASKS.get(name)
  if (!definition) throw new Error(`no mask ${name}`)
  const full = request(facts)
  const prepared = await definition.prepare(full)
  const mask = await openMask(structuredClone(prepared), full.type satisfies TypeClass, codec)
  const of = (value: string, row?: Row) =>
    maskBytes(mask, Buffer.from(value, 'utf8'), row)?.toString('utf8') ?? null
  return { prepared, mask, of }
}

/** A 64-bit number as the binary codec carries it. */
export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

/** A 32-bit number as the binary codec carries it. */
export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** The field of the binary codec that holds a whole number of `type`. */
export function integerField(type: TypeClass, value: bigint): Buffer {
  if (type === 'int8' || type === 'money') return int64(value)
  if (type === 'int4') return int32(Number(value))
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(Number(value))
  return bytes
}

/** The number in a field that {@link integerField} could have made. */
export function integerIn(type: TypeClass, bytes: Buffer): bigint {
  if (type === 'int8' || type === 'money') return bytes.readBigInt64BE()
  return BigInt(type === 'int4' ? bytes.readInt32BE() : bytes.readInt16BE())
}
