import { type ChildProcess, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { Failure, systemReason } from '../errors.ts'
import { type Envelope, type EnvelopeOpener, MAX_ENVELOPE_BYTES, noKeyFor } from './envelope.ts'

export interface GpgOptions {
  /** Path or name of the program; `gpg`, unless said otherwise. */
  program?: string
  signal?: AbortSignal
}

/**
 * Opens envelopes through gpg, so that its agent, pinentry and smart cards do what they do: no private key and no
 * passphrase ever comes here. Which keys it knows is up to `GNUPGHOME`. gpg may wait for somebody at the machine, for
 * as long as it takes.
 */
export class GpgOpener implements EnvelopeOpener {
  readonly #program: string
  readonly #signal: AbortSignal | undefined

  constructor({ program = 'gpg', signal }: GpgOptions = {}) {
    this.#program = program
    this.#signal = signal
  }

  async decrypt(envelope: Envelope): Promise<Buffer> {
    const ended = await this.#run(envelope.bytes)
    const ok =
      ended.code === 0 &&
      ended.status.has('DECRYPTION_OKAY') &&
      ended.status.has('GOODMDC') &&
      ended.content !== undefined
    if (ok) return ended.content!
    ended.content?.fill(0)
    throw reasonOf(ended, envelope.keyIds)
  }

  async #run(envelope: Uint8Array): Promise<Ended> {
    this.#signal?.throwIfAborted()
    const child = spawn(this.#program, ARGUMENTS, {
      env: environment(process.env),
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      ...(this.#signal && { signal: this.#signal }),
    })
    const status = child.stdio[3] as Readable
    const content = collect(child.stdout)
    const messages = collect(child.stderr)
    const states = collect(status)
    child.stdin.on('error', () => {}) // it may end without reading all; its exit code tells why
    child.stdin.end(envelope)
    const code = await this.#ended(child)
    const keywords = states.text().matchAll(/^\[GNUPG:\] (\S+)/gm)
    return {
      code,
      content: content.bytes(),
      messages: messages.text(),
      status: new Set(Array.from(keywords, (match) => match[1]!)),
    }
  }

  #ended(child: ChildProcess): Promise<number | null> {
    return new Promise((resolve, reject) => {
      child.once('close', resolve)
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(this.#signal?.aborted ? this.#signal.reason : cannotRun(this.#program, error)),
      )
    })
  }
}

const ARGUMENTS = [
  '--batch',
  '--status-fd',
  '3',
  '--max-output',
  `${MAX_ENVELOPE_BYTES}`,
  '--decrypt',
]

interface Ended {
  code: number | null
  /** Undefined: more than an envelope can hold. */
  content: Buffer | undefined
  /** Standard error, in English. Only looked at, never shown: it may quote anything. */
  messages: string
  /** Keywords of the status lines. */
  status: Set<string>
}

/** Holds what a stream gives, up to the size of an envelope; pieces are overwritten once they were put together. */
function collect(stream: Readable): { bytes(): Buffer | undefined; text(): string } {
  const pieces: Buffer[] = []
  let length = 0
  stream.on('data', (piece: Buffer) => {
    length += piece.length
    if (length <= MAX_ENVELOPE_BYTES) pieces.push(piece)
  })
  const joined = (): Buffer => {
    const bytes = Buffer.concat(pieces)
    for (const piece of pieces) piece.fill(0)
    return bytes
  }
  return {
    bytes: () => (length <= MAX_ENVELOPE_BYTES ? joined() : undefined),
    text: () => joined().toString('utf8'),
  }
}

/** What gpg, its agent and pinentry need. The rest of the environment may hold secrets. */
const INHERITED =
  'PATH HOME TMPDIR LD_LIBRARY_PATH DYLD_LIBRARY_PATH GNUPGHOME GPG_TTY TERM DISPLAY WAYLAND_DISPLAY XAUTHORITY ' +
  'XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS PINENTRY_USER_DATA SystemRoot APPDATA USERPROFILE'

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const inherited = INHERITED.split(' ')
  const kept = Object.entries(env).filter(([name]) => inherited.includes(name))
  return {
    ...Object.fromEntries(kept),
    // Messages in English, since some are recognised; characters as the terminal has them.
    LC_MESSAGES: 'C',
    LC_CTYPE: env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || 'C',
  }
}

interface Reason {
  pattern: RegExp
  message: string
  hint?: string
}

/** What gpg says after "public key decryption failed:", as libgpg-error words it. */
const REASONS: Reason[] = [
  { pattern: /Bad passphrase|Bad PIN/, message: 'the passphrase or PIN was wrong' },
  { pattern: /PIN blocked/, message: 'the card has blocked its PIN' },
  { pattern: /[Cc]ancelled/, message: 'it was cancelled' },
  {
    pattern: /Card|card|No such device|SmartCard daemon/,
    message: 'the smart card is missing or is another one',
    hint: 'put the card in and see whether gpg --card-status shows it',
  },
  {
    pattern: /No pinentry|Inappropriate ioctl|Not a tty|Timeout/i,
    message: 'the passphrase could not be asked for',
    hint: 'install a pinentry program; on a terminal run: export GPG_TTY=$(tty)',
  },
  {
    pattern: /agent/i,
    message: 'its agent cannot be reached',
    hint: 'see whether gpg-agent runs: gpgconf --launch gpg-agent',
  },
]

function reasonOf({ messages, status }: Ended, keyIds: readonly string[]): Failure {
  const failed = /public key decryption failed: (.*)/g
  const errors = Array.from(messages.matchAll(failed), (match) => match[1]!)
  const isDamage = errors.some((error) => /Wrong secret key used|Checksum error/.test(error))
  // This one comes once the key has opened the message.
  if (status.has('DECRYPTION_INFO') || isDamage)
    return new Failure('integrity', 'the envelope is damaged: it does not open with its own key')
  const reason = REASONS.find(({ pattern }) => errors.some((error) => pattern.test(error)))
  if (reason)
    return new Failure('key', `gpg did not open the envelope: ${reason.message}`, {
      ...(reason.hint !== undefined && { hint: reason.hint }),
    })
  if (errors.length === 0 && status.has('ENC_TO')) return noKeyFor(keyIds)
  return new Failure('key', 'gpg did not open the envelope', {
    hint: 'see what it says: gpg --decrypt <envelope>',
  })
}

function cannotRun(program: string, cause: NodeJS.ErrnoException): Failure {
  if (cause.code !== 'ENOENT')
    return new Failure('key', `cannot run ${program}: ${systemReason(cause)}`, { cause })
  return new Failure('key', `cannot open the envelope: ${program} is not installed`, {
    hint: 'install GnuPG 2.2 or newer, or give the private key as a file',
    cause,
  })
}
