import { Agent as HttpAgent, request as httpRequest, type ClientRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import type { Bandwidth } from './bandwidth.ts'
import { watchStall } from './stall.ts'

/** What this file reads of the client's requests. */
interface Request {
  protocol: string
  hostname: string
  port?: number
  method: string
  path: string
  query?: Record<string, string | string[] | null>
  headers: Record<string, string>
  body?: unknown
}

/** What the client reads of an answer. */
interface Answer {
  statusCode: number
  reason: string
  headers: Record<string, string>
  body: IncomingMessage
}

/** Bytes handed to the connection at a time; what the stall watch and the bandwidth limit count in. */
const SLICE = 256 * 1024
const LIMITED_SLICE = 32 * 1024

export interface TransportOptions {
  stallSeconds: number
  bandwidth: Bandwidth | undefined
}

/** A request that came to nothing: only its code is kept, the original holds the request with its signature. */
class BrokenError extends Error {
  readonly code: string

  constructor({ message, code }: NodeJS.ErrnoException) {
    super(message)
    this.code = code ?? ''
  }
}

/**
 * How the S3 client's requests travel. In place of the client's own handler because that one hangs for ever on a
 * peer that falls silent, and cannot be slowed down.
 *
 * A request that moves no byte for `stallSeconds` fails with a {@link StalledError}.
 */
export function makeTransport(
  options: TransportOptions,
): NonNullable<S3ClientConfig['requestHandler']> {
  const http = new HttpAgent({ keepAlive: true })
  const https = new HttpsAgent({ keepAlive: true })
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request: Request, { abortSignal: signal }: { abortSignal?: AbortSignal } = {}) =>
      new Promise<{ response: Answer }>((resolve, reject) => {
        const secure = request.protocol === 'https:'
        const outgoing = (secure ? httpsRequest : httpRequest)({
          agent: secure ? https : http,
          host: request.hostname.replace(/^\[(.*)\]$/, '$1'),
          port: request.port,
          method: request.method,
          path: pathOf(request),
          headers: request.headers,
        })
        const watch = watchStall(outgoing, options.stallSeconds)
        const abort = () => outgoing.destroy(new Error('aborted'))
        if (signal?.aborted) abort()
        signal?.addEventListener('abort', abort, { once: true })
        outgoing.on('error', (error) => reject(new BrokenError(error)))
        outgoing.on('response', (incoming) => {
          watch.follow(incoming)
          resolve({ response: answerOf(incoming) })
          incoming.once('end', () => {
            // Answered before all was sent: nobody reads the rest.
            if (!outgoing.writableFinished) outgoing.destroy()
          })
        })
        outgoing.once('close', () => {
          watch.stop()
          signal?.removeEventListener('abort', abort)
        })
        send(outgoing, bodyOf(request), options.bandwidth, watch)
      }),
    destroy() {
      http.destroy()
      https.destroy()
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  }
}

function answerOf(incoming: IncomingMessage): Answer {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return {
    statusCode: incoming.statusCode ?? 0,
    reason: incoming.statusMessage ?? '',
    headers,
    body: incoming,
  }
}

function bodyOf(request: Request): Buffer {
  const body: unknown = request.body
  if (body === undefined || body === null) return Buffer.alloc(0)
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  throw new TypeError('bodies of requests are bytes')
}

/** Writes slice by slice: a callback tells that the system has taken the last one. */
function send(
  outgoing: ClientRequest,
  body: Buffer,
  bandwidth: Bandwidth | undefined,
  watch: ReturnType<typeof watchStall>,
): void {
  const slice = bandwidth ? LIMITED_SLICE : SLICE
  const next = (from: number) => {
    if (outgoing.destroyed) return
    if (from >= body.length) {
      outgoing.end()
      return
    }
    const bytes = body.subarray(from, from + slice)
    const write = () => {
      watch.held = false
      if (outgoing.destroyed) return
      outgoing.write(bytes, (error) => {
        if (error) return
        watch.sent += bytes.length
        next(from + bytes.length)
      })
    }
    const milliseconds = bandwidth?.charge(bytes.length) ?? 0
    if (milliseconds === 0) {
      write()
      return
    }
    watch.held = true
    setTimeout(write, milliseconds)
  }
  next(0)
}

function pathOf({ path, query }: Request): string {
  const fields = Object.keys(query ?? {})
    .sort()
    .flatMap((name) => [query?.[name]].flat().map((value) => field(name, value)))
  return fields.length > 0 ? `${path}?${fields.join('&')}` : path
}

function field(name: string, value: string | null | undefined): string {
  return typeof value === 'string' ? `${escape(name)}=${escape(value)}` : escape(name)
}

/** As RFC 3986 and the signature of a request have it. */
function escape(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
