import type { PlainFailure } from '../errors.ts'
import type { Event } from './events.ts'
import type { Reporter, TextSink } from './reporter.ts'

const LEFT_OUT_WHEN_QUIET: ReadonlySet<Event['event']> = new Set(['phase', 'progress', 'note'])

/** The last line of a run that failed. */
export interface ErrorEvent extends PlainFailure {
  event: 'error'
  exitCode: number
}

/** Prints each event as one line of JSON. */
export function jsonReporter(stdout: TextSink, quiet: boolean): Reporter {
  return {
    emit(event) {
      if (quiet && LEFT_OUT_WHEN_QUIET.has(event.event)) return
      stdout.write(jsonLine(event))
    },
    close: () => undefined,
  }
}

export function jsonLine(event: Event | ErrorEvent): string {
  return `${JSON.stringify(event)}\n`
}
