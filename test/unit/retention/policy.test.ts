import { describe, expect, test } from '@jest/globals'
import { decide, isoWeek, type Candidate, type Policy } from '../../../src/retention/policy.ts'

const HOUR = 60 * 60 * 1000
const DAY = 24 * HOUR
const NOW = new Date('2026-11-22T12:00:00Z')
const NOTHING: Policy = { days: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 }

function backup(time: string, rest: Partial<Candidate> = {}): Candidate {
  return {
    label: `${time.replace(/[-:]/g, '')}-crm`,
    name: 'crm',
    time: new Date(time),
    proven: false,
    ...rest,
  }
}

function kept(backups: readonly Candidate[], policy: Partial<Policy>): string[] {
  return decide(backups, { ...NOTHING, ...policy }, NOW)
    .filter(({ keep }) => keep)
    .map(({ label }) => label.slice(0, 11))
}

test('weeks are those of ISO 8601', () => {
  expect(isoWeek(new Date('2026-11-22T23:59:59Z'))).toBe('2026-W47')
  expect(isoWeek(new Date('2026-11-23T00:00:00Z'))).toBe('2026-W48')
  expect(isoWeek(new Date('2021-01-03T12:00:00Z'))).toBe('2020-W53')
  expect(isoWeek(new Date('2024-12-30T12:00:00Z'))).toBe('2025-W01')
  expect(isoWeek(new Date('2027-01-01T12:00:00Z'))).toBe('2026-W53')
})

describe('the policy', () => {
  const nights = Array.from({ length: 60 }, (_, i) =>
    backup(new Date(NOW.getTime() - i * DAY - 10 * HOUR).toISOString().replace('.000', '')),
  )

  test('days', () => {
    expect(kept(nights, { days: 3 })).toEqual(['20261122T02', '20261121T02', '20261120T02'])
  })

  test('the newest of each day, week, month, year', () => {
    const twice = [...nights, backup('2026-11-21T20:00:00Z')]
    expect(kept(twice, { daily: 2 })).toEqual(['20261122T02', '20261121T20'])
    expect(kept(nights, { weekly: 3 })).toEqual(['20261122T02', '20261115T02', '20261108T02'])
    expect(kept(nights, { monthly: 3 })).toEqual(['20261122T02', '20261031T02', '20260930T02'])
    const years = [...nights, backup('2025-12-31T23:59:59Z'), backup('2025-12-31T00:00:00Z')]
    expect(kept(years, { yearly: 9 })).toEqual(['20261122T02', '20251231T23'])
  })

  test('periods without a backup do not count: nothing goes because backups have stopped', () => {
    const old = nights.slice(30)
    expect(kept(old, { daily: 5 })).toHaveLength(5)
  })

  test('of a policy of nothing the newest and the last proven are left', () => {
    const history = nights.map((each, i) => ({ ...each, proven: i === 20 || i === 40 }))
    expect(kept(history, {})).toEqual(['20261122T02', '20261102T02'])
    expect(kept([], {})).toEqual([])
  })

  test('what is damaged stands for nothing, and stays', () => {
    const [first, second, ...rest] = nights
    const history = [
      { ...first!, damaged: 'x/manifest.json is missing' },
      { ...second!, proven: true, damaged: 'x' },
      ...rest,
    ]
    const decisions = decide(history, NOTHING, NOW)
    expect(decisions.filter(({ keep }) => keep).map(({ reasons }) => reasons)).toEqual([
      ['damaged: x/manifest.json is missing'],
      ['damaged: x'],
      ['the newest'],
    ])
  })
})

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function history(draw: () => number): Candidate[] {
  const length = Math.floor(draw() * 40)
  // From a few hours to several years.
  const spread = DAY * 10 ** (draw() * 4 - 1)
  return Array.from({ length }, (_, i) => {
    const time = new Date(Math.floor((NOW.getTime() - draw() * spread + HOUR) / 1000) * 1000)
    const name = draw() < 0.7 ? 'crm' : 'shop'
    return {
      label: `${time.toISOString()}-${i}-${name}`,
      name,
      time,
      proven: draw() < 0.3,
      ...(draw() < 0.1 && {
        lockedUntil: new Date(NOW.getTime() + (draw() - 0.5) * 10 * DAY),
      }),
      ...(draw() < 0.1 && { damaged: 'something is wrong' }),
    }
  })
}

function policy(draw: () => number): Policy {
  const few = () => (draw() < 0.4 ? 0 : Math.floor(draw() * 12))
  return { days: few(), daily: few(), weekly: few(), monthly: few(), yearly: few() }
}

/** The policy once more, in other words: a backup counts when few enough periods after its own have a backup. */
function wanted(one: Candidate, all: readonly Candidate[], rule: Policy): boolean {
  if (one.damaged !== undefined || (one.lockedUntil && one.lockedUntil > NOW)) return true
  const chain = all.filter((each) => each.name === one.name && each.damaged === undefined)
  const isAfter = (a: Candidate, b: Candidate) =>
    a.time > b.time || (a.time.getTime() === b.time.getTime() && a.label > b.label)
  const later = chain.filter((each) => isAfter(each, one))
  if (later.length === 0) return true
  if (one.proven && !later.some(({ proven }) => proven)) return true
  if (NOW.getTime() - one.time.getTime() < rule.days * DAY) return true
  const monday = (time: Date) => {
    const midnight = Math.floor(time.getTime() / DAY)
    return midnight - ((midnight + 3) % 7)
  }
  const periods: [number, (time: Date) => unknown][] = [
    [rule.daily, (time) => Math.floor(time.getTime() / DAY)],
    [rule.weekly, monday],
    [rule.monthly, (time) => time.getUTCFullYear() * 12 + time.getUTCMonth()],
    [rule.yearly, (time) => time.getUTCFullYear()],
  ]
  return periods.some(([most, periodOf]) => {
    const after = later.map(({ time }) => periodOf(time))
    return !after.includes(periodOf(one.time)) && new Set(after).size < most
  })
}

function newest(backups: readonly Candidate[]): number {
  return Math.max(...backups.map(({ time }) => time.getTime()))
}

test('random histories: what must stay stays, and else exactly what the policy says', () => {
  const draw = random(20261122)
  let removed = 0
  const wrong: string[] = []
  for (let round = 0; round < 5000; round++) {
    const all = history(draw)
    const rule = policy(draw)
    const decisions = decide(all, rule, NOW)
    if (decisions.some(({ label }, i) => label !== all[i]!.label)) wrong.push(`${round}: order`)
    const left = all.filter((_, i) => decisions[i]!.keep)
    for (const name of ['crm', 'shop']) {
      const whole = all.filter((each) => each.name === name && each.damaged === undefined)
      const still = left.filter((each) => each.name === name && each.damaged === undefined)
      const proven = (each: readonly Candidate[]) => newest(each.filter((one) => one.proven))
      if (proven(still) !== proven(whole)) wrong.push(`${round}: the last proven of ${name}`)
      if (newest(still) !== newest(whole)) wrong.push(`${round}: the newest of ${name}`)
    }
    all.forEach((one, i) => {
      const { keep, reasons } = decisions[i]!
      if (keep !== wanted(one, all, rule) || reasons.length === 0)
        wrong.push(`${round}: ${one.label} ${keep}`)
      if (!keep) removed++
      if (one.damaged !== undefined && !reasons[0]?.includes('something is wrong'))
        wrong.push(`${round}: ${one.label} is damaged, and nothing is said`)
      if (!keep && one.lockedUntil && one.lockedUntil > NOW)
        wrong.push(`${round}: ${one.label} is locked`)
    })
  }
  expect(wrong).toEqual([])
  expect(removed).toBeGreaterThan(10_000)
})
