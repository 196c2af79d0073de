import { duration, plural } from '../report/numbers.ts'
import type { RestoreTest } from './facts.ts'
import { attention, bad, good, type Finding, type Judgeable } from './judgement.ts'
import { span } from './words.ts'

const HOUR = 3600
/** From then on it is bad that nothing has been proven. */
const LONGEST_UNPROVEN = 7 * 24 * HOUR

/** Whether the latest backup is proven by a restore test. */
export function testCheck(facts: Judgeable): Finding {
  const { latest, test, noVerdicts, proven, everyHours, oldestAge } = facts
  if (test?.outcome === 'fail') {
    const found = test.ofLatest ? 'failed' : `failed for ${test.label}`
    return bad(found, `the restore test of ${test.label} failed${reasonOf(test)}`)
  }
  if (noVerdicts !== undefined) return attention('not believed', noVerdicts)
  const unproven = proven?.age ?? oldestAge ?? 0
  if (unproven > Math.max(LONGEST_UNPROVEN, 2 * everyHours * HOUR)) {
    const message = proven
      ? `no backup has been proven by a restore test for ${span(unproven)}`
      : `no backup has ever been proven by a restore test, for ${span(unproven)}`
    return bad('none for long', message)
  }
  if (!test?.ofLatest)
    return attention(
      'not tested yet',
      `the latest backup, ${latest?.label}, has not been tested yet`,
    )
  if (test.outcome === 'incomplete') {
    const message = `the restore test of ${test.label} is incomplete${reasonOf(test)}`
    return attention('incomplete', message)
  }
  return good(`passed, ${plural(checksRun(test), 'check')}`)
}

export function checksRun({ steps }: Pick<RestoreTest, 'steps'>): number {
  return steps.reduce((sum, { checks }) => sum + checks, 0)
}

/** The first step that did not hold, and what it complained of first. */
function reasonOf({ steps, outcome }: RestoreTest): string {
  const step = steps.find((each) => each.outcome === outcome)
  if (!step) return ''
  const severity = outcome === 'fail' ? 'failure' : 'incomplete'
  const finding = step.findings.find((each) => each.severity === severity) ?? step.findings[0]
  return ` at ${step.step}${finding ? `: ${finding.message}` : ''}`
}

/** What came back of the backup that was tested, beside what its manifest promises. */
export function contentCheck({ promised }: Judgeable, test: RestoreTest) {
  const text = ({ rows, tables }: { rows: number; tables: number }) =>
    `${plural(rows, 'row')} in ${plural(tables, 'table')}`
  return {
    expected: promised ? text(promised) : 'what was recorded',
    ...compared(test, text(test)),
  }
}

function compared({ steps, label }: RestoreTest, found: string): Finding {
  const outcome = steps.find(({ step }) => step === 'compare')?.outcome
  if (outcome === 'pass') return good(`${found}, equal`)
  if (outcome === 'fail') return bad(`${found}, not equal`, `${label} came back with other content`)
  return attention('not compared', `what came back of ${label} was not compared to the end`)
}

/** How long a recovery takes (RTO). */
export function recoveryCheck({ recovery: { seconds, limit } }: Judgeable): Finding {
  if (seconds === null) {
    if (limit === null) return good('not measured')
    return attention('not measured', 'how long a recovery takes has not been measured')
  }
  const found = duration(seconds)
  if (limit === null || seconds <= limit) return good(found)
  return bad(found, `a recovery takes ${found}, and at most ${duration(limit)} is allowed`)
}

/** What would be lost if production were gone (RPO). */
export function lossCheck({ loss: { seconds, limit } }: Judgeable): Finding {
  if (seconds === null) return good('not known')
  const found = `up to ${span(seconds)}`
  if (limit === null || seconds <= limit) return good(found)
  return bad(found, `a loss would cost ${found}, and at most ${span(limit)} is allowed`)
}
