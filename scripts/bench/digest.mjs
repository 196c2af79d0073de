// node scripts/bench/digest.mjs: MB of COPY text per second that row digests take on one core, the best of ten
// rounds, and what it costs to begin one.
import { bootstrap } from '../bootstrap.mjs'

const BYTES = 32 * 1024 * 1024
/** What a socket delivers at once. */
const CHUNK = 64 * 1024
const ROUNDS = 10
const KEY = Buffer.alloc(16, 7)

bootstrap()
const { FramedRows, LineRows } = /** @type {typeof import('../../src/stream/rows.ts')} */ (
  await import(new URL('../../dist/stream/rows.js', import.meta.url).href)
)

/**
 * Rows of between `least` and `most` bytes, and the same as messages, in chunks of whole ones.
 *
 * @param {number} least
 * @param {number} most
 */
function make(least, most) {
  const text = []
  /** @type {Buffer[][]} */
  const chunks = []
  let size = 0
  for (let bytes = 0; bytes < BYTES;) {
    const length = least + Math.floor(Math.random() * (most - least + 1))
    const row = Buffer.alloc(
      length,
      '42\tKovács Árpád\t+36 20 123 4567\t\\N\t2024-01-01 12:00:00\t',
    )
    row[length - 1] = 0x0a
    const header = Buffer.alloc(5, 'd')
    header.writeUInt32BE(length + 4, 1)
    if (bytes === 0 || size + length > CHUNK) {
      chunks.push([])
      size = 0
    }
    chunks.at(-1)?.push(header, row)
    text.push(row)
    bytes += length
    size += length
  }
  return { text: Buffer.concat(text), framed: chunks.map((pieces) => Buffer.concat(pieces)) }
}

/** @param {() => void} work @returns {number} seconds */
function best(work) {
  let seconds = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const began = process.hrtime.bigint()
    work()
    seconds = Math.min(seconds, Number(process.hrtime.bigint() - began) / 1e9)
  }
  return seconds
}

console.log('bytes per row   framed MB/s   lines MB/s')
for (const [least, most] of /** @type {const} */ ([
  [20, 60],
  [100, 300],
  [1000, 3000],
])) {
  const { text, framed } = make(least, most)
  const framedSeconds = best(() => {
    const rows = new FramedRows(KEY, () => {})
    for (const chunk of framed) rows.takeFramed(chunk, 0, chunk.length)
    rows.flush()
  })
  const linesSeconds = best(() => {
    const rows = new LineRows(KEY)
    for (let at = 0; at < text.length; at += CHUNK) rows.take(text.subarray(at, at + CHUNK))
    if (!rows.end()) throw new Error('the rows have no end')
  })
  const [a, b] = [framedSeconds, linesSeconds].map((seconds) =>
    Math.round(text.length / 1e6 / seconds),
  )
  console.log(`${`${least}–${most}`.padEnd(16)}${String(a).padStart(11)}${String(b).padStart(13)}`)
}

const INSTANCES = 200
const seconds = best(() => {
  for (let i = 0; i < INSTANCES; i++) new LineRows(KEY).take(KEY)
})
console.log(`a new digest: ${Math.round((seconds / INSTANCES) * 1e6)} µs`)
