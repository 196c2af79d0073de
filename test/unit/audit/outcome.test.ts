import { expect, test } from '@jest/globals'
import { note, type Outcome } from '../../../src/audit/outcome.ts'
import type { Event } from '../../../src/report/events.ts'

function outcomeOf(...events: unknown[]): Outcome {
  const outcome: Outcome = { counts: {}, warnings: {} }
  for (const event of events) note(outcome, event as Event)
  return outcome
}

test('of a result: label, databases and counts', () => {
  const report = { label: 'L', source: 's', target: 't', rows: 7, tables: [{}, {}], seconds: 3 }
  expect(outcomeOf({ event: 'backup', report })).toEqual({
    label: 'L',
    source: 's',
    target: 't',
    counts: { rows: 7, tables: 2 },
    warnings: {},
  })
})

test('of a verdict: the backup that was tested', () => {
  const verdict = { label: 'L', outcome: 'fail', rows: 7, steps: [{}] }
  expect(outcomeOf({ event: 'verdict', verdict })).toMatchObject({
    label: 'L',
    counts: { rows: 7, steps: 1 },
  })
})

test('of retention: which backups are gone, not which would be', () => {
  const backups = [
    { label: 'A', outcome: 'removed' },
    { label: 'B', outcome: 'kept' },
    { label: 'C', outcome: 'would-remove' },
  ]
  expect(outcomeOf({ event: 'prune', backups })).toMatchObject({
    removed: ['A'],
    counts: { backups: 3 },
  })
})

test('of warnings: the codes, and how many', () => {
  const warning = { event: 'warning', code: 'key', message: 'Kanári Elemér' }
  expect(outcomeOf(warning, warning)).toEqual({ counts: {}, warnings: { key: 2 } })
})

test('of all else nothing, whatever its fields are called', () => {
  const person = 'Kanári Elemér'
  expect(
    outcomeOf(
      { event: 'erasure-record', table: person, column: person, value: 4711, number: 4711 },
      { event: 'table', label: person, rows: 4711 },
      { event: 'note', message: person, target: person },
    ),
  ).toEqual({ counts: {}, warnings: {} })
})
