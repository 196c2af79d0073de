import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

// What a command needs is loaded once it runs: `pgveil --help` takes no longer than its text.

const SOURCE = fileURLToPath(new URL('../../../src', import.meta.url))
const IMPORT = /^(?:import|export)\s(?!type\b)[^'"]*?from '([^']+)'/gm

/** Packages that loading a file loads, each with the files on the way to it. */
function packagesOf(path: string, way: readonly string[] = [], seen = new Set<string>()) {
  const found = new Map<string, string>()
  for (const [, name = ''] of readFileSync(path, 'utf8').matchAll(IMPORT)) {
    const file = resolve(dirname(path), name)
    if (name.startsWith('node:') || seen.has(file)) continue
    if (!name.startsWith('.')) {
      found.set(name, [...way, path].map((each) => each.slice(SOURCE.length + 1)).join(' → '))
      continue
    }
    seen.add(file)
    expect(existsSync(file)).toBe(true)
    for (const each of packagesOf(file, [...way, path], seen)) found.set(...each)
  }
  return found
}

test('the command line loads nothing but what reads arguments', () => {
  const packages = Object.fromEntries(packagesOf(resolve(SOURCE, 'cli.ts')))
  expect(packages).toEqual({ yargs: 'cli.ts → commands/yargs.ts' })
})

test('a library loads what it exports', () => {
  // The test above would pass where imports are not understood.
  const packages = packagesOf(resolve(SOURCE, 'index.ts'))
  expect([...packages.keys()]).toEqual(expect.arrayContaining(['pg', 'zod', 'openpgp', 'yaml']))
})

test.each([
  ['commands/yargs', 'yargs'],
  ['config/yaml-parser', 'yaml'],
  ['config/zod', 'zod'],
  ['postgres/pg', 'pg'],
  ['store/s3-client', '@aws-sdk/client-s3'],
])('%s is one file, with what is used of %s in it', (module, name) => {
  const text = readFileSync(resolve(SOURCE, '..', 'dist', `${module}.js`), 'utf8')
  expect(text).not.toMatch(new RegExp(`from ?['"]${name}['"]`))
  expect(text.length).toBeGreaterThan(50_000)
})
