import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import {
  copyComment,
  createBuilding,
  dropDatabase,
  dropStale,
  handOver,
  type Building,
  type DatabaseForm,
} from '../sink/building.ts'
import { Maintenance } from '../sink/maintenance.ts'
import { checkTarget, refuseProduction, refuseServersOwn } from '../sink/preflight.ts'
import { readServerFacts, type ServerFacts } from '../source/snapshot.ts'
import type { CopyOptions } from './options.ts'
import { refuseOccupant, refuseSameServer } from './refusals.ts'

export type TargetOptions = Pick<
  CopyOptions,
  'target' | 'production' | 'replace' | 'keepPrevious' | 'allowSameServer'
>

/** The server that a masked copy is made on, and the database that is being built there. */
export class CopyTarget {
  readonly endpoint: Endpoint
  readonly #options: TargetOptions
  readonly #run: Run
  readonly #database: string
  readonly #maintenance: Maintenance
  #facts: ServerFacts | undefined
  #building: Building | undefined

  constructor(options: TargetOptions, run: Run) {
    this.#options = options
    this.#run = run
    this.endpoint = parseEndpoint(options.target, 'sink')
    this.#database = this.endpoint.config.database as string
    this.#maintenance = new Maintenance(this.endpoint)
  }

  /** What the server is; after {@link preflight}. */
  get facts(): ServerFacts {
    if (!this.#facts) throw new Error('the target was not looked at')
    return this.#facts
  }

  /** Where the database is built; after {@link create}. */
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

  /**
   * Everything of the target that can be refused before something is made.
   *
   * @throws Failure `refused`, `sink`
   */
  async preflight(
    source: Pick<ServerFacts, 'systemIdentifier' | 'database'>,
    extensions: ReadonlyMap<string, string>,
  ): Promise<ServerFacts> {
    // A signal may come meanwhile: what is opened is noted for closing by itself.
    const maintenance = await this.#run.during(this.#maintenance.open())
    this.#facts = await readServerFacts(maintenance).catch((error: unknown) => {
      throw serverFailure('sink', `read the facts of ${this.endpoint.label}`, error)
    })
    refuseProduction(this.#request, this.#facts.systemIdentifier)
    refuseSameServer(source, this.#facts, this.endpoint, this.#options)
    await checkTarget(maintenance, this.endpoint, extensions)
    await refuseOccupant(maintenance, this.#database, this.#options)
    return this.#facts
  }

  /** Drops what killed runs have left, and makes the database that is built. */
  async create(form: Omit<DatabaseForm, 'targetMajor'>): Promise<Building> {
    const maintenance = this.#maintenance.client
    for (const name of await dropStale(maintenance)) {
      this.#run.note(`dropped ${name}, left by a run that was killed`)
    }
    this.#building = await createBuilding(maintenance, this.endpoint, this.#database, {
      ...form,
      targetMajor: this.facts.major,
    })
    return this.#building
  }

  /** Warns where the database that is built sorts otherwise than the source. */
  warnOfLocale({ locale, collate }: Pick<DatabaseForm, 'locale' | 'collate'>): void {
    if (!this.building.localeReplaced) return
    this.#run.warn(
      'locale-replaced',
      `the target has no locale ${locale ?? collate}: the copy sorts by C`,
    )
  }

  /**
   * Puts what was built in its place. From here on a signal comes too late: both names change, or none.
   *
   * @returns the name under which the database that was replaced is kept, if so
   */
  handOver(): Promise<string | undefined> {
    return this.#run.uninterrupted('handover', async () => {
      const maintenance = await this.#maintenance.renewed(this.building)
      // Somebody may have made a database of that name in the meantime.
      await refuseOccupant(maintenance, this.#database, this.#options)
      const { keepPrevious } = this.#options
      const previous = await handOver(
        maintenance,
        this.endpoint,
        this.building,
        this.#database,
        { keepPrevious, comment: copyComment() },
        this.#run.warn,
      )
      this.#building = undefined
      return previous
    })
  }

  /** Drops what is being built; no error where nothing is. */
  async drop(): Promise<void> {
    const building = this.#building
    if (!building) return
    await dropDatabase(await this.#maintenance.renewed(building), building.name)
    this.#building = undefined
  }

  /** Drops what was being built; returns the failure with what it could not clear away. */
  async undo(error: unknown): Promise<unknown> {
    try {
      await this.drop()
      return error
    } catch {
      const failure = serverFailure('sink', 'make the copy', error)
      return new Failure(failure.kind, failure.message, {
        ...(failure.hint && { hint: failure.hint }),
        left: `the unfinished database ${this.building.name} on ${this.endpoint.label}; the next run drops it`,
        cause: error,
      })
    }
  }

  async close(): Promise<void> {
    await this.#maintenance.close()
  }
}
