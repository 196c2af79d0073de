import { count, duration, plural } from '../report/numbers.ts'
import type { Check } from './facts.ts'
import { attention, bad, good, type Finding, type Judgeable, type Judged } from './judgement.ts'
import { keysCheck, KEY_WARN_DAYS } from './key-check.ts'
import { contentCheck, lossCheck, recoveryCheck, testCheck } from './test-checks.ts'
import { moment, span } from './words.ts'

const HOUR = 3600
/** Seconds by which clocks of two machines may differ. */
const CLOCK_TOLERANCE = 300

/** Everything that a night is expected to leave, each with what was found. */
export function checksOf(facts: Judgeable): Judged[] {
  const { latest, test, recovery, loss, everyHours, lock, unreadable } = facts
  const every = `one every ${span(everyHours * HOUR)}`
  const keys = check('keys', 'Keys', `good for ${KEY_WARN_DAYS} days`, keysCheck(facts))
  if (unreadable !== undefined) {
    const message = `nothing is known of the backups: ${unreadable}`
    return [check('backup', 'Backup', every, bad('not known', message)), keys]
  }
  const checks = [check('backup', 'Backup', every, backupCheck(facts))]
  if (latest) checks.push(check('test', 'Restore test', 'the latest is proven', testCheck(facts)))
  if (test) {
    const { expected, ...finding } = contentCheck(facts, test)
    checks.push(check('content', 'Content', expected, finding))
  }
  if (latest) {
    const most = (limit: number | null, text: (seconds: number) => string) =>
      limit === null ? 'no limit is set' : `at most ${text(limit)}`
    checks.push(
      check('recovery', 'Recovery takes', most(recovery.limit, duration), recoveryCheck(facts)),
      check('loss', 'A loss costs', most(loss.limit, span), lossCheck(facts)),
    )
  }
  checks.push(check('chain', 'Chain', 'whole and signed', chainCheck(facts)), keys)
  if (lock && latest) checks.push(check('lock', 'Object Lock', 'locked', lockCheck(facts)))
  checks.push(
    check('envelope', 'Verifier’s envelopes', 'destroyed after the test', envelopeCheck(facts)),
    ...drillChecks(facts),
    check('leftovers', 'Leftovers', 'none', leftoverCheck(facts)),
  )
  return checks
}

function check(name: Check['check'], title: string, expected: string, finding: Finding): Judged {
  return { check: name, title, expected, ...finding }
}

function backupCheck({ latest, vanished, everyHours, store }: Judgeable): Finding {
  if (vanished !== undefined)
    return bad('the latest is gone', `${vanished}, which an earlier report has seen, is gone`)
  if (!latest) return bad('none', `there is no backup in ${store}`)
  const { age, time } = latest
  if (age < -CLOCK_TOLERANCE)
    return attention('in the future', `the latest backup is of ${moment(time)}: a clock is wrong`)
  const found = `${span(age)} old`
  if (age <= everyHours * HOUR) return good(found)
  const every = span(everyHours * HOUR)
  return bad(found, `no backup for ${span(age)}, though one is expected every ${every}`)
}

function chainCheck({ broken, backups }: Judgeable): Finding {
  const [first, ...more] = broken
  if (first === undefined) return good(plural(backups, 'backup'))
  const others = more.length > 0 ? `, and ${count(more.length)} more` : ''
  return bad(plural(broken.length, 'problem'), `the chain is not whole: ${first}${others}`)
}

function lockCheck({ latest, lockedUntil, time }: Judgeable): Finding {
  if (lockedUntil !== null && Date.parse(lockedUntil) > Date.parse(time))
    return good(`until ${lockedUntil.slice(0, 10)}`)
  return bad('not locked', `${latest?.label} is under no Object Lock, though store: asks for one`)
}

/** Until it is destroyed, the verifier alone can read that backup. */
function envelopeCheck({ verifierEnvelopes, latest, test }: Judgeable): Finding {
  const waiting = latest && !(test?.ofLatest && test.outcome === 'pass') ? latest.label : undefined
  const kept = verifierEnvelopes.filter((label) => label !== waiting)
  const [first] = kept
  if (first === undefined)
    return good(verifierEnvelopes.length > 0 ? 'one, which waits for its test' : 'none left')
  const more = kept.length > 1 ? ` and ${count(kept.length - 1)} more` : ''
  return attention(plural(kept.length, 'envelope'), `the verifier can still open ${first}${more}`)
}

function drillChecks(facts: Judgeable): Judged[] {
  const { drills, drillDays } = facts
  if (drills.length === 0 || drillDays === 0) return []
  const expected = `each side within ${plural(drillDays, 'day')}`
  return [check('drills', 'Drills', expected, drillCheck(facts))]
}

/** Nobody knows that a key still opens anything, nor its passphrase, unless somebody tries. */
function drillCheck({
  drills,
  drillDays,
  latest,
  oldestAge,
  everyHours,
  time,
}: Judgeable): Finding {
  const most = drillDays * 24 * HOUR
  // Retention removes the oldest, so its age alone would not tell how long there was time for a drill.
  const chainAge = Math.max(oldestAge ?? 0, (latest?.sequence ?? 0) * everyHours * HOUR)
  const sides = drills.map(({ side, time: last }) => {
    const age = last === null ? undefined : (Date.parse(time) - Date.parse(last)) / 1000
    const found = age === undefined ? 'never' : age < 24 * HOUR ? 'today' : `${span(age)} ago`
    return { side, found: `${side} ${found}`, isDue: (age ?? chainAge) > most }
  })
  const found = sides.map((each) => each.found).join(', ')
  const due = sides.filter(({ isDue }) => isDue).map(({ side }) => side)
  if (due.length === 0) return good(found)
  return attention(found, `a drill is due for ${due.join(' and ')}: pgveil keys drill`)
}

function leftoverCheck({ unfinished, stranded, graceHours }: Judgeable): Finding {
  const old = unfinished.filter(({ age }) => age > graceHours * HOUR)
  const left = old.length + stranded.length
  if (left === 0) return good(unfinished.length > 0 ? 'one run under way, or just dead' : 'none')
  const parts = [
    ...(old.length > 0 ? [plural(old.length, 'unfinished backup')] : []),
    ...(stranded.length > 0 ? [plural(stranded.length, 'upload') + ' that never ended'] : []),
  ].join(', ')
  return attention(parts, `dead runs have left ${parts}: pgveil prune removes them`)
}
