import { padEnd, padStart, truncate, visible, width } from './display.ts'
import { clock, count, plural, size } from './numbers.ts'
import type { DisplayOptions } from './plain.ts'
import type { Progress, Running } from './progress.ts'
import { doing, type Display } from './text.ts'

const FRAME = 100
/** Without news the clock still runs. */
const IDLE_FRAME = 1_000
const LONGEST_NAME = 40

/**
 * For a terminal: the phase and a line for each running table, redrawn in place below the lines that
 * stay. Each frame is one write. The cursor is left visible, at the start of the line below, so that
 * even a process that is killed leaves a usable terminal.
 */
export function liveDisplay({ stderr, style, size: terminal, now }: DisplayOptions): Display {
  let progress: Progress | undefined
  let drawn: number[] = []
  let drawnAt = Number.NEGATIVE_INFINITY
  let stale = false
  let closed = false

  /** Moves to the first drawn line; a terminal that became narrower has wrapped the lines. */
  const rewind = (): string => {
    const { columns } = terminal()
    const lines = drawn.reduce((sum, w) => sum + Math.max(1, Math.ceil(w / columns)), 0)
    return lines === 0 ? '' : `\x1b[${lines}A\r`
  }
  const frame = (): string[] => {
    if (closed || !progress) return []
    const { columns, rows } = terminal()
    const most = { rows: rows - 2, columns: columns - 1 }
    return compose(progress, now(), most).map((text) => truncate(text, most.columns))
  }
  /**
   * Replaces the last frame by `above`, which stays, and a new frame. Lines are cleared one by one:
   * clearing all from the top of the screen would make tmux keep each frame in its history.
   */
  const draw = (above: readonly string[] = []): void => {
    stale = false
    drawnAt = now()
    const [head, ...lines] = frame()
    const texts = head === undefined ? [] : [head, ...lines]
    const styled = head === undefined ? [] : [style.bold(head), ...lines]
    const blank = drawn.slice(above.length + texts.length).map(() => '')
    // The terminal has echoed ^C where the cursor was.
    const all = [...above, ...styled, ...blank].map((text) => `\r\x1b[2K${text}\n`).join('')
    const back = blank.length > 0 ? `\x1b[${blank.length}A` : ''
    const rest = all === '' || drawn.length === 0 ? '' : '\x1b[J'
    const text = `${rewind()}${all}${back}${rest}`
    drawn = texts.map(width)
    if (text !== '') stderr.write(text)
  }
  const timer = setInterval(() => {
    const isLate = now() - drawnAt >= IDLE_FRAME
    if (stale || (progress && isLate && doing(progress, now()))) draw()
  }, FRAME).unref()

  return {
    style,
    now,
    line(text) {
      draw([text])
    },
    update(_event, state) {
      progress = state
      if (now() - drawnAt >= FRAME) draw()
      else stale = true
    },
    close() {
      if (closed) return
      closed = true
      clearInterval(timer)
      draw()
    },
  }
}

/** The lines of one frame, at most `rows` of them; those that are too wide are not cut yet. */
function compose(
  progress: Progress,
  at: number,
  { rows, columns }: { rows: number; columns: number },
): string[] {
  const now = doing(progress, at)
  if (!now) return []
  const { what, seconds: elapsed } = now
  const head = `${what}  ${clock(elapsed)}`
  if (progress.phase !== 'rows') return [head]
  const { done } = progress
  const parts = [
    head,
    `${count(progress.finished)} of ${plural(progress.planned, 'table')}`,
    size(progress.bytes),
    `${size(progress.rate(at))}/s`,
  ]
  if (done !== undefined) parts.push(`${Math.floor(done * 100)}%`)
  if (done && elapsed > 3) parts.push(`ETA ${clock((elapsed * (1 - done)) / done)}`)
  const { running } = progress
  const shown = running.length > rows - 1 ? running.slice(0, Math.max(0, rows - 2)) : running
  const lines = [parts.join('  '), ...tableLines(shown, columns)]
  const more = running.length - shown.length
  if (more > 0) lines.push(`  and ${plural(more, 'more table')}`)
  return lines
}

/** What there is no room for is left out as a whole, the time to go first. */
function tableLines(running: readonly Running[], columns: number): string[] {
  const names = running.map(({ table }) => truncate(visible(table), LONGEST_NAME))
  const longest = Math.max(...names.map(width), 0)
  return running.map(({ rows, rate, done, left }, i) => {
    const cells = [
      `  ${padEnd(names[i] ?? '', longest)}`,
      padStart(plural(rows, 'row'), 16),
      padStart(done === undefined ? '' : `${Math.floor(done * 100)}%`, 4),
      padStart(`${size(rate)}/s`, 11),
      left === undefined ? '' : `ETA ${clock(left)}`,
    ]
    while (cells.length > 1 && width(cells.join('  ').trimEnd()) > columns) cells.pop()
    return cells.join('  ').trimEnd()
  })
}
