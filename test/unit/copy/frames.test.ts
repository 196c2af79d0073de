import { expect, test } from '@jest/globals'
import { FrameWriter } from '../../../src/copy/frames.ts'
import { RelayRows } from '../../../src/copy/relay-rows.ts'
import { heap } from '../../../src/mask/kernel.ts'
import { Output } from '../../../src/mask/mask.ts'
import {
  copyAnswer,
  copyData,
  cutAt,
  cutRandomly,
  FakeCopyIn,
  NOTICE,
  PARAMETER_STATUS,
  seeded,
  transfer,
} from './wire.ts'

const relay = (...[writer, count]: ConstructorParameters<typeof RelayRows>) =>
  new RelayRows(writer, count)

test('writers that are done leave their room in the kernel’s memory to the next', async () => {
  for (let i = 0; i < 10; i++) {
    const target = new FakeCopyIn()
    const writer = new FrameWriter(target.asCopyIn)
    expect(writer.out.bytes === heap).toBe(true)
    writer.out.append(Buffer.alloc(100_000, i), 0, 100_000)
    writer.flush()
    await target.content()
    writer.close()
  }
})

test('relayed rows, cut at every position, arrive as they were', async () => {
  const rows = ['first\n', 'd\0\0\0\x09', '', 'x', 'the last, which is longer\n']
  const messages = rows.slice(0, 2).concat(rows.slice(3)).map(copyData)
  const answer = copyAnswer([
    ...messages.slice(0, 2),
    NOTICE,
    PARAMETER_STATUS,
    ...messages.slice(2),
  ])
  const wrong: number[] = []
  for (let at = 0; at <= answer.length; at++) {
    const { content } = await transfer(relay, cutAt(answer, at), { keepChunks: true })
    if (content.toString('latin1') !== rows.join('')) wrong.push(at)
  }
  expect(wrong).toEqual([])
})

test('relayed rows in random chunks, to a target that is slow', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seeded(seed)
    const rows = Array.from({ length: 50 }, () => Buffer.alloc(1 + random(300), random(256)))
    const chunks = cutRandomly(copyAnswer(rows.map(copyData)), random, [1, 4, 100, 3000][seed % 4]!)
    const { content, counted, target } = await transfer(relay, chunks, {
      full: seed % 2 === 0,
      keepChunks: true,
    })
    expect(content.equals(Buffer.concat(rows))).toBe(true)
    expect(counted).toBeGreaterThanOrEqual(content.length)
    expect(target.drains > 0).toBe(seed % 2 === 0)
  }
})

test('a buffer is not written to before the socket gives it back', async () => {
  const target = new FakeCopyIn()
  const writer = new FrameWriter(target.asCopyIn)
  const wanted: Buffer[] = []
  for (let i = 0; i < 40; i++) {
    const piece = Buffer.alloc(90_000, i)
    wanted.push(piece)
    writer.out.append(piece, 0, piece.length)
    writer.rowDone()
    if (i % 10 === 9) await new Promise(setImmediate)
  }
  writer.flush()
  writer.flush()
  expect((await target.content()).equals(Buffer.concat(wanted))).toBe(true)
  expect(Math.max(...target.sizes)).toBeLessThan(400_000)
})

test('drain is told once however many writes wait for it', async () => {
  const target = new FakeCopyIn({ full: true })
  const writer = new FrameWriter(target.asCopyIn)
  let drained = 0
  writer.onDrain = () => drained++
  expect(writer.ready()).toBe(true)
  writer.relay(copyData('a'))
  writer.relay(copyData('b'))
  expect(writer.ready()).toBe(false)
  await new Promise(setImmediate)
  expect([writer.ready(), drained]).toEqual([true, 1])
})

test.each([0, 1, 95, 96, 97, 5000])('append copies %i bytes', (size) => {
  const out = new Output(4)
  const bytes = Buffer.from(Array.from({ length: size + 2 }, (_, i) => i % 256))
  out.append(bytes, 1, 1 + size)
  out.append(bytes, 1, 1 + size)
  const copied = bytes.subarray(1, 1 + size)
  expect(out.bytes.subarray(0, out.length).equals(Buffer.concat([copied, copied]))).toBe(true)
})
