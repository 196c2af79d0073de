import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { Failure } from '../errors.ts'
import { errorCode, serverFailure, withDatabase, type Endpoint } from '../postgres/connect.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/identifiers.ts'
import { lockKey, openMaintenance, tryLock } from './maintenance.ts'
import { forgetSubscriptions, hasSubscriptions } from './subscriptions.ts'

/** How the building database has to be made so that text means the same as on the source. */
export interface DatabaseForm {
  encoding: string
  collate: string
  ctype: string
  localeProvider: string
  locale: string | undefined
  icuRules: string | undefined
  /** Of the server it is made on. */
  targetMajor: number
}

/** A database under construction. Nobody uses it before it is handed over. */
export interface Building {
  name: string
  endpoint: Endpoint
  /** The locale of the source is not there: the one the target has was taken. */
  localeReplaced: boolean
}

const BUILDING_COMMENT = 'pgveil: being built'
const FINISHED_COMMENT = 'pgveil: masked copy'
/** Then the label of the backup. Such a one is kept, to be gone on with. */
const UNFINISHED_COMMENT = 'pgveil: unfinished restore of '
const MAX_NAME_BYTES = 63

function withSuffix(database: string, suffix: string): string {
  let stem = database
  while (Buffer.byteLength(stem + suffix) > MAX_NAME_BYTES) stem = stem.slice(0, -1)
  return stem + suffix
}

/** What is being built, and what was replaced and is about to be dropped, have names that nobody else gives. */
function temporaryName(database: string, what: 'building' | 'replaced'): string {
  return withSuffix(database, `__${what}_${randomBytes(8).toString('hex')}`)
}

/**
 * Makes the building database beside `database`.
 *
 * @throws Failure `sink`
 */
export async function createBuilding(
  maintenance: pg.Client,
  target: Endpoint,
  database: string,
  form: DatabaseForm,
): Promise<Building> {
  const name = temporaryName(database, 'building')
  try {
    await maintenance.query(`SELECT pg_advisory_lock(${lockKey(name)})`)
    const localeReplaced = await createDatabase(maintenance, name, form)
    await maintenance.query(
      `COMMENT ON DATABASE ${quoteIdentifier(name)} IS ${quoteLiteral(BUILDING_COMMENT)}`,
    )
    return { name, endpoint: withDatabase(target, name), localeReplaced }
  } catch (error) {
    await dropDatabase(maintenance, name).catch(() => {})
    throw serverFailure('sink', `create database ${name} on ${target.label}`, error)
  }
}

async function createDatabase(
  client: pg.Client,
  name: string,
  form: DatabaseForm,
): Promise<boolean> {
  const start = `CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ENCODING ${quoteLiteral(form.encoding)}`
  try {
    await client.query(`${start} ${localeClause(form)}`)
    return false
  } catch (error) {
    // The locale is not known here or does not go with the encoding; 42601: an older server knows no providers.
    if (!['22023', '42809', '42704', '42601', '0A000'].includes(errorCode(error))) throw error
  }
  await client.query(`${start} LC_COLLATE 'C' LC_CTYPE 'C'`)
  return true
}

function localeClause(form: DatabaseForm): string {
  const clauses = [`LC_COLLATE ${quoteLiteral(form.collate)} LC_CTYPE ${quoteLiteral(form.ctype)}`]
  if (form.localeProvider === 'i') {
    clauses.push(`LOCALE_PROVIDER icu ICU_LOCALE ${quoteLiteral(form.locale ?? '')}`)
    if (form.icuRules) clauses.push(`ICU_RULES ${quoteLiteral(form.icuRules)}`)
  } else if (form.localeProvider === 'b') {
    clauses.push(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${quoteLiteral(form.locale ?? 'C')}`)
  } else if (form.targetMajor >= 15) {
    clauses.push('LOCALE_PROVIDER libc')
  }
  return clauses.join(' ')
}

/**
 * Drops a database whoever is connected to it; no error where it is not there.
 *
 * @throws Failure `sink`
 */
export async function dropDatabase(maintenance: pg.Client, name: string): Promise<void> {
  try {
    await maintenance.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`)
  } catch (error) {
    throw serverFailure('sink', `drop database ${name}`, error)
  }
}

/**
 * Drops a database that is being built, or was, also where it has subscriptions already, without which the server
 * would drop it; no error where it is not there.
 *
 * @throws Failure `sink`
 */
export async function dropBuilding(
  maintenance: pg.Client,
  { name, endpoint }: Pick<Building, 'name' | 'endpoint'>,
): Promise<void> {
  try {
    if (await hasSubscriptions(maintenance, name)) await forgetSubscriptions(endpoint)
  } catch (error) {
    throw serverFailure('sink', `drop the subscriptions of ${name}`, error)
  }
  await dropDatabase(maintenance, name)
}

/** Says that a building database is worth keeping when its run dies: a restore of this label can go on with it. */
export async function keepUnfinished(
  maintenance: pg.Client,
  { name }: Building,
  label: string,
): Promise<void> {
  const comment = quoteLiteral(UNFINISHED_COMMENT + label)
  try {
    await maintenance.query(`COMMENT ON DATABASE ${quoteIdentifier(name)} IS ${comment}`)
  } catch (error) {
    throw serverFailure('sink', `mark database ${name}`, error)
  }
}

/**
 * The building database that a restore of this label to this database has left, and nobody works on.
 *
 * @throws Failure `sink`
 */
export async function findUnfinished(
  maintenance: pg.Client,
  target: Endpoint,
  database: string,
  label: string,
): Promise<Building | undefined> {
  try {
    const { rows } = await maintenance.query<{ name: string }>(
      `SELECT datname AS name FROM pg_catalog.pg_database
       WHERE pg_catalog.shobj_description(oid, 'pg_database') = $1 AND pg_catalog.pg_has_role(datdba, 'USAGE')
       ORDER BY oid DESC`,
      [UNFINISHED_COMMENT + label],
    )
    for (const { name } of rows) {
      if (!isBuildingOf(name, database)) continue
      if (await tryLock(maintenance, name)) {
        return { name, endpoint: withDatabase(target, name), localeReplaced: false }
      }
    }
    return undefined
  } catch (error) {
    throw serverFailure('sink', 'look for an unfinished restore', error)
  }
}

function isBuildingOf(name: string, database: string): boolean {
  const suffix = name.slice(name.lastIndexOf('__building_'))
  return name === withSuffix(database, suffix)
}

/**
 * Drops building databases of this user whose run is dead: pgveil's name, and nobody holds their lock. Unfinished
 * restores are kept, but for those to the database of `restoring`.
 *
 * @returns their names
 */
export async function dropStale(maintenance: pg.Client, restoring?: Endpoint): Promise<string[]> {
  const database = restoring?.config.database
  try {
    const { rows } = await maintenance.query<{ name: string; comment: string | null }>(`
      SELECT datname AS name, pg_catalog.shobj_description(oid, 'pg_database') AS comment
      FROM pg_catalog.pg_database
      WHERE datname ~ '__(building|replaced)_[0-9a-f]{16}$' AND pg_catalog.pg_has_role(datdba, 'USAGE')`)
    const dropped: string[] = []
    for (const { name, comment } of rows) {
      const isBuilding = name.includes('__building_')
      if (isBuilding && !(comment ?? BUILDING_COMMENT).startsWith('pgveil: ')) continue
      const ours = database !== undefined && isBuildingOf(name, database)
      if (comment?.startsWith(UNFINISHED_COMMENT) && !ours) continue
      if (!(await tryLock(maintenance, name))) continue
      if (isBuilding && restoring) {
        await dropBuilding(maintenance, { name, endpoint: withDatabase(restoring, name) })
      } else await dropDatabase(maintenance, name)
      await maintenance.query(`SELECT pg_advisory_unlock(${lockKey(name)})`)
      dropped.push(name)
    }
    return dropped
  } catch (error) {
    throw serverFailure('sink', 'drop what killed runs have left on the target', error)
  }
}

/** A database that is there already. */
export interface Occupant {
  /** pgveil made it, as a finished copy. */
  isCopy: boolean
  /** This user may rename and drop it. */
  isOwn: boolean
}

/** The database that stands where the copy shall go; undefined: none. */
export async function findOccupant(
  maintenance: pg.Client,
  database: string,
): Promise<Occupant | undefined> {
  const { rows } = await maintenance
    .query<{ comment: string | null; own: boolean }>(
      `SELECT pg_catalog.shobj_description(oid, 'pg_database') AS comment,
              pg_catalog.pg_has_role(datdba, 'USAGE') AS own
       FROM pg_catalog.pg_database WHERE datname = $1`,
      [database],
    )
    .catch((error: unknown) => {
      throw serverFailure('sink', 'read the databases of the target', error)
    })
  const [found] = rows
  if (!found) return undefined
  return { isCopy: found.comment?.startsWith(FINISHED_COMMENT) ?? false, isOwn: found.own }
}

/** What a masked copy says of itself once it is finished: the next one may replace it. */
export function copyComment(): string {
  return `${FINISHED_COMMENT}, finished ${new Date().toISOString()}`
}

/** Name under which the database that was in use is kept. */
export function previousName(database: string): string {
  return withSuffix(database, '__previous')
}

/**
 * Puts the building database in the place of `database`, in one transaction: either both names change or none.
 * Sessions that use the old one are ended. The old one is dropped, or kept under {@link previousName}
 * instead of the one that was kept before. `comment` is what the database then says of itself.
 *
 * @returns the name under which the old one is kept, if so
 * @throws Failure `sink`
 */
export async function handOver(
  maintenance: pg.Client,
  target: Endpoint,
  building: Building,
  database: string,
  { keepPrevious, comment }: { keepPrevious: boolean; comment: string | null },
  warn: (code: string, message: string) => void,
): Promise<string | undefined> {
  const occupied = (await findOccupant(maintenance, database)) !== undefined
  const aside = keepPrevious ? previousName(database) : temporaryName(database, 'replaced')
  try {
    if (occupied && keepPrevious) await dropDatabase(maintenance, aside)
    await maintenance.query('BEGIN')
    if (occupied) {
      await whileEnding(target, database, () =>
        maintenance.query(
          `ALTER DATABASE ${quoteIdentifier(database)} RENAME TO ${quoteIdentifier(aside)}`,
        ),
      )
    }
    await whileEnding(target, building.name, () =>
      maintenance.query(
        `ALTER DATABASE ${quoteIdentifier(building.name)} RENAME TO ${quoteIdentifier(database)}`,
      ),
    )
    await maintenance.query(
      `COMMENT ON DATABASE ${quoteIdentifier(database)} IS ${comment === null ? 'NULL' : quoteLiteral(comment)}`,
    )
    await maintenance.query('COMMIT')
  } catch (error) {
    await maintenance.query('ROLLBACK').catch(() => {})
    throw serverFailure('sink', `put the finished copy in the place of ${database}`, error)
  }
  if (!occupied) return undefined
  if (keepPrevious) return aside
  // The copy is in its place, whatever comes now.
  await dropDatabase(maintenance, aside).catch((error: unknown) => {
    const reason = error instanceof Failure ? error.message : 'it could not be dropped'
    warn('replaced-not-dropped', `the database that was replaced is left as ${aside}: ${reason}`)
  })
  return undefined
}

/**
 * Ends the sessions of `database` for as long as `rename` waits for them. RENAME holds a lock that keeps new sessions
 * out, so the loop comes to an end.
 */
async function whileEnding(
  target: Endpoint,
  database: string,
  rename: () => Promise<unknown>,
): Promise<void> {
  const killer = await openMaintenance(target)
  let isDone = false
  const ending = (async () => {
    while (!isDone) {
      await killer.query(
        'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = $1',
        [database],
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })().catch(() => {})
  try {
    await rename()
  } finally {
    isDone = true
    await ending
    await killer.end().catch(() => {})
  }
}
