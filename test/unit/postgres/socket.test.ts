import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ReusingSocket } from '../../../src/postgres/socket.ts'

const server = createServer()
let socket: ReusingSocket
let peer: Socket
let received: string[] = []

beforeEach(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  socket = new ReusingSocket()
  received = []
  socket.on('data', (chunk: Buffer) => received.push(chunk.toString()))
  const connected = once(server, 'connection') as Promise<[Socket]>
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
  ;[peer] = await connected
})

afterEach(async () => {
  socket.destroy()
  peer.destroy()
  server.close()
  await once(server, 'close')
})

async function until(text: string): Promise<void> {
  while (received.join('') !== text) await sleep(1)
}

test('rows go on after a rest, and at the end of the stream nothing is missing', async () => {
  socket.rests = true
  let all = ''
  for (const text of ['a', 'b', 'c', 'd']) {
    peer.write(text)
    all += text
    await until(all)
  }
  peer.end('e')
  await once(socket, 'end')
  expect(received.join('')).toBe('abcde')
})

test('whoever pauses during a rest has paused', async () => {
  socket.rests = true
  peer.write('a')
  await until('a')
  socket.pause()
  peer.write('b')
  await sleep(30)
  expect(received).toEqual(['a'])
  socket.resume()
  await until('ab')
})

test('nobody rests unasked, and chunks that are not lent are their own', async () => {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  for (const text of ['first', 'other']) {
    peer.write(text)
    await until(chunks.length === 0 ? 'first' : 'firstother')
    expect(socket.isPaused()).toBe(false)
  }
  expect(chunks.map(String)).toEqual(['first', 'other'])
})
