import type { DailyReport, Day, Standing } from '../../daily/facts.ts'

export const STANDING_WORDS: Readonly<Record<Standing, string>> = {
  good: 'Good',
  attention: 'Attention',
  bad: 'Bad',
}

export const STANDING_MARKS: Readonly<Record<Standing, string>> = {
  good: '✓',
  attention: '!',
  bad: '✕',
}

/** What became of a night, and the sign for it. */
export const DAY_WORDS: Readonly<Record<Day['state'], { word: string; mark: string }>> = {
  pass: { word: 'proven', mark: '✓' },
  fail: { word: 'test failed', mark: '✕' },
  incomplete: { word: 'test incomplete', mark: '~' },
  open: { word: 'not tested', mark: '○' },
  damaged: { word: 'damaged', mark: '!' },
  missed: { word: 'no backup', mark: '–' },
  unknown: { word: 'not known', mark: '?' },
  idle: { word: 'none due', mark: ' ' },
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** `22 Nov` of `2026-11-22…` */
export function shortDay(date: string): string {
  return `${Number(date.slice(8, 10))} ${MONTHS[Number(date.slice(5, 7)) - 1]}`
}

/** `22 Nov 2026, 07:00 UTC` */
export function longTime(time: string): string {
  return `${shortDay(time)} ${time.slice(0, 4)}, ${time.slice(11, 16)} UTC`
}

/** `22 Nov, 07:00 UTC` */
export function shortTime(time: string): string {
  return `${shortDay(time)}, ${time.slice(11, 16)} UTC`
}

/** With a capital letter at its beginning and a full stop, unless it begins with a name. */
export function sentence(text: string): string {
  const capital = /^[a-z]+( |,)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`
}

/** `+1.2 %` of change; empty where there is nothing to compare with. */
export function change(now: number, before: number | undefined): string {
  if (before === undefined || before === 0) return ''
  const percent = ((now - before) / before) * 100
  if (Math.abs(percent) < 0.05) return 'unchanged'
  const sign = percent > 0 ? '+' : '−'
  return `${sign}${Math.abs(percent).toFixed(1)} %`
}

/** The days of each state that occurs, with its sign; the nights that went wrong by name. */
export function daysInWords(days: readonly Day[]): string[] {
  const states = (Object.keys(DAY_WORDS) as Day['state'][]).filter((state) => state !== 'idle')
  const words = states.flatMap((state) => {
    const own = days.filter((day) => day.state === state)
    if (own.length === 0) return []
    const { word, mark } = DAY_WORDS[state]
    const named = WRONG.has(state) ? `: ${own.map(({ date }) => shortDay(date)).join(', ')}` : ''
    return [`${mark} ${own.length} ${word}${named}`]
  })
  return words.length > 0 ? words : ['no backup yet']
}

const WRONG: ReadonlySet<Day['state']> = new Set(['fail', 'incomplete', 'damaged', 'missed'])

/** `backups of crm` */
export function subjectOf({ name }: Pick<DailyReport, 'name'>): string {
  return name === null ? 'backups' : `backups of ${name}`
}
