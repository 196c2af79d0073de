import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { Failure, systemReason } from '../errors.ts'
import type { WarningEvent } from '../report/events.ts'
import type { Reporter } from '../report/reporter.ts'
import {
  changes,
  commandOf,
  describeRun,
  isRecorded,
  type Arguments,
  type Audited,
} from './audited.ts'
import { auditDirectory } from './directory.ts'
import type { Appended } from './log.ts'
import type { Told } from './record.ts'
import { note, type Outcome } from './outcome.ts'
import { removeOldLogs } from './retention.ts'

/** The command line, and the world that it runs in. */
export interface AuditedRun {
  argv: readonly string[]
  env: NodeJS.ProcessEnv
  cwd: string
  tool: string
}

/** The records of one run of the program: that it started, and how it ended. */
export class RunAudit {
  readonly #given: AuditedRun
  readonly #run = randomUUID()
  readonly #started = performance.now()
  readonly #outcome: Outcome = { counts: {}, warnings: {} }
  #audited: Audited | undefined
  /** Warnings that nobody could be told yet. */
  #untold: WarningEvent[] = []

  constructor(given: AuditedRun) {
    this.#given = given
  }

  /**
   * Records that a command starts; to be called when its arguments are found good, before it does anything.
   *
   * @throws Failure `config` where that cannot be recorded and has to be; what reading the configuration throws
   */
  async start(args: Arguments): Promise<void> {
    if (!isRecorded(commandOf(args))) return
    const audited = await describeRun(args, this.#given)
    const { audit, state } = audited.settings.operations
    if (!audit.records) return
    try {
      const { rotated, damage } = await this.#append(audited, { event: 'start', ...audited.start })
      this.#audited = audited
      if (damage) this.#warn(damage.code, `${damage.message}; pgveil audit verify names the line`)
      if (rotated) await this.#removeLogs(join(state, 'verify'), audit.detailDays)
      await this.#sign(audited)
    } catch (error) {
      if (this.#audited || !isForeseen(error)) throw error
      const why = `cannot write audit records to ${auditDirectory(state)}: ${reasonOf(error)}`
      if (isRequired(audited)) {
        throw new Failure('config', why, {
          hint: 'nothing was done: give this user a directory of its own under state: in pgveil.yaml',
          cause: error,
        })
      }
      this.#warn('audit-not-written', why)
    }
  }

  /** Looks at the events of the run, and tells those who see them what went wrong with the records. */
  watch(reporter: Reporter): Reporter {
    for (const warning of this.#untold.splice(0)) reporter.emit(warning)
    return {
      ...reporter,
      emit: (event) => {
        note(this.#outcome, event)
        reporter.emit(event)
      },
    }
  }

  /**
   * Records how the command ended.
   *
   * @param result `done`, or the kind of failure
   * @returns why that could not be recorded, for people
   */
  async end(result: string, exitCode: number): Promise<string | undefined> {
    if (!this.#audited) return undefined
    const seconds = Math.round(performance.now() - this.#started) / 1000
    try {
      await this.#append(this.#audited, {
        event: 'end',
        result,
        exitCode,
        seconds,
        ...this.#outcome,
      })
      return undefined
    } catch (error) {
      const { state } = this.#audited.settings.operations
      return `how this ended is not in the audit records in ${auditDirectory(state)}: ${reasonOf(error)}`
    }
  }

  async #append({ settings }: Audited, told: Told): Promise<Appended> {
    const { append } = await import('./log.ts')
    const { audit, state } = settings.operations
    const { event, ...rest } = told
    return append(
      auditDirectory(state),
      { event, run: this.#run, ...rest },
      { time: new Date(), keepDays: audit.days },
    )
  }

  async #removeLogs(directory: string, days: number): Promise<void> {
    try {
      await removeOldLogs(directory, new Date(), days)
    } catch (error) {
      if (!isForeseen(error)) throw error
      this.#warn('logs-not-removed', `cannot remove old logs in ${directory}: ${reasonOf(error)}`)
    }
  }

  /** Closed files are signed by the next command that has the key; one that has not says so. */
  async #sign({ settings }: Audited): Promise<void> {
    const { backup, operations } = settings
    if (backup?.signingKey === undefined) return
    const directory = auditDirectory(operations.state)
    const { signFiles, unsignedFiles } = await import('./sign.ts')
    const files = await unsignedFiles(directory)
    if (files.length === 0) return
    try {
      await signFiles(directory, files, backup, this.#given.env)
    } catch (error) {
      if (!isForeseen(error)) throw error
      const why = `audit records of former days are not signed: ${reasonOf(error)}`
      this.#warn('audit-not-signed', why)
    }
  }

  #warn(code: string, message: string): void {
    const warning: WarningEvent = { event: 'warning', code, message }
    note(this.#outcome, warning)
    this.#untold.push(warning)
  }
}

/** Whoever makes backups, or says something about records, wants nothing changed that is not recorded. */
function isRequired({ settings, start }: Audited): boolean {
  if (!changes(start.command)) return false
  return settings.backup !== undefined || settings.operations.audit.required
}

/** An error of the file system, or one for the user; others are bugs. */
function isForeseen(error: unknown): boolean {
  return error instanceof Failure || typeof (error as NodeJS.ErrnoException).code === 'string'
}

function reasonOf(error: unknown): string {
  return error instanceof Failure ? error.message : systemReason(error)
}
