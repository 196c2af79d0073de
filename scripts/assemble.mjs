// node scripts/assemble.mjs: turns src/stream/rows.wat into src/stream/rows-module.ts.
// `--print` writes to stdout instead.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import wabt from 'wabt'
import { ROOT } from './bootstrap.mjs'

const SOURCE = 'src/stream/rows.wat'
const TARGET = 'src/stream/rows-module.ts'

const { values } = parseArgs({ options: { print: { type: 'boolean' } } })

/** @param {string} source WebAssembly text */
async function assemble(source) {
  const assembler = await wabt()
  const parsed = assembler.parseWat(SOURCE, source, { simd: true })
  try {
    parsed.validate()
    return Buffer.from(parsed.toBinary({}).buffer)
  } finally {
    parsed.destroy()
  }
}

const bytes = await assemble(readFileSync(join(ROOT, SOURCE), 'utf8'))
const text = `// Assembled from rows.wat by scripts/assemble.mjs; not to be edited.
export const ROWS_MODULE =
  '${bytes.toString('base64')}'
`
if (values.print) process.stdout.write(text)
else writeFileSync(join(ROOT, TARGET), text)
