import { hostname } from 'node:os'
import { labelName } from '../backup/label.ts'
import type { BackupSettings } from '../config/backup.ts'
import type { OperationsSettings } from '../config/operations.ts'
import type { StoreSettings } from '../config/store.ts'
import { checksOf } from './checks.ts'
import { daysOf } from './days.ts'
import {
  REPORT_FORMAT,
  type Check,
  type DailyReport,
  type Problem,
  type Standing,
} from './facts.ts'
import { mergeHistory, type Past } from './history.ts'
import type { Judgeable, Judged, Shown } from './judgement.ts'
import { keyFacts, type KeyFacts } from './keys.ts'
import { lookIntoStore, type Look } from './look.ts'
import { plural } from '../report/numbers.ts'
import type { Limits } from '../verify/rules.ts'
import { moment } from './words.ts'
import {
  ageOf,
  drillsOf,
  envelopesOf,
  latestOf,
  lossOf,
  pastOf,
  provenOf,
  rowsOf,
  testOf,
} from './shown.ts'

const HOUR = 3600

export interface DailyOptions {
  store: StoreSettings
  backup: BackupSettings
  operations: OperationsSettings
  /** The chain; else that of `backup`, else the only one in the store. */
  name?: string
  /** Those of verification.yaml. */
  limits?: Limits
  /** What earlier reports have seen; undefined: it could not be read. */
  history: readonly Past[] | undefined
  /** Path of pgveil.yaml. */
  config?: string
  env: NodeJS.ProcessEnv
  /** Now, in milliseconds. */
  at: number
  /** This program and its version. */
  tool: string
}

export interface BuiltReport {
  report: DailyReport
  /** For the next report. */
  history: Past[]
}

/**
 * Gathers the facts of a day and judges them. A store or a key that cannot be used is the worst of news and no error:
 * somebody has to hear of it.
 *
 * @throws Failure `usage` where the store holds several chains and none is chosen
 */
export async function buildReport(options: DailyOptions): Promise<BuiltReport> {
  const { backup, operations, config, env } = options
  const keys = await keyFacts(backup, operations.verify, config, env)
  const look = await lookIntoStore(options)
  const history = mergeHistory(options.history ?? [], look.backups.map(pastOf))
  const own = history.filter(({ label }) => labelName(label) === look.name)
  const shown = shownOf(options, look, keys, own)
  const checks = checksOf({ ...shown, ...hiddenOf(options, look, keys, own) })
  const problems = checks.flatMap(problemOf).toSorted((a, b) => rank(b) - rank(a))
  const report: DailyReport = {
    ...shown,
    standing: problems[0]?.standing ?? 'good',
    reason: reasonOf(problems, shown),
    checks: checks.map(plainCheck),
    problems,
    notes: notesOf(shown, look, keys, options).filter(
      (note) => !problems.some(({ message }) => message === note),
    ),
  }
  return { report, history }
}

function shownOf(
  { at, tool, limits = {}, operations, store }: DailyOptions,
  look: Look,
  { keys }: KeyFacts,
  history: readonly Past[],
): Shown {
  const { backups } = look
  const test = testOf(backups)
  return {
    format: REPORT_FORMAT,
    tool,
    time: new Date(at).toISOString(),
    host: hostname(),
    store: look.label,
    name: look.name ?? null,
    latest: latestOf(backups, at),
    test,
    proven: provenOf(backups, at),
    recovery: { seconds: test?.recoverySeconds ?? null, limit: limits.recoverySeconds ?? null },
    loss: { seconds: lossOf(backups, at), limit: lossLimit(limits) },
    everyHours: operations.report.everyHours,
    days: daysOf({
      history,
      here: new Set(backups.map(({ backup }) => backup.label)),
      damaged: look.damaged,
      everyHours: operations.report.everyHours,
      at,
    }),
    keys,
    unfinished: look.unfinished,
    stranded: look.stranded,
    verifierEnvelopes: envelopesOf(backups),
    drills: drillsOf(backups, look.drills),
    drillDays: operations.report.drillDays,
    lock: store.kind === 's3' && store.lock !== undefined,
    lockedUntil: look.lockedUntil?.toISOString() ?? null,
  }
}

function lossLimit({ intervalHours }: Limits): number | null {
  return intervalHours === undefined ? null : intervalHours * HOUR
}

function hiddenOf(
  { at, operations }: DailyOptions,
  look: Look,
  keys: KeyFacts,
  history: readonly Past[],
): Omit<Judgeable, keyof Shown> {
  const { backups } = look
  const tested = backups.findLast(({ tested }) => tested.verdict)?.backup
  const [oldest] = backups
  return {
    unreadable: look.unreadable,
    broken: look.broken,
    backups: backups.length,
    oldestAge: oldest ? ageOf(oldest.backup, at) : null,
    promised: tested && { rows: rowsOf(tested), tables: tested.manifest.tables.length },
    noVerdicts:
      operations.verify.signer.length === 0
        ? 'no verdict can be believed: verify.signer is not set'
        : undefined,
    vanished: vanishedOf(look, history),
    keyProblems: keys.problems,
    keyWarnings: keys.warnings,
    graceHours: operations.retention.graceHours,
  }
}

/** Retention never removes the newest: where it is gone, somebody else was there. */
function vanishedOf({ backups, damaged }: Look, history: readonly Past[]): string | undefined {
  const times = backups.map(({ backup }) => Date.parse(backup.manifest.source.time))
  const newest = Math.max(0, ...times)
  const gone = history.findLast(
    ({ label, time }) => Date.parse(time) > newest && !damaged.includes(label),
  )
  return gone?.label
}

const RANK: Readonly<Record<Standing, number>> = { good: 0, attention: 1, bad: 2 }

function rank({ standing }: Problem): number {
  return RANK[standing]
}

function problemOf({ check, standing, message }: Judged): Problem[] {
  return standing === 'good' || message === undefined ? [] : [{ standing, check, message }]
}

function plainCheck({ check, title, standing, expected, found }: Judged): Check {
  return { check, title, standing, expected, found }
}

function reasonOf([first]: readonly Problem[], { test, latest }: Shown): string {
  if (first) return first.message
  const made = moment(latest?.time ?? '')
  return `the backup of ${made} was restored, and ${plural(test?.rows ?? 0, 'row')} came back as they were`
}

/** What is worth knowing and needs nobody to act. */
function notesOf(
  { latest, test, days }: Shown,
  look: Look,
  keys: KeyFacts,
  { history }: DailyOptions,
): string[] {
  const known = days.filter(({ state }) => state === 'missed').map(({ date }) => date)
  return [
    ...(known.length > 0 ? [`no backup was made on ${known.join(', ')}`] : []),
    ...(latest?.warnings ?? []).map((message) => `backup: ${message}`),
    ...(test?.steps ?? []).flatMap(({ step, findings }) =>
      findings
        .filter(({ severity }) => severity === 'warning')
        .map(({ message }) => `restore test, ${step}: ${message}`),
    ),
    ...look.backups.flatMap(({ tested }) => tested.doubts),
    ...look.doubts,
    ...keys.keys.flatMap(({ role, fingerprint, warnings }) =>
      warnings.map((warning) => `key ${fingerprint} of ${role} ${warning}`),
    ),
    ...keys.warnings,
    ...(history === undefined
      ? ['what earlier reports have seen cannot be read: the charts show what is in the store']
      : []),
  ]
}
