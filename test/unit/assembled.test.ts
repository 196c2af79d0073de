import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

test.each(['src/mask/kernel', 'src/stream/rows'])(
  '%s-module.ts is what its .wat assembles to',
  (source) => {
    const name = source.split('/').at(-1)!
    const assembled = execFileSync(
      process.execPath,
      [join(ROOT, 'scripts', 'assemble.mjs'), '--print', name],
      { encoding: 'utf8' },
    )
    expect(readFileSync(join(ROOT, `${source}-module.ts`), 'utf8')).toBe(assembled)
  },
)
