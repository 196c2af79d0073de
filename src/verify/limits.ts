import type { Limits } from './rules.ts'
import type { StepRecord } from './step.ts'
import type { Verdict } from './verdict.ts'

export interface Measures {
  recoverySeconds: number | null
  ageSeconds: number
  intervalSeconds: number | null
  /** Bytes before compression. */
  content: number
  /** Of the last backup that passed; undefined: none did. */
  proven: Pick<Verdict, 'content' | 'label'> | undefined
}

const HOUR = 3600

/** Compares times and sizes with the user's limits. */
export function checkLimits(record: StepRecord, limits: Limits, measures: Measures): void {
  const { recoverySeconds, ageSeconds, intervalSeconds, content, proven } = measures
  if (limits.recoverySeconds !== undefined) {
    atMost(record, 'recovery took', recoverySeconds, limits.recoverySeconds, 's')
  }
  if (limits.ageHours !== undefined) {
    atMost(record, 'the backup is', ageSeconds / HOUR, limits.ageHours, 'h old')
  }
  if (limits.intervalHours !== undefined) {
    if (intervalSeconds === null) {
      record.checks++
      record.note('it is the first of its chain: there is no interval')
    } else {
      atMost(
        record,
        'the backup before is',
        intervalSeconds / HOUR,
        limits.intervalHours,
        'h older',
      )
    }
  }
  if (limits.sizeChangePercent !== undefined) {
    record.checks++
    if (!proven) record.warn('size not compared: no backup before this one was proven')
    else checkSize(record, limits.sizeChangePercent, content, proven)
  }
}

function atMost(
  record: StepRecord,
  what: string,
  found: number | null,
  limit: number,
  unit: string,
): void {
  if (found === null) {
    record.incomplete(`${what}: not measured, the limit is ${limit} ${unit}`)
    return
  }
  record.checks++
  const text = `${what} ${round(found)} ${unit}, the limit is ${limit}`
  if (found > limit) record.fail(text)
  else record.note(text)
}

function checkSize(
  record: StepRecord,
  limit: number,
  content: number,
  proven: Pick<Verdict, 'content' | 'label'>,
): void {
  const change =
    proven.content === 0 ? (content === 0 ? 0 : Infinity) : (content / proven.content - 1) * 100
  const text = `${content} bytes, ${proven.label} had ${proven.content}: changed by ${round(change)} %, the limit is ${limit} %`
  if (Math.abs(change) > limit) record.fail(text)
  else record.note(text)
}

function round(number: number): string {
  return number.toFixed(Math.abs(number) < 10 ? 2 : 1)
}
