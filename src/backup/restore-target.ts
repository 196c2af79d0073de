import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { showIdentifier } from '../postgres/identifiers.ts'
import { cutStatements } from '../postgres/statements.ts'
import {
  createBuilding,
  dropBuilding,
  dropStale,
  findOccupant,
  findUnfinished,
  handOver,
  keepUnfinished,
  previousName,
  type Building,
} from '../sink/building.ts'
import { Maintenance } from '../sink/maintenance.ts'
import { TargetSessions } from '../sink/finish.ts'
import { LeftOut } from '../sink/left-out.ts'
import { checkTarget, refuseProduction, refuseServersOwn } from '../sink/preflight.ts'
import { runRestoreSql } from '../sink/restore-sql.ts'
import { hasSubscriptions } from '../sink/subscriptions.ts'
import { createStructure, forResuming, type Warn } from '../sink/structure.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'
import { readServerFacts } from '../source/snapshot.ts'
import type { Manifest } from './manifest.ts'
import type { OpenedBackup } from './restore-open.ts'
import { createNotesSql, type Warning } from './restore-notes.ts'
import { endOrphans, readEarlier } from './restore-resume.ts'

export interface TargetOptions {
  /** Connection URL. */
  target: string
  production: string[]
  /** Name of an existing database that may be replaced. */
  replace?: string
  keepPrevious: boolean
  /** Tables whose rows are wanted; empty: all. */
  only: string[]
  /** Goes on with what an earlier restore of this backup has left. */
  resume: boolean
}

/** What is left to do in the database that is being built. */
interface Work {
  sessions: TargetSessions
  /** Names of objects that are in already. */
  loaded: ReadonlySet<string>
  /** The structure that is left to make. */
  plan: StructurePlan
}

/** Failures after which rows that are in are as good as before. */
const WORTH_KEEPING: ReadonlySet<Failure['kind']> = new Set([
  'store',
  'sink',
  'interrupted',
  'terminated',
  // Of a worker that was killed.
  'bug',
])

/** The server that a backup is restored on, and the database that is being built there. */
export class RestoreTarget {
  readonly endpoint: Endpoint
  /** Told of what the target lacks or refuses. */
  readonly leftOut: LeftOut
  #major = 0
  readonly #options: TargetOptions
  readonly #run: Run
  readonly #database: string
  readonly #maintenance: Maintenance
  #building: Building | undefined
  /** Rows are in that are worth keeping when the run fails. */
  #resumable = false
  /** Roles that were not there before. */
  #rolesMade: string[] = []

  constructor(options: TargetOptions, run: Run) {
    this.#options = options
    this.#run = run
    this.endpoint = parseEndpoint(options.target, 'sink')
    this.leftOut = new LeftOut(run.warn)
    this.#database = this.endpoint.config.database as string
    this.#maintenance = new Maintenance(this.endpoint)
  }

  /** Major version of the server; 0 before {@link preflight}. */
  get major(): number {
    return this.#major
  }

  /** Where the database is built. */
  get building(): Building {
    if (!this.#building) throw new Error('nothing is being built')
    return this.#building
  }

  /** @throws Failure `refused` for a target that is none, whatever it holds */
  refuse(): void {
    refuseServersOwn(this.#database)
    refuseProduction(this.#request, undefined)
  }

  get #request() {
    return { target: this.endpoint, database: this.#database, production: this.#options.production }
  }

  /** Everything that can be refused before something is made. */
  async preflight({ label, source }: Manifest): Promise<void> {
    const maintenance = await this.#maintenance.open()
    const facts = await readServerFacts(maintenance).catch((error: unknown) => {
      throw serverFailure('sink', `read the facts of ${this.endpoint.label}`, error)
    })
    refuseProduction(this.#request, facts.systemIdentifier)
    this.#major = facts.major
    if (facts.major < Math.floor(source.versionNumber / 10_000)) {
      throw new Failure(
        'refused',
        `${label} is of PostgreSQL ${source.version}, the target runs ${facts.version}`,
        { hint: 'restore to the same major version or to a newer one' },
      )
    }
    await checkTarget(maintenance, this.endpoint, new Map(Object.entries(source.extensions)))
    await this.#refuseOccupant(maintenance)
  }

  async #refuseOccupant(maintenance: pg.Client): Promise<void> {
    if (!(await findOccupant(maintenance, this.#database))) return
    if (this.#options.replace === this.#database) return this.#refuseSubscriber(maintenance)
    throw new Failure('refused', `the database ${this.#database} is there already`, {
      hint: `add --replace ${this.#database} to put the restored one in its place, or name another target`,
    })
  }

  /** The server drops no database with a subscription, and the slot of one that is in use is not ours to end. */
  async #refuseSubscriber(maintenance: pg.Client): Promise<void> {
    const { keepPrevious } = this.#options
    const goes = keepPrevious ? previousName(this.#database) : this.#database
    const subscribes = await hasSubscriptions(maintenance, goes).catch((error: unknown) => {
      throw serverFailure('sink', `look for subscriptions of ${goes}`, error)
    })
    if (!subscribes) return
    throw new Failure(
      'refused',
      `the database ${goes} has a subscription, with which it cannot be dropped`,
      {
        hint: keepPrevious
          ? 'drop the subscription, or rename that database'
          : 'drop the subscription, or add --keep-previous',
      },
    )
  }

  /** Makes the database and its structure, or finds what an earlier restore has made. */
  async build(opened: OpenedBackup): Promise<Work> {
    const maintenance = this.#maintenance.client
    const { manifest, label } = opened.backup
    const found = this.#options.resume
      ? await findUnfinished(maintenance, this.endpoint, this.#database, label)
      : undefined
    if (this.#options.resume && !found) {
      this.#run.note('there is nothing to go on with: the restore begins at the beginning')
    }
    if (!found) await this.#dropStale(maintenance)
    await this.#createRoles(maintenance, opened)
    const resumed = found && (await this.#resume(found, opened))
    if (resumed) return resumed
    const warnings: Warning[] = []
    const warn: Warn = (code, message) => {
      warnings.push({ code, message })
      this.leftOut.warn(code, message)
    }
    this.#building = await this.#create(manifest, maintenance, warn)
    const sessions = this.#openSessions(opened)
    await sessions.use((client) => createStructure(client, opened.plan, warn))
    await sessions
      .use((client) => client.query(createNotesSql(this.#options.only, warnings)))
      .catch((error: unknown) => {
        throw serverFailure('sink', `prepare notes in ${this.building.name}`, error)
      })
    await keepUnfinished(maintenance, this.#building, label)
    this.#resumable = true
    return { sessions, loaded: new Set(), plan: opened.plan }
  }

  /** From here on there is nothing to go on with: the notes are about to go. */
  stopKeeping(): void {
    this.#resumable = false
  }

  #openSessions({ plan }: OpenedBackup): TargetSessions {
    const sessions = new TargetSessions(this.building.endpoint, plan)
    this.#run.onEnd(() => sessions.close())
    return sessions
  }

  /** @returns undefined where that cannot be: the database was finished, but for its name, or holds other tables */
  async #resume(found: Building, opened: OpenedBackup): Promise<Work | undefined> {
    const maintenance = this.#maintenance.client
    this.#building = found
    this.#resumable = true
    await endOrphans(maintenance, found)
    const sessions = this.#openSessions(opened)
    const earlier = await readEarlier(sessions, opened.backup.manifest, this.#options.only)
    if (earlier) {
      const { loaded, warnings } = earlier
      this.#run.note(`going on with ${found.name}: ${loaded.size} objects are in`)
      for (const { code, message } of warnings) this.leftOut.warn(code, message)
      return { sessions, loaded, plan: forResuming(opened.plan) }
    }
    this.#run.note(`${found.name} cannot be gone on with: the restore begins at the beginning`)
    await sessions.close()
    await dropBuilding(maintenance, found)
    this.#building = undefined
    this.#resumable = false
    return undefined
  }

  async #dropStale(maintenance: pg.Client): Promise<void> {
    for (const name of await dropStale(maintenance, this.endpoint)) {
      this.#run.note(`dropped ${name}, left by a run that did not finish`)
    }
  }

  /** Roles that the backup refers to and this server lacks. Without the right to, the restore does without them. */
  async #createRoles(
    maintenance: pg.Client,
    { globals, backup: { manifest } }: OpenedBackup,
  ): Promise<void> {
    const there = async () => {
      const { rows } = await maintenance.query<{ name: string }>(
        'SELECT rolname AS name FROM pg_catalog.pg_roles WHERE rolname = ANY ($1::text[])',
        [manifest.source.roles],
      )
      return rows.map(({ name }) => name)
    }
    try {
      const before = new Set(await there())
      await runRestoreSql(maintenance, globals, 'create roles', this.leftOut.warn)
      this.#rolesMade = (await there()).filter((name) => !before.has(name)).toSorted()
    } catch (error) {
      const { message } = serverFailure('sink', 'create roles', error)
      this.#run.warn('roles-left-out', `${message}; what belongs to them gets another owner`)
    }
  }

  async #create({ source }: Manifest, maintenance: pg.Client, warn: Warn): Promise<Building> {
    const building = await createBuilding(maintenance, this.endpoint, this.#database, {
      encoding: source.encoding,
      collate: source.collate,
      ctype: source.ctype,
      localeProvider: source.localeProvider,
      locale: source.locale ?? undefined,
      icuRules: source.icuRules ?? undefined,
      targetMajor: this.#major,
    })
    if (building.localeReplaced) {
      const locale = source.locale ?? source.collate
      warn('locale-replaced', `the target has no locale ${locale}: the database sorts by C`)
    }
    return building
  }

  /**
   * Settings of the database come last: some are meant to keep others out. Until it is handed over it must not lose the
   * comment by which it is known as unfinished, not even for a moment.
   *
   * @returns the comment that it had on the source
   */
  async applySettings(
    sessions: TargetSessions,
    { settings, backup }: OpenedBackup,
  ): Promise<string | null> {
    const doing = 'apply the settings of the database'
    const comment = await sessions.use(async (client) => {
      try {
        await client.query('BEGIN')
        await runRestoreSql(client, await withoutQueries(settings), doing, this.leftOut.warn)
        const { rows } = await client.query<{ comment: string | null }>(
          `SELECT pg_catalog.shobj_description(oid, 'pg_database') AS comment
           FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
        )
        await keepUnfinished(client, this.building, backup.label)
        await client.query('COMMIT')
        return rows[0]?.comment ?? null
      } catch (error) {
        throw serverFailure('sink', doing, error)
      }
    })
    return comment?.startsWith('pgveil: ') ? null : comment
  }

  /** @returns the name under which the database that was replaced is kept, if so */
  async handOver(comment: string | null): Promise<string | undefined> {
    const maintenance = await this.#maintenance.renewed(this.building)
    // Somebody may have made a database of that name in the meantime.
    await this.#refuseOccupant(maintenance)
    const { keepPrevious } = this.#options
    const previous = await handOver(
      maintenance,
      this.endpoint,
      this.building,
      this.#database,
      { keepPrevious, comment },
      this.#run.warn,
    )
    this.#building = undefined
    return previous
  }

  /** Drops what was being built, or keeps it to be gone on with; returns the failure with what is left. */
  async undo(error: unknown): Promise<unknown> {
    const left = await this.#leave(error)
    if (left === undefined) return error
    const { kind, message, hint } = serverFailure('sink', 'restore', error)
    return new Failure(kind, message, { ...(hint && { hint }), left, cause: error })
  }

  /** What a run that failed leaves; undefined: nothing. */
  async #leave(error: unknown): Promise<string | undefined> {
    const building = this.#building
    if (building) {
      const what = `the unfinished database ${building.name} on ${this.endpoint.label}`
      if (this.#resumable && WORTH_KEEPING.has(serverFailure('sink', 'restore', error).kind))
        return `${what}; the same command with --continue goes on with it, without it begins anew`
      if (!(await this.#drop(building))) return `${what}; the next run drops it`
    }
    if (this.#rolesMade.length === 0) return undefined
    const names = this.#rolesMade.map(showIdentifier).join(', ')
    return `roles that it has created on ${this.endpoint.label}: ${names}`
  }

  /**
   * Drops what was built instead of handing it over; where nothing was, nothing.
   *
   * @returns false where it could not be dropped
   */
  async discard(): Promise<boolean> {
    const building = this.#building
    if (!building) return true
    if (!(await this.#drop(building))) return false
    this.#building = undefined
    return true
  }

  async #drop(building: Building): Promise<boolean> {
    try {
      await dropBuilding(await this.#maintenance.renewed(building), building)
      return true
    } catch {
      return false
    }
  }

  async close(): Promise<void> {
    await this.#maintenance.close()
  }
}

/** What the settings of a backup begin with puts sequences where they stood, all in one transaction; that is done. */
async function withoutQueries(settings: string): Promise<string> {
  const kept: string[] = []
  for await (const { sql, kind } of cutStatements(settings)) {
    if (kind !== 'SelectStmt') kept.push(sql)
  }
  return kept.join(';\n')
}
