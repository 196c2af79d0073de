import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { together } from '../../../src/jobs/together.ts'

test('answers in order', async () => {
  expect(await together([sleep(5, 'a'), 'b', sleep(1, 'c')])).toEqual(['a', 'b', 'c'])
})

test('a failure waits until nothing is under way; the first in the list is told', async () => {
  let underWay = true
  const fail = async (ms: number, message: string) => {
    await sleep(ms)
    throw new Error(message)
  }
  const slow = sleep(20).then(() => (underWay = false))
  await expect(together([slow, fail(10, 'late'), fail(1, 'early')])).rejects.toThrow('late')
  expect(underWay).toBe(false)
})
