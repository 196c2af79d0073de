import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { startPostgres, type Server } from '../../scripts/embedded-postgres.mjs'
import { openClient, parseEndpoint } from '../../src/postgres/connect.ts'

let server: Server

beforeAll(async () => {
  server = await startPostgres()
})

afterAll(async () => {
  await server.stop()
})

const testOnLinux = process.platform === 'linux' ? test : test.skip

testOnLinux('a silent connection is looked at before gateways forget it', async () => {
  const client = await openClient(parseEndpoint(server.url, 'sink'), 'test')
  try {
    expect(keepAliveSeconds(server.port)).toEqual([expect.closeTo(60, -1)])
  } finally {
    await client.end()
  }
})

/** Seconds until the kernel looks at each connection to a port; see proc(5). Two in its list of timers: keepalive. */
function keepAliveSeconds(port: number): number[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote = '', state]) => remote.endsWith(`:${wanted}`) && state === '01')
    .map(([, , , , , timer = '']) => timer.split(':'))
    .map(([kind, ticks = '']) => (kind === '02' ? parseInt(ticks, 16) / 100 : Infinity))
}
