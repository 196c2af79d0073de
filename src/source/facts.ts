import type pg from 'pg'

/** What a backup says of the moment its snapshot was taken. */
export interface SnapshotFacts {
  /** Position in the write-ahead log, like `0/1A2B3C4D`. */
  lsn: string
  /** By the server's clock: ISO 8601, UTC. */
  time: string
  lcMonetary: string
}

/** Reads them in the transaction that `client` is in. */
export async function readSnapshotFacts(client: pg.Client): Promise<SnapshotFacts> {
  const { rows } = await client.query<SnapshotFacts>(`
    SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                ELSE pg_catalog.pg_current_wal_lsn() END::text AS lsn,
           pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS time,
           pg_catalog.current_setting('lc_monetary') AS "lcMonetary"`)
  return rows[0] as SnapshotFacts
}

/** Partitioned tables at the top of trees in which some level is partitioned by hash. */
export async function readHashPartitioned(client: pg.Client): Promise<Set<number>> {
  const { rows } = await client.query<{ oid: string }>(`
    SELECT DISTINCT pg_catalog.pg_partition_root(partrelid)::oid::int8 AS oid
    FROM pg_catalog.pg_partitioned_table WHERE partstrat = 'h'`)
  return new Set(rows.map(({ oid }) => Number(oid)))
}

/**
 * Takes the lock that one backup of this database holds at a time; it lasts as long as the session.
 *
 * @returns false where somebody else has it
 */
export async function lockBackup(client: pg.Client, name: string): Promise<boolean> {
  const { rows } = await client.query<{ free: boolean }>(
    'SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended($1, 0)) AS free',
    [`pgveil backup ${name}`],
  )
  return rows[0]?.free ?? false
}
