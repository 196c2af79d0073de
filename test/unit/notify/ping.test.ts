import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { ping } from '../../../src/notify/ping.ts'

const TOKEN = '5fb1a8b2-secret'
const FAST = { timeout: 10_000, waits: [5, 5] }

let server: Server | undefined
let asked: string[] = []

afterEach(async () => {
  asked = []
  server?.closeAllConnections()
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  server = undefined
})

async function start(...answers: (number | 'silence' | 'reset')[]): Promise<string> {
  const listener: RequestListener = (request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const answer = answers[Math.min(asked.length, answers.length) - 1]
    if (answer === 'silence') return
    if (answer === 'reset') request.socket.destroy()
    else response.writeHead(answer as number).end('x'.repeat(100_000))
  }
  server = createServer(listener)
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return `http://127.0.0.1:${port}/${TOKEN}`
}

async function failureOf(work: Promise<void>): Promise<string> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Failure)
  const { message, hint } = error as Failure
  expect(`${message}${hint}`).not.toContain(TOKEN)
  return message
}

test('asks once with GET where all is well', async () => {
  await ping(await start(200), FAST)
  expect(asked).toEqual([`GET /${TOKEN}`])
})

test.each([[503], [429], ['silence'], ['reset']] as const)(
  'tries again after %s',
  async (first) => {
    const timeout = first === 'silence' ? 1_000 : FAST.timeout
    await ping(await start(first, 200), { ...FAST, timeout })
    expect(asked).toHaveLength(2)
  },
)

test('gives up after all attempts, and names the host alone', async () => {
  const message = await failureOf(ping(await start(500), FAST))
  expect(message).toMatch(
    /^the report is delivered, but 127\.0\.0\.1:\d+ was not told: it answers 500 after 3 attempts$/,
  )
  expect(asked).toHaveLength(3)
})

test('a refusal is not asked again', async () => {
  expect(await failureOf(ping(await start(404), FAST))).toContain('it answers 404')
  expect(asked).toHaveLength(1)
})

test('silence and nobody there are told apart', async () => {
  expect(await failureOf(ping(await start('silence'), { timeout: 50, waits: [] }))).toContain(
    'no answer for 0.05 s',
  )
  expect(await failureOf(ping('http://127.0.0.1:1/x', { waits: [] }))).toMatch(
    /ECONNREFUSED|no conn/,
  )
})

test('a signal ends it', async () => {
  const reason = new Failure('interrupted', 'stopped by SIGINT')
  const abort = new AbortController()
  setTimeout(() => abort.abort(reason), 50)
  const url = await start('silence')
  await expect(ping(url, { timeout: 10_000, waits: [5], signal: abort.signal })).rejects.toBe(
    reason,
  )
  expect(asked).toHaveLength(1)
})
