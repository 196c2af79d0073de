import { hidePasswords } from '../config/url.ts'
import { EXIT_CODES, Failure, toPlainFailure } from '../errors.ts'
import { visibleLines } from './display.ts'
import type { ErrorEvent } from './json.ts'
import type { Style } from './style.ts'

/** Where bugs are reported. */
const REPORT_HINT = 'this is a bug in pgveil: please report it with the lines above'

/** An error as a person reads it. Anything that is no {@link Failure} is a bug and comes with its stack. */
export function errorText(error: unknown, style: Style): string {
  const { message, hint, left } = errorEvent(error)
  const lines = [`pgveil: ${style.red('error:')} ${visibleLines(message)}`]
  if (!(error instanceof Failure)) lines.push(...stackOf(error).map((line) => `    ${line}`))
  if (left !== undefined) lines.push(`left behind: ${visibleLines(left)}`)
  if (hint !== undefined) lines.push(`hint: ${visibleLines(hint)}`)
  return `${lines.join('\n')}\n`
}

/** An error as the last event of `--json`. */
export function errorEvent(error: unknown): ErrorEvent {
  if (error instanceof Failure) {
    const { message, ...rest } = toPlainFailure(error)
    return {
      event: 'error',
      ...rest,
      message: hidePasswords(message),
      exitCode: error.exitCode,
    }
  }
  return {
    event: 'error',
    kind: 'bug',
    message: describeBug(error),
    hint: REPORT_HINT,
    exitCode: EXIT_CODES.bug,
  }
}

/**
 * Name and message of an error that nobody foresaw. Messages of PostgreSQL quote rows, and those of
 * parsers quote their input, so of these only what identifies the place in the code is shown.
 */
function describeBug(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`
  const { code, severity, routine } = error as Error & Record<string, unknown>
  if (typeof severity === 'string' || (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)))
    return `PostgreSQL error ${String(code)}${typeof routine === 'string' ? ` in ${routine}` : ''}`
  if (error instanceof SyntaxError || error.name === 'ZodError') return error.name
  return hidePasswords(`${error.name}: ${error.message}`)
}

/** The frames of an error and its causes, without their messages. */
function stackOf(error: unknown): string[] {
  const lines: string[] = []
  let current = error
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if (depth > 0) lines.push(`caused by ${describeBug(current)}`)
    for (const line of (current.stack ?? '').split('\n'))
      if (/^\s+at /.test(line)) lines.push(line.trim())
    current = current.cause
  }
  return lines
}
