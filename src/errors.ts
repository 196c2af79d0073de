import { getSystemErrorMap } from 'node:util'

/**
 * The one table of failure kinds. The number is the exit code and a public contract: it never changes
 * its meaning, see docs/exit-codes.md.
 */
export const EXIT_CODES = {
  bug: 1,
  usage: 2,
  config: 10,
  source: 11,
  sink: 12,
  store: 13,
  key: 14,
  integrity: 15,
  refused: 16,
  verdict: 20,
  findings: 21,
  delivery: 22,
  interrupted: 130,
  terminated: 143,
} as const

export type FailureKind = keyof typeof EXIT_CODES

export interface FailureOptions {
  /** What the reader can do about it; printed on a line of its own. */
  hint?: string
  /** What lies on disk or on a server because of this failure; printed on a line of its own. */
  left?: string
  /** Where it began. Never printed: causes may quote rows. */
  cause?: unknown
}

/**
 * An error meant for the user: what was being done, to what, and why it failed.
 *
 * The message starts in lower case and has no full stop. Neither message nor hint ever holds a row
 * value, a key or a password.
 */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly kind: FailureKind
  readonly hint: string | undefined
  readonly left: string | undefined

  constructor(kind: FailureKind, message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.hint = options.hint
    this.left = options.left
  }

  get exitCode(): number {
    return EXIT_CODES[this.kind]
  }
}

/** Why the system refused something, like `no such file or directory (ENOENT)`. */
export function systemReason(error: unknown): string {
  const { code, errno } = error as NodeJS.ErrnoException
  const [, words] = getSystemErrorMap().get(errno ?? 0) ?? []
  if (code === undefined) return 'it cannot be told why'
  return words === undefined ? code : `${words} (${code})`
}

/** The part of a failure that may cross a process boundary: no cause, no stack. */
export interface PlainFailure {
  kind: FailureKind
  message: string
  hint?: string
  left?: string
}

/** A copy of `failure` that survives structured cloning. */
export function toPlainFailure(failure: Failure): PlainFailure {
  const { kind, message, hint, left } = failure
  return { kind, message, ...(hint && { hint }), ...(left && { left }) }
}

/** The failure that {@link toPlainFailure} took apart. */
export function fromPlainFailure({ kind, message, hint, left }: PlainFailure): Failure {
  return new Failure(kind, message, { ...(hint && { hint }), ...(left && { left }) })
}
