import { describe, expect, test } from '@jest/globals'
import { Failure } from '../../../src/errors.ts'
import { recordFailure, StepRecord } from '../../../src/verify/step.ts'

test('a step in which nothing was checked is incomplete', () => {
  expect(new StepRecord('health').result.outcome).toBe('incomplete')
})

test('a warning keeps nothing from passing; the worst finding decides', () => {
  const record = new StepRecord('compare')
  record.checks++
  record.warn('look at this')
  expect(record.result.outcome).toBe('pass')
  record.incomplete('could not look')
  expect(record.result.outcome).toBe('incomplete')
  record.fail('it is wrong')
  expect(record.result).toMatchObject({ outcome: 'fail', checks: 1 })
  expect(record.log).toEqual([
    'warning: look at this',
    'incomplete: could not look',
    'failure: it is wrong',
  ])
})

test('a part that found something wrong makes its step fail', () => {
  const step = new StepRecord('compare')
  step.checks++
  const part = new StepRecord('compare')
  part.checks++
  part.note('looked')
  part.fail('it is wrong')
  step.absorb(part)
  expect(step.result).toMatchObject({ outcome: 'fail', checks: 2 })
  expect(step.log).toEqual(['looked', 'failure: it is wrong'])
})

describe('what a failure says of the backup', () => {
  for (const [failure, outcome] of [
    [new Failure('integrity', 'x was changed'), 'fail'],
    [
      new Failure('sink', 'cannot create index i: two rows with one key (SQLSTATE 23505, table t)'),
      'fail',
    ],
    [new Failure('sink', 'cannot create f: type x does not exist (SQLSTATE 42704)'), 'fail'],
    [new Failure('sink', 'cannot write t: could not extend file (SQLSTATE 53100)'), 'incomplete'],
    [new Failure('sink', 'cannot write t: the session was ended (SQLSTATE 57P01)'), 'incomplete'],
    [new Failure('sink', 'cannot write t: Connection terminated unexpectedly'), 'incomplete'],
    [new Failure('store', 'cannot read x'), 'incomplete'],
    [new Failure('key', 'it stays closed'), 'incomplete'],
    [new Failure('refused', 'that is production'), 'incomplete'],
    [new Failure('config', 'verification.yaml is empty'), 'incomplete'],
    [new Failure('bug', 'a worker process ended by itself'), 'incomplete'],
  ] as const) {
    test(`${failure.kind}: ${failure.message}`, () => {
      const record = new StepRecord('restore')
      record.checks++
      recordFailure(record, failure)
      expect(record.result.outcome).toBe(outcome)
    })
  }

  for (const kind of ['interrupted', 'terminated'] as const) {
    test(`${kind} ends the test without a verdict`, () => {
      const failure = new Failure(kind, 'no')
      expect(() => recordFailure(new StepRecord('restore'), failure)).toThrow(failure)
    })
  }

  test('a mistake in this program is none of the backup', () => {
    expect(() => recordFailure(new StepRecord('restore'), new TypeError('oops'))).toThrow('oops')
  })
})
