import type pg from 'pg'
import { errorCode, serverFailure } from '../postgres/connect.ts'
import type { Building } from '../sink/building.ts'
import type { TargetSessions } from '../sink/finish.ts'
import type { Manifest } from './manifest.ts'
import {
  forgetSql,
  READ_NOTES,
  READ_WANTED,
  READ_WARNINGS,
  wantedText,
  type Warning,
} from './restore-notes.ts'

/** Objects unlinked in one transaction: each takes a lock. */
const UNLINKED = 1000

/** The schema of the notes, or their table. */
const NO_NOTES: ReadonlySet<string> = new Set(['3F000', '42P01'])

/**
 * Ends what is still at work in a database whose run died: a server notices only when it answers. What it commits
 * meanwhile would be loaded twice.
 *
 * @throws Failure `sink`
 */
export async function endOrphans(maintenance: pg.Client, { name }: Building): Promise<void> {
  try {
    await maintenance.query(
      `SELECT pg_catalog.pg_terminate_backend(pid, 30000) FROM pg_catalog.pg_stat_activity
       WHERE datname = $1 AND application_name LIKE 'pgveil %' AND pid <> pg_catalog.pg_backend_pid()`,
      [name],
    )
  } catch (error) {
    throw serverFailure('sink', `end the sessions of an earlier run in ${name}`, error)
  }
}

/** What an earlier run has done that is not done again. */
export interface EarlierRun {
  /** Names of objects that are in. */
  loaded: ReadonlySet<string>
  /** What it warned of. */
  warnings: readonly Warning[]
}

/**
 * What an earlier run has loaded and left out. Large objects of which only some are in, are taken out and come anew.
 *
 * @param only names of the tables that are wanted
 * @returns undefined where its database is none to build on: there are no notes, since that run was about to hand over;
 *   or it was to have other tables, whose triggers and foreign keys may be there already
 * @throws Failure `sink`
 */
export async function readEarlier(
  sessions: TargetSessions,
  { objects }: Manifest,
  only: readonly string[],
): Promise<EarlierRun | undefined> {
  return sessions.use(async (client) => {
    try {
      const { rows: wanted } = await client.query<{ names: string }>(READ_WANTED)
      if (wanted[0]?.names !== wantedText(only)) return undefined
      const { rows } = await client.query<{ object: string }>(READ_NOTES)
      const loaded = new Set(rows.map(({ object }) => object))
      const partly = objects.filter(
        ({ name }) => name.startsWith('large-objects.') && !loaded.has(name),
      )
      if (partly.length > 0) await removeLargeObjects(client, loaded)
      const { rows: warnings } = await client.query<Warning>(READ_WARNINGS)
      return { loaded, warnings }
    } catch (error) {
      if (NO_NOTES.has(errorCode(error))) return undefined
      throw serverFailure('sink', 'read what an earlier run has loaded', error)
    }
  })
}

/** One transaction brings few of them, so that an object may be in by half. */
async function removeLargeObjects(client: pg.Client, loaded: Set<string>): Promise<void> {
  const noted = [...loaded].filter((name) => name.startsWith('large-objects.'))
  for (const name of noted) {
    loaded.delete(name)
    await client.query(forgetSql(name))
  }
  for (let found = UNLINKED; found === UNLINKED;) {
    const { rows } = await client.query(
      `SELECT pg_catalog.lo_unlink(oid) FROM (SELECT oid FROM pg_catalog.pg_largeobject_metadata LIMIT ${UNLINKED}) o`,
    )
    found = rows.length
  }
}
