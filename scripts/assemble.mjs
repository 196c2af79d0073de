// npm run assemble: turns WebAssembly text into the modules that import it.
// `--print NAME` writes one to stdout instead.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import wabt from 'wabt'
import { ROOT } from './bootstrap.mjs'

/** Without their ending; NAME.wat becomes NAME-module.ts. */
const SOURCES = ['src/mask/kernel', 'src/stream/rows']

const { values } = parseArgs({ options: { print: { type: 'string' } } })

/** @param {string} source path without its ending */
async function assemble(source) {
  const assembler = await wabt()
  const file = `${source}.wat`
  const parsed = assembler.parseWat(file, readFileSync(join(ROOT, file), 'utf8'), {
    simd: true,
    bulk_memory: true,
  })
  try {
    parsed.validate()
    const bytes = Buffer.from(parsed.toBinary({}).buffer).toString('base64')
    return `// Assembled from ${basename(file)} by scripts/assemble.mjs; not to be edited.
export const ${basename(source).toUpperCase()}_MODULE =
  '${bytes}'
`
  } finally {
    parsed.destroy()
  }
}

for (const source of SOURCES) {
  if (values.print === undefined) {
    writeFileSync(join(ROOT, `${source}-module.ts`), await assemble(source))
  } else if (values.print === basename(source)) {
    process.stdout.write(await assemble(source))
  }
}
