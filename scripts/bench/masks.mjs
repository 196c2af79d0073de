// npm run bench:masks: nanoseconds per value and mask on one core, warm, the best of ten rounds.
// `--json FILE` writes the figures; a part of a name picks masks: npm run bench:masks -- internet
import { writeFileSync } from 'node:fs'
import { bootstrap } from '../bootstrap.mjs'
import { readOptions } from '../options.mjs'

/** @typedef {import('../../src/mask/mask.ts').TypeClass} TypeClass */
/** @typedef {[mask: string, type: TypeClass, fields: Buffer[], facts?: Record<string, unknown>]} Case */

const { values, positionals } = readOptions(import.meta.url, {
  options: { json: { type: 'string' } },
  allowPositionals: true,
})

bootstrap()
const { MASKS, openMask, Output } = /** @type {typeof import('../../src/index.ts')} */ (
  await import(new URL('../../dist/index.js', import.meta.url).href)
)

const { allocate, bringRows, heap } = /** @type {typeof import('../../src/mask/kernel.ts')} */ (
  await import(new URL('../../dist/mask/kernel.js', import.meta.url).href)
)

const VALUES = 20_000
/** As many come and leave together, as rows do in a copy. */
const CHUNK = 500
const ROUNDS = 10

/** @param {(i: number) => string} make */
const text = (make) => Array.from({ length: VALUES }, (_, i) => Buffer.from(make(i), 'utf8'))
/** @param {number} size @param {(bytes: Buffer, i: number) => unknown} write */
const packed = (size, write) =>
  Array.from({ length: VALUES }, (_, i) => {
    const bytes = Buffer.alloc(size)
    write(bytes, i)
    return bytes
  })

const NAMES = ['Kovács Árpád', 'Nagy Istvánné', 'Szabó Éva', 'dr. Tóth-Kiss Gergely']
/** @param {number} i */
const name = (i) => `${NAMES[i % NAMES.length]} ${i}`
const NUMERIC = '0003000100000002000100000000'

/** @type {Case[]} */
const CASES = [
  ['person.fullName', 'text', text(name)],
  ['person.firstName', 'text', text(name)],
  ['person.lastName', 'text', text(name)],
  ['company.name', 'text', text((i) => `${name(i)} Kft.`)],
  ['internet.email', 'text', text((i) => `Kovacs.Arpad${i}@example.hu`)],
  ['internet.email', 'text', text((i) => `Kovacs.Arpad${i}@example.hu`), { unique: true }],
  ['internet.userName', 'text', text((i) => `kovacs${i}`)],
  ['internet.url', 'text', text((i) => `https://example.hu/${i}`)],
  [
    'internet.ip',
    'inet',
    packed(8, (b, i) => b.writeUInt32BE(0x02200004) && b.writeUInt32BE(i, 4)),
  ],
  ['phone.number', 'text', text((i) => `+36 20 ${1_000_000 + i}`)],
  ['phone.number', 'text', text((i) => `+36 20 ${1_000_000 + i}`), { unique: true }],
  ['location.city', 'text', text((i) => `Székesfehérvár ${i}`)],
  ['location.zipCode', 'text', text((i) => `${1000 + (i % 9000)}`)],
  ['location.state', 'text', text((i) => `Győr-Moson-Sopron ${i}`)],
  ['location.streetAddress', 'text', text((i) => `Kossuth Lajos utca ${i}`)],
  ['location.secondaryAddress', 'text', text((i) => `${i % 9}. em. ${i % 40}.`)],
  ['finance.iban', 'text', text((i) => `HU42117730161111${String(i).padStart(12, '0')}`)],
  ['date.shift', 'date', packed(4, (b, i) => b.writeInt32BE(i - 9000))],
  [
    'date.shift',
    'timestamptz',
    packed(8, (b, i) => b.writeBigInt64BE(BigInt(i) * 77_777_777_777n)),
  ],
  ['number.noise', 'int4', packed(4, (b, i) => b.writeInt32BE(i * 977))],
  ['number.noise', 'int8', packed(8, (b, i) => b.writeBigInt64BE(BigInt(i) * 977n))],
  ['number.noise', 'float8', packed(8, (b, i) => b.writeDoubleBE(i * 1.37))],
  [
    'number.noise',
    'numeric',
    packed(14, (b, i) => b.write(NUMERIC, 'hex') && b.writeInt16BE(i % 9999, 10)),
  ],
  ['text.scramble', 'text', text((i) => `Visszahívást kért, ${i}. ügy, sürgős`)],
  [
    'text.scramble',
    'jsonb',
    text((i) => `\x01{"phone": "+36201234567", "note": "sürgős ${i}", "n": [1, 2.5, null]}`),
  ],
  ['text.scramble', 'uuid', packed(16, (b, i) => b.writeUInt32BE(i * 7919))],
  ['key', 'int4', packed(4, (b, i) => b.writeInt32BE(i))],
  ['key', 'int8', packed(8, (b, i) => b.writeBigInt64BE(BigInt(i)))],
  ['key', 'uuid', packed(16, (b, i) => b.writeUInt32BE(i * 7919))],
  ['key', 'text', text((i) => `INV-2024/${String(i).padStart(6, '0')}`)],
  ['hash', 'text', text((i) => `Kovacs.Arpad${i}@example.hu`)],
  ['fixed', 'text', text(name), { options: { value: 'x' } }],
  ['null', 'text', text(name)],
  ['faker', 'text', text(name), { options: { faker: 'commerce.productName' } }],
  ['template', 'text', text(name), { options: { template: '{person.lastName} Kft. {hash8}' } }],
]

const row = { bytes: new Uint8Array(0), start: new Int32Array(0), end: new Int32Array(0) }

const out = new Output(CHUNK * 1000, allocate(CHUNK * 1000))

/** @param {Case} each */
async function measure([mask, type, fields, facts = {}]) {
  const definition = MASKS.get(mask)
  if (!definition) throw new Error(`no mask ${mask}`)
  const prepared = await definition.prepare({
    options: {},
    type,
    maxChars: undefined,
    unique: false,
    rows: 1_000_000,
    locale: 'hu',
    encodable: () => true,
    key: Buffer.alloc(32, 7),
    companions: {},
    column: () => undefined,
    ...facts,
  })
  const apply = await openMask(structuredClone(prepared), type, 'binary')
  const bytes = Buffer.concat(fields)
  const starts = new Int32Array(fields.length + 1)
  fields.forEach((field, i) => (starts[i + 1] = (starts[i] ?? 0) + field.length))
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.hrtime.bigint()
    for (let first = 0; first < VALUES; first += CHUNK) {
      const from = starts[first] ?? 0
      const at = bringRows(bytes, from, starts[first + CHUNK] ?? 0)
      if (at === undefined) throw new Error('a chunk is too long')
      out.clear()
      for (let i = first; i < first + CHUNK; i++) {
        apply(heap, at + (starts[i] ?? 0) - from, at + (starts[i + 1] ?? 0) - from, out, row)
      }
    }
    best = Math.min(best, Number(process.hrtime.bigint() - began) / VALUES)
  }
  return { mask: `${mask}${facts['unique'] ? ' unique' : ''}`, type, nanoseconds: Math.round(best) }
}

const figures = []
for (const each of CASES) {
  if (positionals.length > 0 && !positionals.some((part) => each[0].includes(part))) continue
  const figure = await measure(each)
  figures.push(figure)
  const { mask, type, nanoseconds } = figure
  process.stdout.write(
    `${mask.padEnd(28)}${type.padEnd(14)}${String(nanoseconds).padStart(8)} ns\n`,
  )
}
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, null, 2)}\n`)
