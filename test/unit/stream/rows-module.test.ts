import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openRows } from '../../../src/stream/rows-instance.ts'

const ROOT = join(import.meta.dirname, '..', '..', '..')

test('rows-module.ts is what rows.wat assembles to', () => {
  const assembled = execFileSync(
    process.execPath,
    [join(ROOT, 'scripts', 'assemble.mjs'), '--print'],
    { encoding: 'utf8' },
  )
  expect(readFileSync(join(ROOT, 'src/stream/rows-module.ts'), 'utf8')).toBe(assembled)
})

test('instances share nothing and keep their 4 MiB', () => {
  const [one, other] = [openRows(), openRows()]
  one.key(1n, 2n)
  one.reset()
  const memory = Buffer.from(one.memory.buffer)
  memory.write('row\n', 1024)
  expect(one.hash(1024, 1028)).toBe(1028)
  expect([one.rows.value, other.rows.value]).toEqual([1n, 0n])
  expect(Buffer.from(other.memory.buffer).indexOf('row\n')).toBe(-1)
  expect(one.memory.buffer.byteLength).toBe(4 * 1024 * 1024)
})
