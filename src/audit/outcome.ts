import type { Event } from '../report/events.ts'

/** What a run says of itself while it goes, as far as it is recorded. */
export interface Outcome {
  label?: string
  source?: string
  target?: string
  /** Labels of backups that were removed. */
  removed?: string[]
  counts: Record<string, number>
  warnings: Record<string, number>
}

/** Events on the way; they say nothing of how a run ended. */
const PASSING = new Set(['phase', 'progress', 'table', 'note', 'step'])

/** Numbers that are counts. No others are taken: a number may be somebody's key. */
const COUNTS = ['rows', 'bytes', 'objects', 'stored', 'sequence', 'generation', 'added'] as const

/** Lists whose length is told. */
const LISTS = ['tables', 'backups', 'removed', 'keys', 'sides', 'problems', 'steps'] as const

/** Adds what an event tells. Of it, only labels, databases, counts and codes are kept. */
export function note(outcome: Outcome, event: Event): void {
  if (event.event === 'warning') {
    outcome.warnings[event.code] = (outcome.warnings[event.code] ?? 0) + 1
    return
  }
  if (PASSING.has(event.event)) return
  if (event.event === 'prune') {
    const gone = event.backups.filter((backup) => backup.outcome === 'removed')
    outcome.removed = gone.map(({ label }) => label)
  }
  const result: Readonly<Record<string, unknown>> = { ...resultOf(event) }
  for (const key of ['label', 'source', 'target'] as const) {
    const text = result[key]
    if (typeof text === 'string' && text !== '') outcome[key] = text
  }
  for (const key of COUNTS) {
    const number = result[key]
    if (typeof number === 'number' && Number.isFinite(number)) outcome.counts[key] = number
  }
  for (const key of LISTS) {
    const list = result[key]
    if (Array.isArray(list)) outcome.counts[key] = list.length
  }
}

/** Where an event keeps what came out. */
function resultOf(event: Event): object {
  if ('report' in event) return event.report
  return event.event === 'verdict' ? event.verdict : event
}
