import { Failure } from '../errors.ts'
import type { Table } from '../postgres/catalog.ts'
import { showName } from '../postgres/identifiers.ts'
import type { Snapshot } from './snapshot.ts'

/**
 * Missing rights, row-level security and unlogged tables of a standby show here, before anything is made anywhere.
 *
 * @throws Failure `source` where rows of a table cannot all be read
 */
export async function checkReadable(
  { client, facts }: Snapshot,
  tables: readonly Table[],
): Promise<void> {
  const { rows } = await client.query<
    Record<'may' | 'hidden' | 'absent', boolean> & { oid: string }
  >(
    `SELECT c.oid::int8 AS oid, pg_catalog.has_table_privilege(c.oid, 'SELECT') AS may,
            c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))
              AND NOT (SELECT rolbypassrls OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS hidden,
            c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery() AS absent
     FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::int8[]::oid[])`,
    [tables.map(({ oid }) => oid)],
  )
  const nameOf = (oid: string) =>
    showName(tables.find((table) => table.oid === Number(oid)) as Table)
  const forbidden = rows.filter((row) => !row.may).map((row) => nameOf(row.oid))
  if (forbidden.length > 0) {
    throw new Failure(
      'source',
      `this user may not read ${forbidden.join(', ')} in ${facts.database}`,
      {
        hint: 'run GRANT pg_read_all_data TO … on the source',
      },
    )
  }
  const hidden = rows.filter((row) => row.hidden).map((row) => nameOf(row.oid))
  if (hidden.length > 0) {
    throw new Failure(
      'source',
      `row-level security hides rows of ${hidden.join(', ')} from this user`,
      {
        hint: 'run ALTER ROLE … BYPASSRLS on the source, or connect as the owner',
      },
    )
  }
  const absent = rows.filter((row) => row.absent).map((row) => nameOf(row.oid))
  if (absent.length > 0) {
    throw new Failure('source', `a standby has no rows of unlogged tables: ${absent.join(', ')}`, {
      hint: 'omit them in the rule file, or name the primary as the source',
    })
  }
}

/** Tables whose rows only a primary has: unlogged ones, where the source is a standby. Empty elsewhere. */
export async function readAbsent({ client, facts }: Snapshot): Promise<Set<number>> {
  if (!facts.inRecovery) return new Set()
  const { rows } = await client.query<{ oid: string }>(
    `SELECT oid::int8 AS oid FROM pg_catalog.pg_class WHERE relpersistence = 'u' AND relkind = 'r'`,
  )
  return new Set(rows.map(({ oid }) => Number(oid)))
}
