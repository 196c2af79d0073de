import { createTransport } from 'nodemailer'
import type { MailSettings } from '../config/operations.ts'
import { readSecretText } from '../config/secret.ts'
import { Failure } from '../errors.ts'
import { undelivered } from './undelivered.ts'

export interface Letter {
  subject: string
  text: string
  html: string
}

export interface MailOptions {
  env: NodeJS.ProcessEnv
  signal?: AbortSignal
  /** PEM of an authority that is believed instead of those of the system. */
  ca?: string
  /** Milliseconds without an answer after which the server counts as gone. */
  timeout?: number
}

/** What of nodemailer's errors is used: its texts may quote what the server echoes. */
interface SmtpError extends Error {
  code?: string
  responseCode?: number
  rejected?: string[]
}

const TIMEOUT = 30_000

/**
 * Sends a letter, as text and as HTML, over an encrypted connection.
 *
 * @throws Failure where it cannot be sent, or not to all who should have it; `config` for an unencrypted connection to
 *   another machine; `key` where the password cannot be read
 */
export async function sendMail(
  settings: MailSettings,
  letter: Letter,
  options: MailOptions,
): Promise<void> {
  const { host, port, security, from, to } = settings
  if (security === 'none' && !isLoopback(host)) {
    throw new Failure('config', `report.mail: mail to ${host} is not sent without encryption`, {
      hint: 'write security: starttls or security: tls; none is for a server on this machine',
    })
  }
  const { timeout = TIMEOUT, signal } = options
  const auth = await credentials(settings, options.env)
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    tls: { minVersion: 'TLSv1.2', ...(options.ca !== undefined && { ca: options.ca }) },
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(auth && { auth }),
  })
  try {
    const { rejected } = await transport.sendMail({
      from,
      to,
      ...letter,
      // Machines do not answer it: RFC 3834.
      headers: { 'Auto-Submitted': 'auto-generated' },
      ...(signal && { signal }),
    })
    if (rejected.length > 0) throw refusedRecipients(settings, rejected.map(String))
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof Failure ? error : explain(error as SmtpError, settings)
  } finally {
    transport.close()
  }
}

async function credentials(
  { user, password }: MailSettings,
  env: NodeJS.ProcessEnv,
): Promise<{ user: string; pass: string } | undefined> {
  if (user === undefined && password === undefined) return undefined
  if (user === undefined || password === undefined)
    throw new Failure('config', 'report.mail: user and password belong together')
  return { user, pass: (await readSecretText(password, env)).toString('utf8') }
}

/** 127.0.0.0/8, ::1 and localhost, which RFC 6761 keeps on this machine. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host)
}

function refusedRecipients(settings: MailSettings, rejected: string[], code?: number): Failure {
  const answer = code === undefined ? '' : ` (${code})`
  return undelivered(`${placeOf(settings)} refuses mail for ${rejected.join(', ')}${answer}`, {
    hint: 'look at report.mail.to in pgveil.yaml, and at what this server lets this user send',
  })
}

function placeOf({ host, port }: MailSettings): string {
  return `mail server ${host}:${port}`
}

function explain(error: SmtpError, settings: MailSettings): Failure {
  const { code = '', responseCode, rejected } = error
  if (rejected && rejected.length > 0) return refusedRecipients(settings, rejected, responseCode)
  const answer = responseCode === undefined ? '' : ` (${responseCode})`
  const [reason, hint] = reasonOf(error, code, settings)
  return undelivered(`${placeOf(settings)} ${reason}${answer}`, { hint, cause: error })
}

function reasonOf(error: SmtpError, code: string, { security }: MailSettings): [string, string] {
  const port = 'look at report.mail in pgveil.yaml: tls is usual on port 465, starttls on 587'
  if (code === 'EAUTH')
    return ['refuses user and password', 'look at report.mail.user and report.mail.password']
  if (isCertificate(error)) {
    const hint = 'NODE_EXTRA_CA_CERTS names a file with the certificate of an authority of your own'
    return ['shows a certificate that is not believed', hint]
  }
  if (code === 'ETLS') return [`does not do ${security} as it is asked to`, port]
  if (code === 'EENVELOPE') return ['refuses the letter', 'look at report.mail.from and .to']
  if (code === 'EDNS' || /ENOTFOUND|EAI_AGAIN/.test(error.message))
    return ['has a name that cannot be resolved', 'look at report.mail.host in pgveil.yaml']
  if (code === 'ETIMEDOUT') return ['does not answer in time', port]
  if (/ECONNREFUSED/.test(error.message)) return ['takes no connections', port]
  if (code === 'ESOCKET' || code === 'ECONNECTION') return ['breaks the connection off', port]
  return ['does not take the letter', 'its log says more']
}

const CERTIFICATE = /certificate|self[- ]signed|altnames|unable to (get|verify)/i

function isCertificate(error: SmtpError): boolean {
  const { cause } = error
  return (
    CERTIFICATE.test(error.message) || (cause instanceof Error && CERTIFICATE.test(cause.message))
  )
}
