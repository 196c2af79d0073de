import type pg from 'pg'
import { openClient, type Endpoint } from '../postgres/connect.ts'
import { quoteIdentifier } from '../postgres/identifiers.ts'

/**
 * Whether a database has subscriptions, without which it could be dropped. Everybody may read their names.
 */
export async function hasSubscriptions(maintenance: pg.Client, database: string): Promise<boolean> {
  const { rows } = await maintenance.query(
    `SELECT FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
     WHERE d.datname = $1 LIMIT 1`,
    [database],
  )
  return rows.length > 0
}

/**
 * Drops the subscriptions of a database that is being built. They were never enabled there, and their slots belong to
 * the source: no publisher is spoken to, and no slot ends.
 */
export async function forgetSubscriptions(building: Endpoint): Promise<void> {
  const client = await openClient(building, 'maintenance')
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT subname AS name FROM pg_catalog.pg_subscription
       WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
    )
    // The database may have been given a setting that lets nobody write.
    await client.query('SET default_transaction_read_only = off')
    for (const { name } of rows) {
      const subscription = quoteIdentifier(name)
      await client.query(`ALTER SUBSCRIPTION ${subscription} DISABLE`)
      await client.query(`ALTER SUBSCRIPTION ${subscription} SET (slot_name = NONE)`)
      await client.query(`DROP SUBSCRIPTION ${subscription}`)
    }
  } finally {
    await client.end().catch(() => {})
  }
}
