import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { Endpoint } from '../postgres/connect.ts'
import { findOccupant, previousName } from '../sink/building.ts'
import type { ServerFacts } from '../source/snapshot.ts'
import type { CopyOptions } from './options.ts'

/**
 * Refuses a copy onto its own source, and onto its server unless that is meant. A standby counts as its
 * primary.
 *
 * @throws Failure `refused`
 */
export function refuseSameServer(
  source: Pick<ServerFacts, 'systemIdentifier' | 'database'>,
  target: Pick<ServerFacts, 'systemIdentifier'>,
  { label, config }: Endpoint,
  { allowSameServer }: Pick<CopyOptions, 'allowSameServer'>,
): void {
  const same =
    source.systemIdentifier !== undefined && source.systemIdentifier === target.systemIdentifier
  if (!same) return
  if (source.database === config.database) {
    throw new Failure('refused', `source and target are the same database, ${label}`, {
      hint: 'name another target',
    })
  }
  if (allowSameServer) return
  throw new Failure('refused', 'source and target are on the same server', {
    hint: 'add --allow-same-server if that is meant',
  })
}

/**
 * Refuses to replace a database that pgveil did not make, unless its name was given, and one that cannot be
 * replaced.
 *
 * @throws Failure `refused`, or `sink` where the database is another user's
 */
export async function refuseOccupant(
  maintenance: pg.Client,
  database: string,
  { replace, keepPrevious }: Pick<CopyOptions, 'replace' | 'keepPrevious'>,
): Promise<void> {
  const occupant = await findOccupant(maintenance, database)
  if (!occupant) return
  if (!occupant.isCopy && replace !== database) {
    throw new Failure('refused', `the database ${database} on the target was not made by pgveil`, {
      hint: `add --replace ${database} to put the copy in its place, or name another target`,
    })
  }
  if (!occupant.isOwn) {
    throw new Failure('sink', `the database ${database} on the target belongs to another user`, {
      hint: 'run ALTER DATABASE … OWNER TO … there, or name another target',
    })
  }
  const previous = previousName(database)
  const kept = keepPrevious ? await findOccupant(maintenance, previous) : undefined
  if (kept && !kept.isCopy) {
    throw new Failure(
      'refused',
      `the database ${previous} stands where ${database} is to be kept`,
      {
        hint: `rename or drop ${previous}: pgveil did not make what is in it`,
      },
    )
  }
}
