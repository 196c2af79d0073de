import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, jest, test } from '@jest/globals'
import pLimit from 'p-limit'
import { Parts, SpareMemory } from '../../../src/store/parts.ts'
import { partSize } from '../../../src/store/s3-upload.ts'

const MIB = 1024 * 1024

test('an object of 5 TiB ends within 10,000 parts, and the first thousand are equal', () => {
  let total = 0
  for (let number = 1; number <= 10_000; number++) {
    expect(partSize(number)).toBeGreaterThanOrEqual(partSize(Math.max(1, number - 1)))
    if (number <= 1000) expect(partSize(number)).toBe(6 * MIB)
    total += partSize(number)
  }
  expect(total).toBeGreaterThan(5 * 1024 ** 4)
})

test('keeps bytes in order, begins no more than allowed, and says when to wait', async () => {
  const stored: Buffer[] = []
  let running = 0
  let most = 0
  const parts = new Parts({
    sizeOf: (number) => (number <= 2 ? 1000 : 3000),
    slots: pLimit(2),
    store: async (part, number) => {
      most = Math.max(most, ++running)
      await sleep(Math.random() * 5)
      stored[number - 1] = Buffer.from(part)
      running--
    },
  })
  const bytes = randomBytes(40_001)
  const reused = Buffer.alloc(1777)
  let waits = 0
  for (let at = 0; at < bytes.length; at += reused.length) {
    const count = bytes.copy(reused, 0, at)
    const room = parts.write(reused.subarray(0, count))
    reused.fill(0)
    if (room) waits++
    await room
  }
  parts.flush()
  await parts.drain()
  expect(Buffer.concat(stored).equals(bytes)).toBe(true)
  expect(stored.slice(0, -1).map(({ length }) => length)).toEqual([
    1000,
    1000,
    ...Array.from({ length: 12 }, () => 3000),
  ])
  expect(parts.size).toBe(bytes.length)
  expect(most).toBe(2)
  expect(waits).toBeGreaterThan(0)
})

test('an object of at most one part stays here', () => {
  const parts = new Parts({ sizeOf: () => 1000, slots: pLimit(1), store: async () => {} })
  expect(parts.write(Buffer.alloc(1000, 1))).toBeUndefined()
  expect(parts.begun).toBe(0)
  expect(parts.rest().equals(Buffer.alloc(1000, 1))).toBe(true)
})

test('the first failure ends it: for who waits, who writes, and who drains', async () => {
  let calls = 0
  const parts = new Parts({
    sizeOf: () => 10,
    slots: pLimit(1),
    store: async () => {
      calls++
      await sleep(5)
      throw new Error(`failure ${calls}`)
    },
  })
  await expect(parts.write(Buffer.alloc(100))).rejects.toThrow('failure 1')
  await expect(parts.write(Buffer.alloc(1))).rejects.toThrow('failure 1')
  await expect(parts.drain()).rejects.toThrow('failure 1')
  expect(calls).toBe(1)
})

test('stop waits for what is under way and begins nothing more', async () => {
  let ended = 0
  let begun = 0
  const parts = new Parts({
    sizeOf: () => 10,
    slots: pLimit(2),
    store: async () => {
      begun++
      await sleep(20)
      ended++
    },
  })
  const waiting = Promise.allSettled([parts.write(Buffer.alloc(100))])
  await sleep(1)
  await parts.stop(new Error('enough'))
  expect(await waiting).toMatchObject([{ status: 'rejected', reason: { message: 'enough' } }])
  expect({ begun, ended }).toEqual({ begun: 2, ended: 2 })
})

test('objects share what may be under way, and one that failed waits for no other', async () => {
  const slots = pLimit(2)
  let running = 0
  let most = 0
  const ends: (() => void)[] = []
  const object = (store: () => Promise<void>) =>
    new Parts({
      sizeOf: () => 10,
      slots,
      store: async () => {
        most = Math.max(most, ++running)
        await store().finally(() => running--)
      },
    })
  const held = object(() => new Promise((resolve) => ends.push(resolve)))
  const first = held.write(Buffer.alloc(15))
  held.flush()
  await first
  const next = object(() => sleep(1))
  const room = next.write(Buffer.alloc(25)) as Promise<void>
  expect(await Promise.race([room.then(() => 'room'), sleep(20, 'waits')])).toBe('waits')
  await next.stop(new Error('enough'))
  await expect(room).rejects.toThrow('enough')
  await expect(next.drain()).rejects.toThrow('enough')
  expect(running).toBe(2)
  const third = object(() => sleep(1))
  third.write(Buffer.alloc(25))?.catch(() => {})
  third.flush()
  for (const end of ends) end()
  await Promise.all([held.drain(), third.drain()])
  expect({ running, most }).toEqual({ running: 0, most: 2 })
})

test('objects one after the other use the same memory', async () => {
  const memory = new SpareMemory(4)
  const object = async (length: number) => {
    const parts = new Parts({ sizeOf: () => MIB, slots: pLimit(2), memory, store: () => sleep(1) })
    for (let at = 0; at < length; at += 65_536) await parts.write(Buffer.alloc(65_536))
    parts.flush()
    await parts.drain()
  }
  const allocations = jest.spyOn(Buffer, 'allocUnsafeSlow')
  try {
    await object(9 * MIB)
    expect(allocations).toHaveBeenCalled()
    allocations.mockClear()
    await object(9 * MIB)
    await object(100_000)
    await object(5 * MIB)
    expect(allocations).not.toHaveBeenCalled()
  } finally {
    allocations.mockRestore()
  }
})

test('of spare memory the largest is kept', () => {
  const memory = new SpareMemory(2)
  for (const length of [10, 30, 0, 20, 5]) memory.give(Buffer.alloc(length))
  expect(memory.take(31)).toBeUndefined()
  expect(memory.take(25)?.length).toBe(30)
  expect(memory.take(1)?.length).toBe(20)
  expect(memory.take(1)).toBeUndefined()
})
