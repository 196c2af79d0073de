import type { Emit } from './events.ts'
import { jsonReporter } from './json.ts'
import { liveDisplay } from './live.ts'
import { plainDisplay } from './plain.ts'
import { style } from './style.ts'
import { textReporter } from './text.ts'

/** Where text goes: a stream, or a list of strings in tests. */
export interface TextSink {
  write(text: string): unknown
}

export interface ReporterOptions {
  /** One event a line on stdout, and nothing else. */
  json: boolean
  /** No progress, warnings and results; with `json`, no `phase`, `progress` and `note` events. */
  quiet: boolean
  /** Where the plan is the result it is shown in full, else as one line. */
  plan: 'full' | 'line'
  stdout: TextSink
  stderr: TextSink
  /** Whether each stream is a terminal. */
  isTTY: { stdout: boolean; stderr: boolean }
  /** Of the terminal behind stderr; asked for at each redraw. */
  size: () => { columns: number; rows: number }
  env: NodeJS.ProcessEnv
  /** Milliseconds; any starting point. */
  now: () => number
}

export interface Reporter {
  emit: Emit
  /** Takes the live display off the terminal. Idempotent; must be called before errors are printed. */
  close: () => void
}

/** Shows events as they come, the way the user asked for. */
export function createReporter(options: ReporterOptions): Reporter {
  const { json, quiet, stdout, stderr, isTTY, env } = options
  if (json) return jsonReporter(stdout, quiet)
  if (quiet) return { emit: () => undefined, close: () => undefined }
  const live = isTTY.stderr && env['TERM'] !== 'dumb'
  return textReporter({
    plan: options.plan,
    stdout,
    result: style(isTTY.stdout, env),
    columns: isTTY.stdout ? options.size().columns : Number.POSITIVE_INFINITY,
    display: (live ? liveDisplay : plainDisplay)({
      stderr,
      style: style(isTTY.stderr, env),
      size: options.size,
      now: options.now,
    }),
  })
}
