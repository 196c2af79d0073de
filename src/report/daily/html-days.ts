import type { DailyReport, Day } from '../../daily/facts.ts'
import { chart, rangeOf, type Series } from './charts.ts'
import { section } from './html-parts.ts'
import { SERIES } from './series.ts'
import { css } from './html-style.ts'
import { markup, type Markup } from './markup.ts'
import { DAY_WORDS, daysInWords, shortDay } from './words.ts'

/** What the last days were like: a cell for each, and how sizes and times went. */
export function daysSection({ days, recovery }: DailyReport): Markup {
  const plots = SERIES.map((series) =>
    plot(days, series.limited ? { ...series, limit: recovery.limit } : series),
  )
  return section(`The last ${days.length} days`, strip(days), ...plots)
}

function strip(days: readonly Day[]): Markup {
  const words = daysInWords(days)
  const cells = days.map((day) => {
    const { word, mark } = DAY_WORDS[day.state]
    const title = `${shortDay(day.date)}: ${word}${day.label === undefined ? '' : `, ${day.label}`}`
    return markup`<td ${css('cell')}><span ${css('day', `day-${day.state}`)} title="${title}">${mark === ' ' ? NO_BREAK_SPACE : mark}</span></td>`
  })
  return markup`<table role="img" aria-label="${words.join('; ')}" ${css('strip')}><tr>${cells}</tr></table>${axis(days)}<p ${css('legend')}>${words.join('  ·  ')}</p>`
}

const NO_BREAK_SPACE = '\u00a0'

function axis(days: readonly Day[]): Markup {
  return markup`<table role="presentation" ${css('axis')}><tr><td ${css('axis-left')}>${shortDay(days[0]?.date ?? '')}</td><td ${css('axis-right')}>${shortDay(days.at(-1)?.date ?? '')}, UTC</td></tr></table>`
}

function plot(days: readonly Day[], series: Series): Markup | undefined {
  const range = rangeOf(days, series)
  if (!range) return undefined
  const { text, title, limit } = series
  const { lowest, highest, last } = range
  const span = lowest === highest ? 'always' : `${text(lowest)} to ${text(highest)}, last`
  const most = typeof limit === 'number' ? `, at most ${text(limit)} allowed` : ''
  return markup`<div ${css('plot')}><table role="presentation" ${css('plot-head')}><tr><td ${css('plot-name')}>${title}</td><td ${css('plot-range')}>${span} <strong>${text(last)}</strong>${most}</td></tr></table>${chart(days, series)}</div>`
}
