import { expect, test } from '@jest/globals'
import { openRows } from '../../../src/stream/rows-instance.ts'

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
