import { truncate, visible } from './display.ts'
import type { Event } from './events.ts'
import { clock, count, duration, plural, size } from './numbers.ts'
import type { Progress } from './progress.ts'
import type { TextSink } from './reporter.ts'
import type { Style } from './style.ts'
import { doing, PHASES, STEPS, type Display } from './text.ts'

const ROWS_EVERY = 5_000
const PHASE_EVERY = 30_000
const LONGEST_NAMES = 120

export interface DisplayOptions {
  stderr: TextSink
  style: Style
  size: () => { columns: number; rows: number }
  now: () => number
}

/** For logs: a line for each phase and finished table, and one every few seconds in between. */
export function plainDisplay({ stderr, style, now }: DisplayOptions): Display {
  let printed = now()
  let progress: Progress | undefined
  const line = (text: string): void => {
    printed = now()
    stderr.write(`pgveil: ${text}\n`)
  }
  const tick = (): void => {
    if (!progress) return
    const current = doing(progress, now())
    const rows = progress.phase === 'rows'
    if (!current || now() - printed < (rows ? ROWS_EVERY : PHASE_EVERY)) return
    if (rows) line(rowsLine(progress, now()))
    else line(`still ${current.what}, ${clock(current.seconds)}`)
  }
  const timer = setInterval(tick, 1_000).unref()
  return {
    style,
    now,
    line,
    update(event, state) {
      progress = state
      const text = eventLine(event)
      if (text !== undefined) line(text)
      else tick()
    },
    close: () => clearInterval(timer),
  }
}

function eventLine(event: Event): string | undefined {
  if (event.event === 'phase')
    return event.state === 'started'
      ? PHASES[event.phase]
      : `${PHASES[event.phase]}: done in ${duration(event.seconds ?? 0)}`
  if (event.event === 'verify-step')
    return event.state === 'started'
      ? STEPS[event.step]
      : `${STEPS[event.step]}: ${event.outcome}, ${plural(event.checks ?? 0, 'check')} in ${duration(event.seconds ?? 0)}`
  if (event.event === 'table')
    return `${visible(event.table)}: ${plural(event.rows, 'row')}, ${size(event.bytes)}, ${duration(event.seconds)}, ${event.codec}`
  return undefined
}

function rowsLine(progress: Progress, at: number): string {
  const running = progress.running.map(({ table, done }) =>
    done === undefined ? visible(table) : `${visible(table)} ${Math.floor(done * 100)}%`,
  )
  return [
    `${count(progress.finished)} of ${plural(progress.planned, 'table')}`,
    size(progress.bytes),
    `${size(progress.rate(at))}/s`,
    truncate(running.join(', '), LONGEST_NAMES),
  ]
    .filter((part) => part !== '')
    .join(', ')
}
