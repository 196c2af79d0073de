import type { Day } from '../../daily/facts.ts'
import { markup, type Markup } from './markup.ts'
import { shortDay } from './words.ts'

/** A measure of each day, as small bars on a common time axis. */
export interface Series {
  title: string
  of: (day: Day) => number | undefined
  text: (value: number) => string
  /** What a value must not exceed. */
  limit?: number | null
}

/** Units of the drawing; it is stretched to the width that there is. */
const COLUMN = 10
const BAR = 8
const HEIGHT = 44
const LEAST = 1.5

export interface Range {
  lowest: number
  highest: number
  last: number
}

/** Least, greatest and newest value; undefined where there is none. */
export function rangeOf(days: readonly Day[], { of }: Series): Range | undefined {
  const values = days.map(of).filter((value) => value !== undefined)
  const last = values.at(-1)
  if (last === undefined) return undefined
  return { lowest: Math.min(...values), highest: Math.max(...values), last }
}

/** In one sentence what the chart shows. */
export function chartText(days: readonly Day[], series: Series): string {
  const range = rangeOf(days, series)
  if (!range) return `${series.title}: nothing measured`
  const { lowest, highest, last } = range
  const { title, text } = series
  const values = `${text(lowest)} to ${text(highest)}, ${text(last)} at the end`
  return `${title} over ${days.length} days: ${lowest === highest ? `always ${text(last)}` : values}`
}

/** Bars from zero; a night without a backup is a gap with a mark on the base line. */
export function chart(days: readonly Day[], series: Series): Markup {
  const { highest = 0 } = rangeOf(days, series) ?? {}
  const { limit } = series
  // A limit far above everything would press the bars flat: then it is told in words only.
  const shown = typeof limit === 'number' && limit <= highest * 4 ? limit : undefined
  const top = Math.max(highest, shown ?? 0) || 1
  const y = (value: number): number => round(HEIGHT - Math.max(LEAST, (value / top) * (HEIGHT - 4)))
  const newest = days.findLastIndex((day) => series.of(day) !== undefined)
  const width = days.length * COLUMN
  return markup`<svg class="chart" role="img" aria-label="${chartText(days, series)}" width="100%" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none" xmlns="http://www.w3.org/2000/svg"><line class="base" x1="0" x2="${width}" y1="${HEIGHT - 0.5}" y2="${HEIGHT - 0.5}" stroke="#d5dae0" stroke-width="1"/>${days.map(
    (day, i) => {
      const x = i * COLUMN + (COLUMN - BAR) / 2
      const value = series.of(day)
      if (value === undefined) return day.state === 'missed' ? gap(x, day) : ''
      const classes = i === newest ? 'bar newest' : 'bar'
      const fill = i === newest ? '#35547d' : '#9db0c9'
      return markup`<rect class="${classes}" x="${x}" y="${y(value)}" width="${BAR}" height="${round(HEIGHT - y(value))}" fill="${fill}"><title>${shortDay(day.date)}: ${series.text(value)}</title></rect>`
    },
  )}${shown === undefined ? '' : markup`<line class="limit" x1="0" x2="${width}" y1="${y(shown)}" y2="${y(shown)}" stroke="#b3261e" stroke-width="1" stroke-dasharray="4 3"/>`}</svg>`
}

function gap(x: number, { date }: Day): Markup {
  return markup`<rect class="gap" x="${x}" y="${HEIGHT - 4}" width="${BAR}" height="4" fill="#b3261e"><title>${shortDay(date)}: no backup</title></rect>`
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
