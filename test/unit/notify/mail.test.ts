import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { MailSettings } from '../../../src/config/operations.ts'
import { Failure } from '../../../src/errors.ts'
import { makeCertificate } from './certificate.ts'
import { isLoopback, sendMail, type MailOptions } from '../../../src/notify/mail.ts'

// Against a real SMTP server. A report that somebody on the way could read or change, or that is not there in the end,
// is an error.

const PASSWORD = 'correct-horse-battery'
const LETTER = {
  subject: 'BAD: backups of crm: árvíztűrő',
  text: `plain ünderstood\n.\n${'x'.repeat(1200)}\n`,
  html: '<!DOCTYPE html><p>märkup</p>',
}

let directory: string
let cert: string
let key: string
let server: SMTPServer | undefined
let plain: Server | undefined

interface Received {
  secure: boolean
  user: unknown
  to: string[]
  message: string
}
let received: Received[] = []
/** What the server has seen of passwords, and over what. */
let logins: { secure: boolean; password: string | undefined }[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgveil-mail-'))
  const files = await makeCertificate(directory)
  cert = await readFile(files.cert, 'utf8')
  key = await readFile(files.key, 'utf8')
})

afterAll(() => rm(directory, { recursive: true }))

afterEach(async () => {
  received = []
  logins = []
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
  await new Promise<void>((resolve) => (plain ? plain.close(() => resolve()) : resolve()))
  server = plain = undefined
})

async function start(options: SMTPServerOptions = {}): Promise<number> {
  const smtp = new SMTPServer({
    cert,
    key,
    logger: false,
    authOptional: false,
    onAuth({ username, password }, { secure }, callback) {
      logins.push({ secure, password: password ?? undefined })
      if (username === 'reports' && password === PASSWORD) callback(null, { user: username })
      else callback(new Error(`bad password ${password}`))
    },
    onRcptTo({ address }, _session, callback) {
      callback(address.startsWith('nobody') ? new Error('no such user') : null)
    },
    onData(stream, { secure, user, envelope }, callback) {
      let message = ''
      stream.setEncoding('utf8')
      stream.on('data', (chunk: string) => (message += chunk))
      stream.on('end', () => {
        received.push({ secure, user, to: envelope.rcptTo.map(({ address }) => address), message })
        callback()
      })
    },
    ...options,
  })
  smtp.on('error', () => {})
  server = smtp
  const listening = smtp.listen(0, '127.0.0.1')
  await new Promise((resolve) => listening.once('listening', resolve))
  return (listening.address() as { port: number }).port
}

function settings(port: number, more: Partial<MailSettings> = {}): MailSettings {
  return {
    host: 'localhost',
    port,
    security: 'starttls',
    user: 'reports',
    password: { env: 'MAIL_PASSWORD' },
    from: 'Backups <backups@acme.example>',
    to: ['ops@acme.example', 'oncall@acme.example'],
    ...more,
  }
}

function send(to: MailSettings, options: Partial<MailOptions> = {}): Promise<void> {
  const env = { MAIL_PASSWORD: PASSWORD }
  return sendMail(to, LETTER, { env, ca: cert, timeout: 20_000, ...options })
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Failure)
  const failure = error as Failure
  expect(`${failure.message} ${failure.hint}`).not.toContain(PASSWORD)
  expect(failure.message).toMatch(/^[a-z].*[^.]$/)
  expect(failure.hint).toBeDefined()
  return failure
}

describe('a letter', () => {
  test.each(['starttls', 'tls'] as const)('goes out encrypted: %s', async (security) => {
    const port = await start({ secure: security === 'tls' })
    await send(settings(port, { security }))
    expect(received).toHaveLength(1)
    const [{ secure, to, message, user }] = received as [Received]
    expect({ secure, to, user }).toEqual({
      secure: true,
      to: ['ops@acme.example', 'oncall@acme.example'],
      user: 'reports',
    })
    expect(logins).toEqual([{ secure: true, password: PASSWORD }])
    expect(message).toMatch(/^Content-Type: multipart\/alternative/m)
    expect(message).toMatch(/^Content-Type: text\/plain; charset=utf-8/m)
    expect(message).toMatch(/^Content-Type: text\/html; charset=utf-8/m)
    expect(message.indexOf('text/plain')).toBeLessThan(message.indexOf('text/html'))
    expect(message).toMatch(/^Subject: =\?UTF-8\?/m)
    expect(message).toMatch(/^Auto-Submitted: auto-generated/m)
    // RFC 5322, 2.1.1
    for (const line of message.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
  })

  test('goes out without encryption on this machine only', async () => {
    const port = await start({ hideSTARTTLS: true, allowInsecureAuth: true })
    await send(settings(port, { security: 'none', host: '127.0.0.1' }))
    expect(received.map(({ secure }) => secure)).toEqual([false])
    const failure = await failureOf(
      send(settings(25, { security: 'none', host: 'mail.acme.example' })),
    )
    expect(failure.message).toContain('mail.acme.example is not sent without encryption')
  })

  test('needs no user where the server asks for none', async () => {
    const port = await start({ authOptional: true })
    const { user: _user, password: _password, ...anonymous } = settings(port)
    await send(anonymous)
    expect(received).toHaveLength(1)
  })
})

describe('nothing is sent, and the reason is told', () => {
  test('by a server that does not do STARTTLS, before it has seen a password', async () => {
    const port = await start({
      hideSTARTTLS: true,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
    })
    const { message } = await failureOf(send(settings(port)))
    expect(message).toMatch(/^mail server localhost:\d+ does not do starttls as it is asked to/)
    expect({ received, logins }).toEqual({ received: [], logins: [] })
  })

  test('to a server with a certificate that nobody vouches for', async () => {
    for (const security of ['tls', 'starttls'] as const) {
      const port = await start({ secure: security === 'tls' })
      const { ca: _ca, ...strangers } = { ca: cert, env: { MAIL_PASSWORD: PASSWORD } }
      const { message, hint } = await failureOf(
        sendMail(settings(port, { security }), LETTER, strangers),
      )
      expect(message).toContain('shows a certificate that is not believed')
      expect(hint).toContain('NODE_EXTRA_CA_CERTS')
      await new Promise<void>((resolve) => server?.close(() => resolve()))
      server = undefined
    }
    expect({ received, logins }).toEqual({ received: [], logins: [] })
  })

  test('to a server whose certificate is of another name', async () => {
    const port = await start({ secure: true })
    const { message } = await failureOf(
      send(settings(port, { security: 'tls', host: '127.0.0.1' })),
    )
    expect(message).toContain('shows a certificate that is not believed')
    expect(logins).toEqual([])
  })

  test('where TLS is spoken to a port that does not', async () => {
    const port = await start()
    const { message } = await failureOf(send(settings(port, { security: 'tls' })))
    expect(message).toMatch(/does not do tls as it is asked to|breaks the connection off/)
    expect(logins).toEqual([])
  })

  test('with a wrong password, which is not repeated even where the server does', async () => {
    const port = await start()
    const failure = await failureOf(
      send(settings(port), { env: { MAIL_PASSWORD: 'guessed-wrong' } }),
    )
    expect(failure.message).toMatch(/refuses user and password \(535\)$/)
    expect(`${failure.message}${failure.hint}`).not.toContain('guessed-wrong')
    expect(received).toEqual([])
  })

  test('without the password that was promised', async () => {
    await expect(send(settings(25), { env: {} })).rejects.toMatchObject({ kind: 'key' })
    const { password: _password, ...half } = settings(25)
    await expect(send(half)).rejects.toThrow('user and password belong together')
  })

  test('to a server that is down', async () => {
    const port = await start()
    await new Promise<void>((resolve) => server?.close(() => resolve()))
    server = undefined
    expect((await failureOf(send(settings(port)))).message).toContain('takes no connections')
  })

  test('to a server that says nothing', async () => {
    plain = createServer(() => {})
    await new Promise<void>((resolve) => plain?.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as { port: number }
    const failing = failureOf(send(settings(port, { host: '127.0.0.1' }), { timeout: 300 }))
    expect((await failing).message).toContain('does not answer in time')
  })

  test('to recipients that are all refused', async () => {
    const port = await start()
    const { message } = await failureOf(send(settings(port, { to: ['nobody@acme.example'] })))
    expect(message).toMatch(/refuses mail for nobody@acme\.example \(\d+\)$/)
    expect(received).toEqual([])
  })
})

test('one refused recipient among others is an error, though the others have it', async () => {
  const port = await start()
  const to = ['ops@acme.example', 'nobody@acme.example']
  const { message } = await failureOf(send(settings(port, { to })))
  expect(message).toMatch(/refuses mail for nobody@acme\.example$/)
  expect(received.map((one) => one.to)).toEqual([['ops@acme.example']])
})

test('a signal ends it', async () => {
  plain = createServer(() => {})
  await new Promise<void>((resolve) => plain?.listen(0, '127.0.0.1', resolve))
  const { port } = plain.address() as { port: number }
  const abort = new AbortController()
  const reason = new Failure('interrupted', 'stopped by SIGINT')
  setTimeout(() => abort.abort(reason), 100)
  const sending = send(settings(port, { host: '127.0.0.1' }), { signal: abort.signal })
  await expect(sending).rejects.toBe(reason)
})

test('only this machine is loopback', () => {
  for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.1.2.3', '::1', '[::1]'])
    expect([host, isLoopback(host)]).toEqual([host, true])
  for (const host of ['localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '::2', ''])
    expect([host, isLoopback(host)]).toEqual([host, false])
})
