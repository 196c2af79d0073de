import { createHash } from 'node:crypto'
import type { S3Settings } from './store.ts'

/** What a client's command has and this file needs. */
interface Stacked {
  middlewareStack: {
    add(middleware: never, options: { step: 'build'; priority: 'low'; name: string }): void
  }
}
interface Step {
  request: { headers: Record<string, string>; body?: unknown }
}
type Next = (step: Step) => Promise<unknown>

/** Bytes of a request, hashed once: for the checksum that is kept with them as for the signature. */
export interface Body {
  bytes: Buffer
  sha256: Buffer
}

export function bodyOf(bytes: Buffer): Body {
  return { bytes, sha256: createHash('sha256').update(bytes).digest() }
}

/** The fields of a request that carries `body`. */
export function bodyFields(body: Body, settings: S3Settings) {
  return {
    Body: body.bytes,
    ContentLength: body.bytes.length,
    ...(settings.checksums === 'always' && { ChecksumSHA256: body.sha256.toString('base64') }),
    // Locked objects need one or the other.
    ...(settings.checksums === 'when-required' &&
      settings.lock && { ContentMD5: createHash('md5').update(body.bytes).digest('base64') }),
  }
}

/** Gives the signature the digest that is there already. */
export function signedAs<T>(command: T, body: Body): T {
  return onBuild(command, 'signBodyDigest', ({ request }) => {
    request.headers['x-amz-content-sha256'] = body.sha256.toString('hex')
  })
}

/**
 * Gives a request that must carry a digest the oldest kind of one, for servers that refuse the newer headers.
 */
export function withMd5<T>(command: T): T {
  return onBuild(command, 'md5Digest', ({ request }) => {
    for (const name of Object.keys(request.headers)) {
      if (/^x-amz-(checksum-|sdk-checksum-)/.test(name)) delete request.headers[name]
    }
    const body = request.body as string | Uint8Array
    request.headers['content-md5'] = createHash('md5').update(body).digest('base64')
  })
}

/** Has `act` change a request after the client's own steps and before it is signed. */
function onBuild<T>(command: T, name: string, act: (step: Step) => void): T {
  const middleware = (next: Next) => (step: Step) => {
    act(step)
    return next(step)
  }
  ;(command as Stacked).middlewareStack.add(middleware as never, {
    step: 'build',
    priority: 'low',
    name,
  })
  return command
}
