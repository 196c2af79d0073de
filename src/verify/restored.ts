import type pg from 'pg'
import type { Backup } from '../backup/backups.ts'
import { openFound, type OpenedBackup } from '../backup/restore-open.ts'
import { buildRestored, finishRestored, type Built } from '../backup/restore.ts'
import { RestoreTarget } from '../backup/restore-target.ts'
import type { Opening } from '../backup/unlock.ts'
import { envelopeName } from '../backup/envelopes.ts'
import { assertErased, openErasures, replayErasures, type Erasures } from '../erasure/replay.ts'
import { Failure } from '../errors.ts'
import type { Run } from '../jobs/run.ts'
import { together } from '../jobs/together.ts'
import { serverFailure, type Endpoint } from '../postgres/connect.ts'
import { wipe } from '../seal/secret.ts'
import { openMaintenance } from '../sink/maintenance.ts'
import { readCatalog } from '../source/catalog.ts'
import { openStore } from '../store/open.ts'
import { Checker } from './checker.ts'
import { compareRows, readMovingTrees } from './compare-rows.ts'
import { compareRest, type StructureRequest } from './compare-structure.ts'
import { checkHealth } from './health.ts'
import type { VerifyOptions } from './options.ts'
import { openScratch, type Scratch } from './scratch.ts'
import { StepRecord } from './step.ts'

/** A backup on its scratch server. Everything is removed when it is closed, or the run ends. */
export class Restored {
  readonly #options: VerifyOptions
  readonly #opening: Opening
  readonly #run: Run
  #scratch: Scratch | undefined
  #target: RestoreTarget | undefined
  #opened: OpenedBackup | undefined
  #built: Built | undefined
  #checker: Checker | undefined
  #erasures: Erasures | undefined

  constructor({ options, opening }: { options: VerifyOptions; opening: Opening }, run: Run) {
    this.#options = options
    this.#opening = opening
    this.#run = run
    run.onEnd(() => this.close())
  }

  /** Version of the server; undefined: none was there. */
  get version(): string | undefined {
    return this.#scratch?.version
  }

  /** Rows that were restored. */
  get rows(): number {
    return this.#built?.loaded.tables.reduce((sum, { rows }) => sum + rows, 0) ?? 0
  }

  get endpoint(): Endpoint {
    if (!this.#target) throw new Error('nothing is restored')
    return this.#target.building.endpoint
  }

  /** Of the restored database, with user and password. */
  get url(): string {
    const url = new URL(this.#scratch?.url ?? '')
    url.pathname = `/${encodeURIComponent(String(this.endpoint.config.database))}`
    return url.href
  }

  /**
   * Opens the backup with the verifier's key and restores it, on a server of its own or the one that was given.
   *
   * @throws Failure `refused`, `key`, `integrity`, `store`, `sink`
   */
  async restore(record: StepRecord, backup: Backup): Promise<void> {
    const run = this.#run
    const { verify, jobs, store } = this.#options
    const { manifest } = backup
    this.#requireEnvelope(backup)
    // They take a moment, in which the server starts.
    const checker = new Checker(jobs)
    this.#checker = checker
    // Side by side: neither needs much of the other's time.
    await together([this.#start(record, backup), this.#open(backup)])
    const { target, opened } = this.#ready
    if (verify.server === undefined) await createSuperusers(target.endpoint, opened)
    await run.phase('preflight', () => target.preflight(manifest))
    const chosen = manifest.tables
    const { loaders } = checker
    const request = { jobs, store, opened, target, run, loaders, keepsLoaders: true, chosen }
    const built = await buildRestored(request)
    this.#built = built
    await run.phase('checks', () => finishRestored(built))
    await run.during(target.applySettings(built.sessions, opened))
    target.leftOut.finish()
    for (const { message } of run.warnings) record.warn(message)
    record.checks++
    record.note(
      `${this.rows} rows of ${chosen.length} tables restored in ${run.seconds.toFixed(1)} s`,
    )
  }

  async #start(record: StepRecord, { manifest }: Backup): Promise<void> {
    const run = this.#run
    const { verify, production, env, jobs } = this.#options
    const { server, bin } = verify
    const note = (message: string) => record.note(message)
    this.#scratch = await openScratch({ server, bin, env, jobs }, manifest, note)
    // A run that was stopped meanwhile has closed this already.
    run.onEnd(() => this.close())
    record.note(`restoring on PostgreSQL ${this.#scratch.version}`)
    const { url } = this.#scratch
    const options = { target: url, production, keepPrevious: false, only: [], resume: false }
    this.#target = new RestoreTarget(options, run)
    this.#target.refuse()
  }

  /** Its secret, its SQL, and who is not to come back. */
  async #open(backup: Backup): Promise<void> {
    const run = this.#run
    const { signers, state, env, erasure: settings, store } = this.#options
    const from = await openStore(store)
    run.onEnd(() => from.close())
    const opened = await openFound(from, backup, this.#opening, run.signal)
    this.#opened = withoutSubscriptions(opened)
    const { manifest } = backup
    this.#erasures = await openErasures({ store: from, signers, manifest, settings, env, state })
  }

  get #ready() {
    if (!this.#opened || !this.#target) throw new Error('nothing is opened')
    return { opened: this.#opened, target: this.#target }
  }

  /** Says more than that no key fits. */
  #requireEnvelope({ label, manifest, files }: Backup): void {
    if (this.#options.opening || files.has(envelopeName('verifier'))) return
    throw new Failure(
      'key',
      manifest.seal.verifier.length === 0
        ? `${label} was made without a verifier key: only its custodians can open it`
        : `the verifier’s envelope of ${label} is not there any more: only its custodians can open it`,
    )
  }

  /** Re-reads rows and compares everything with the manifest. */
  async compare(record: StepRecord): Promise<void> {
    const { opened, built, target, checker } = this.#parts
    const { manifest } = opened.backup
    const { secret, plan, definitions } = opened
    await built.sessions.use(async (client) => {
      const { catalog, moving } = await readRestored(client)
      const { warnings } = this.#run
      const { trees, largeObjects } = built.loaded
      const request: StructureRequest = {
        manifest,
        secret,
        plan,
        definitions,
        largeObjects,
        checker,
        catalog,
        major: target.major,
        warnings,
      }
      // Rows keep the workers busy, the rest this session.
      const rest = new StepRecord('compare')
      const compared = together([
        compareRows(record, { manifest, catalog, moving, trees }, checker),
        compareRest(rest, client, request),
      ])
      await compared.finally(() => record.absorb(rest))
    })
  }

  /** Looks at heaps, indexes and constraints. */
  async checkHealth(record: StepRecord): Promise<void> {
    const { built, opened, target, checker } = this.#parts
    await built.sessions.use(async (client) => {
      try {
        const { plan } = opened
        await checkHealth(record, { client, checker, major: target.major, plan })
      } catch (error) {
        throw serverFailure('sink', 'check the restored database', error)
      }
    })
  }

  /**
   * Removes persons who were erased, as a recovery would, and looks whether they are gone.
   *
   * @throws Failure `refused` where nothing says what becomes of rows that refer to them: a recovery would stop there
   */
  async erase(record: StepRecord): Promise<void> {
    const erasures = this.#erasures
    if (!erasures) return
    const { built, opened } = this.#parts
    const warn = (_code: string, message: string) => record.warn(message)
    const { views } = opened.backup.manifest
    await built.sessions.use(async (client) => {
      const tables = await replayErasures(client, erasures, { views, warn })
      const deleted = tables.reduce((sum, table) => sum + table.deleted, 0)
      const persons = await assertErased(client, erasures)
      record.checks += persons
      record.note(`${persons} erased persons are absent, ${deleted} rows of theirs were removed`)
    })
  }

  get #parts() {
    if (!this.#built || !this.#checker) throw new Error('nothing is restored')
    return { ...this.#ready, built: this.#built, checker: this.#checker }
  }

  /** Removes what was restored, and the server where it is this test's own. */
  async close(): Promise<void> {
    await this.#checker?.close()
    await this.#built?.sessions.close()
    if (this.#opened) wipe(this.#opened.secret)
    this.#erasures?.key.fill(0)
    const target = this.#target
    this.#target = undefined
    if (target) {
      if (this.#options.verify.server !== undefined && !(await target.discard())) {
        const where = `on ${target.endpoint.label}`
        this.#run.warn(
          'scratch-left',
          `the restored database is left ${where}; the next run drops it`,
        )
      }
      await target.close()
    }
    await this.#scratch?.stop()
  }
}

async function readRestored(client: pg.Client) {
  try {
    return { catalog: await readCatalog(client), moving: await readMovingTrees(client) }
  } catch (error) {
    throw serverFailure('sink', 'read the restored database', error)
  }
}

/**
 * Backups bring their roles, but for the superuser that every server has by itself, under whatever name. Here that one
 * is made, too, so that nothing has to be left out.
 */
async function createSuperusers(
  endpoint: Endpoint,
  { plan, backup: { manifest } }: OpenedBackup,
): Promise<void> {
  const named = plan.statements.flatMap(({ roles = [], needs = [] }) => [...roles, ...needs])
  const others = new Set(named.filter((role) => !manifest.source.roles.includes(role)))
  const maintenance = await openMaintenance(endpoint)
  try {
    const { rows } = await maintenance.query<{ sql: string }>(
      `SELECT format('CREATE ROLE %I SUPERUSER', name) AS sql FROM unnest($1::text[]) AS name
       WHERE name !~ '^pg_' AND name NOT IN (SELECT rolname FROM pg_catalog.pg_roles)`,
      [[...others]],
    )
    for (const { sql } of rows) await maintenance.query(sql)
  } catch (error) {
    throw serverFailure('sink', 'create roles on the scratch server', error)
  } finally {
    await maintenance.end().catch(() => {})
  }
}

/** A copy of the database must not draw from what its original is subscribed to. */
function withoutSubscriptions(opened: OpenedBackup): OpenedBackup {
  const { plan } = opened
  const statements = plan.statements.filter(({ phase }) => phase !== 'subscription')
  return { ...opened, plan: { ...plan, statements } }
}
