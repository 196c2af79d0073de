// npm run build: src/ → dist/, and of each package that is many files, one file with what pgveil uses of it.
//
// Node.js looks for, reads and compiles some 300 files of the packages below, in every process of a run anew. In one file
// each, without what nobody calls, the S3 client is loaded in 0.11 instead of 0.29 seconds of processor time, and a
// command that uses none of it begins in two thirds of the time.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { ROOT, run } from './bootstrap.mjs'

/** The only modules that import these packages, below src/. */
const PACKAGES = {
  'commands/yargs': ['yargs'],
  'config/yaml-parser': ['yaml'],
  'config/zod': ['zod'],
  'postgres/pg': ['pg', 'pg-connection-string'],
  'store/s3-client': ['@aws-sdk/client-s3'],
}

const SRC = join(ROOT, 'src')
const DIST = join(ROOT, 'dist')
const MODULES = Object.keys(PACKAGES)

/** What else imported such a package would load it a second time, file by file. */
function checkImports() {
  for (const name of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    const module = name.replace(/\.ts$/, '')
    if (module === name || MODULES.includes(module)) continue
    const text = readFileSync(join(DIST, `${module}.js`), 'utf8')
    const found = Object.entries(PACKAGES).find(([, packages]) =>
      packages.some((one) => text.includes(` from '${one}'`)),
    )
    if (found === undefined) continue
    console.error(`src/${name} imports a package that only src/${found[0]}.ts may import`)
    process.exit(1)
  }
}

run(process.execPath, [join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')])
checkImports()
await build({
  entryPoints: MODULES.map((module) => join(SRC, `${module}.ts`)),
  outbase: SRC,
  outdir: DIST,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // The S3 client's modules, of which what is not used can be left out; its other form is one piece.
  mainFields: ['module', 'main'],
  external: ['pg-native'],
  // pg asks it whether it runs at Cloudflare; Node.js 20 loads its whole HTTP client, undici, to answer that.
  define: { Response: 'undefined' },
  minifyWhitespace: true,
  legalComments: 'inline',
  // Packages of the older kind ask for modules of Node.js by a function that these files lack.
  banner: {
    js: "// Made of packages by scripts/build.mjs; their licences lie with them.\nimport { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  logLevel: 'warning',
})
