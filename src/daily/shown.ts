import { storedBytes, type Backup } from '../backup/backups.ts'
import { envelopeName } from '../backup/envelopes.ts'
import type { Outcome } from '../verify/verdict.ts'
import type { DailyReport, LatestBackup, RestoreTest } from './facts.ts'
import type { Gathered } from './gather.ts'
import type { Past } from './history.ts'

/** A backup with what its restore tests said. */
export type Found = Gathered['backups'][number]

/** The newest backup, by number; null where there is none. */
export function latestOf(backups: readonly Found[], at: number): LatestBackup | null {
  const latest = backups.at(-1)
  if (!latest) return null
  const { label, manifest, files, signedBy } = latest.backup
  const before = backups.at(-2)?.backup
  return {
    label,
    sequence: manifest.sequence,
    time: manifest.source.time,
    age: ageOf(latest.backup, at),
    database: manifest.source.database,
    serverVersion: manifest.source.version,
    tables: manifest.tables.length,
    rows: rowsOf(latest.backup),
    objects: files.size,
    stored: storedBytes(latest.backup.files),
    content: manifest.objects.reduce((sum, { content = 0 }) => sum + content, 0),
    proven: outcomeOf(latest),
    signedBy,
    previous: before
      ? { label: before.label, stored: storedBytes(before.files), rows: rowsOf(before) }
      : null,
    warnings: manifest.warnings.map(({ message }) => message),
  }
}

/** The restore test of the newest backup that has one. */
export function testOf(backups: readonly Found[]): RestoreTest | null {
  const newest = backups.findLast(({ tested }) => tested.verdict)
  const verdict = newest?.tested.verdict
  if (!verdict) return null
  const { label, outcome, started, finished, host, server, rows, tables } = verdict
  return {
    label,
    ofLatest: newest === backups.at(-1),
    outcome,
    started,
    finished,
    host,
    server,
    steps: verdict.steps.map(({ step, outcome: of, seconds, checks, findings }) => ({
      step,
      outcome: of,
      seconds,
      checks,
      findings,
    })),
    recoverySeconds: verdict.recoverySeconds,
    intervalSeconds: verdict.intervalSeconds,
    rows,
    tables,
  }
}

export function provenOf(backups: readonly Found[], at: number): DailyReport['proven'] {
  const proven = backups.findLast((found) => outcomeOf(found) === 'pass')
  if (!proven) return null
  const { label, manifest } = proven.backup
  return { label, time: manifest.source.time, age: ageOf(proven.backup, at) }
}

/** Labels of those that the verifier can open, as the envelopes in force say. */
export function envelopesOf(backups: readonly Found[]): string[] {
  return backups
    .filter(({ backup: { envelopes, files } }) =>
      envelopes.envelopes.some(
        ({ side, number }) => side === 'verifier' && files.has(envelopeName(side, number)),
      ),
    )
    .map(({ backup }) => backup.label)
}

/** What the next reports remember of it. */
export function pastOf(found: Found): Past {
  const { label, manifest } = found.backup
  return {
    label,
    sequence: manifest.sequence,
    time: manifest.source.time,
    stored: storedBytes(found.backup.files),
    rows: rowsOf(found.backup),
    outcome: outcomeOf(found),
    recoverySeconds: found.tested.verdict?.recoverySeconds ?? null,
  }
}

/**
 * Seconds that would be lost at worst: from one snapshot to the next, or since the last one where that is longer.
 */
export function lossOf(backups: readonly Found[], at: number): number | null {
  const latest = backups.at(-1)?.backup
  if (!latest) return null
  const before = backups.at(-2)?.backup
  const follows = before && latest.manifest.previous?.label === before.label
  return Math.max(ageOf(latest, at), follows ? ageOf(before, at) - ageOf(latest, at) : 0)
}

export function ageOf({ manifest }: Backup, at: number): number {
  return (at - Date.parse(manifest.source.time)) / 1000
}

export function rowsOf({ manifest }: Backup): number {
  return manifest.tables.reduce((sum, { rows }) => sum + rows, 0)
}

function outcomeOf({ tested }: Found): Outcome | 'open' {
  return tested.verdict?.outcome ?? 'open'
}

/** Of the sides that open the latest backup. */
export function drillsOf(
  backups: Gathered['backups'],
  last: Gathered['drills'],
): DailyReport['drills'] {
  const sides = backups.at(-1)?.backup.manifest.seal.sides ?? []
  return sides.map(({ name }) => {
    const at = last.get(name)
    return { side: name, time: at === undefined ? null : new Date(at).toISOString() }
  })
}
