import { setImmediate as turn } from 'node:timers/promises'
import { beforeEach, expect, test } from '@jest/globals'
import { Finishing } from '../../../src/backup/finishing.ts'
import { SegmentRows } from '../../../src/backup/segments.ts'
import type { ObjectWriter, Store } from '../../../src/store/store.ts'

/** Writers of a store that completes nothing by itself, in the order in which they were begun. */
interface Held {
  name: string
  state: 'written' | 'completing' | 'complete' | 'aborted'
  complete(): void
  fail(): void
}
let objects: Held[]
let store: Store
let finishing: Finishing

beforeEach(() => {
  objects = []
  finishing = new Finishing()
  const write = (name: string): ObjectWriter => {
    const end = deferred()
    const held: Held = {
      name,
      state: 'written',
      complete: () => end.resolve(),
      fail: () => end.reject(new Error(`${name} is refused`)),
    }
    objects.push(held)
    return {
      write: () => undefined,
      complete: async () => {
        held.state = 'completing'
        await end.promise
        held.state = 'complete'
      },
      abort: async () => {
        if (held.state !== 'complete') held.state = 'aborted'
      },
    }
  }
  store = { write } as Partial<Store> as Store
})

function deferred() {
  let resolve = () => {}
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<void>((...both) => ([resolve, reject] = both))
  promise.catch(() => {})
  return { promise, resolve: () => resolve(), reject: (error: Error) => reject(error) }
}

/** A message with a row, of which so many fill a block, and a segment. */
const ROW = Buffer.alloc(1 + 4 + 65_536, 'x')
ROW.set([0x64])
ROW.writeUInt32BE(ROW.length - 1, 1)
ROW.set([0x0a], ROW.length - 1)
const ROWS = 16

function fill(segments: SegmentRows): void {
  for (let i = 0; i < ROWS; i++) segments.rows(ROW, 0, ROW.length)
}

function segmentsOf(stem: string): SegmentRows {
  const passphrase = Buffer.from('of no use')
  const digestKey = Buffer.alloc(16)
  return new SegmentRows({
    store,
    stem,
    passphrase,
    level: 1,
    digestKey,
    limit: 900_000,
    finishing,
  })
}

const states = () => objects.map(({ name, state }) => `${name} ${state}`)

test('the next segment is written while one is completed, the one after it not', async () => {
  const segments = segmentsOf('t')
  fill(segments)
  await turn()
  expect(segments.ready()).toBe(true)
  fill(segments)
  await turn()
  expect(states()).toEqual(['t.0.pgp completing', 't.1.pgp completing'])
  expect(segments.ready()).toBe(false)
  let drained = false
  segments.onDrain = () => (drained = true)
  objects[0]?.complete()
  await turn()
  expect({ drained, ready: segments.ready() }).toEqual({ drained: true, ready: true })
  fill(segments)
  // The order in the manifest is that of the rows, whichever is complete first.
  objects[2]?.complete()
  await turn()
  objects[1]?.complete()
  const finished = await segments.finish(3 * ROWS)
  expect(finished.map(({ name, rows }) => [name, rows])).toEqual([
    ['t.0.pgp', ROWS],
    ['t.1.pgp', ROWS],
    ['t.2.pgp', ROWS],
  ])
})

test('a segment that cannot be completed stops the rows, and the others are not left under way', async () => {
  const segments = segmentsOf('t')
  fill(segments)
  fill(segments)
  objects[0]?.fail()
  await turn()
  await turn()
  expect(() => segments.rows(ROW, 0, ROW.length)).toThrow('t.0.pgp is refused')
  const aborted = segments.abort().then(() => 'over')
  expect(await Promise.race([aborted, turn('waits')])).toBe('waits')
  objects[1]?.fail()
  expect(await aborted).toBe('over')
  expect(states()).toEqual(['t.0.pgp aborted', 't.1.pgp aborted'])
})

test('a failure behind the last row is told by the end', async () => {
  const segments = segmentsOf('t')
  segments.rows(ROW, 0, ROW.length)
  const finished = segments.finish(1)
  await turn()
  objects[0]?.fail()
  await expect(finished).rejects.toThrow('t.0.pgp is refused')
  await segments.abort()
  expect(states()).toEqual(['t.0.pgp aborted'])
})

test('what another table has under way counts', async () => {
  const done = deferred()
  await finishing.add(done.promise)
  const segments = segmentsOf('t')
  fill(segments)
  await turn()
  expect(segments.ready()).toBe(false)
  done.reject(new Error('of its own'))
  await turn()
  expect(segments.ready()).toBe(true)
})
