import { join } from 'node:path'
import { Failure } from '../errors.ts'
import type { AuditEvent, AuditRun, Emit } from '../report/events.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Break } from './check-chain.ts'
import { auditDirectory } from './directory.ts'
import { chooseRuns, runsOf, unfinishedRuns, type RunChoice } from './runs.ts'
import { verifyRecords } from './verify.ts'

export interface AuditOptions {
  /** Absolute path of the directory that holds the records, in `audit`. */
  state: string
}

export interface VerifyAuditOptions extends AuditOptions {
  /** Whose signatures count; absent: signatures are not looked at. */
  signers?: readonly PublicKeyFile[]
  /** A file of a former day without signature is a failure. */
  strict: boolean
}

/** Which runs are wanted: all, where nothing is said. */
export interface ListRunsOptions extends AuditOptions, RunChoice {}

/**
 * Checks that the audit records are what was written: every line, and the signatures of former days.
 *
 * @returns the event `audit`, which was emitted
 * @throws Failure after the event was emitted: `integrity` where a line is not what was written; `findings` for `strict`.
 *   Before: `integrity` where there are no records; `config` where they cannot be read
 */
export async function verifyAudit(
  { state, signers, strict }: VerifyAuditOptions,
  emit: Emit,
): Promise<AuditEvent> {
  const directory = auditDirectory(state)
  const { files, lines, signed, unsigned, broken, torn } = await verifyRecords(directory, signers)
  const [from, to] = [lines[0]?.link?.time, lines.at(-1)?.link?.time]
  const event: AuditEvent = {
    event: 'audit',
    directory,
    files: files.length,
    records: lines.length,
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    signaturesChecked: signers !== undefined,
    signed,
    unsigned,
    unfinished: unfinishedRuns(runsOf(lines)),
    torn,
    ...(broken && { broken }),
  }
  emit(event)
  if (broken) throw brokenAt(directory, broken)
  if (strict && unsigned.length > 0)
    throw new Failure('findings', `not signed: ${unsigned.join(', ')}`)
  return event
}

function brokenAt(directory: string, { file, line, kind, message }: Break): Failure {
  const place = `${join(directory, file)}${line === undefined ? '' : `:${line}`}`
  return new Failure('integrity', `audit records are broken: ${place}: ${kind}: ${message}`, {
    hint: 'compare with a copy of the directory from before; docs/audit.md says what each word means',
  })
}

/**
 * Who ran what, when, on what, and how it ended, as the audit records tell it. Records that are not whole are warned of
 * and read as far as they can be.
 *
 * @returns the runs, oldest first, which were emitted as the event `audit-runs`
 * @throws Failure `integrity` where there are no records; `config` where they cannot be read
 */
export async function listAuditRuns(
  { state, ...choice }: ListRunsOptions,
  emit: Emit,
): Promise<AuditRun[]> {
  const directory = auditDirectory(state)
  const { lines, broken } = await verifyRecords(directory, undefined)
  if (broken) {
    emit({
      event: 'warning',
      code: 'audit-broken',
      message: `these records are not whole, see pgveil audit verify: ${broken.message}`,
    })
  }
  const runs = chooseRuns(runsOf(lines), choice)
  emit({ event: 'audit-runs', directory, runs })
  return runs
}
