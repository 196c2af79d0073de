import type pg from 'pg'
import { serverFailure } from '../postgres/connect.ts'
import { quoteQualified } from '../postgres/identifiers.ts'
import type { StructureStatement } from './structure-plan.ts'

/** Rows of the table referred to above which a hash of its keys no longer fits a processor's caches. */
const HASHED = 100_000

/** A table of so much fewer rows looks each of its keys up faster than it passes all keys of the other. */
const FEWER = 10

/** Rows as far as they are known, which is where an index was built; of a partitioned table those of its largest partition. */
const FACTS = `
  SELECT refers.reltuples AS keys,
         (SELECT max(c.reltuples) FROM pg_catalog.pg_class c
          WHERE c.oid = "from".oid OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree("from".oid) WHERE isleaf)) AS rows,
         EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = "from".oid AND i.indpred IS NULL
           AND (SELECT array_agg(a.attname::text ORDER BY a.attname::text COLLATE "C")
                FROM unnest((i.indkey::int2[])[0:cardinality($3::text[]) - 1]) k
                JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k) = $3) AS indexed
  FROM pg_catalog.pg_class "from", pg_catalog.pg_class refers
  WHERE "from".oid = pg_catalog.to_regclass($1) AND refers.oid = pg_catalog.to_regclass($2)`

/**
 * Settings under which the server checks a foreign key over the rows that are there, as SQL to put before the statement.
 *
 * It looks for rows without a key in one join of both tables, and would hash the keys, as if that cost the same for a million
 * as for a thousand. Both sides were just sorted, for their indexes: to go along these takes a third to a half of the time,
 * and no memory. Only the way changes, never what is checked.
 *
 * @throws Failure `sink`
 */
export async function checkSettings(
  client: pg.Client,
  { foreignKey, table, what }: StructureStatement,
): Promise<string> {
  if (!foreignKey?.checked || !table) return ''
  const tables = [quoteQualified(table), quoteQualified(foreignKey.refers)]
  const { rows } = await client
    .query<{ keys: number; rows: number; indexed: boolean }>(FACTS, [
      ...tables,
      foreignKey.columns.toSorted(),
    ])
    .catch((error: unknown) => {
      throw serverFailure('sink', `create ${what}`, error)
    })
  const [facts] = rows
  if (!facts || facts.keys < HASHED) return ''
  if (facts.indexed && facts.rows >= 0 && facts.rows * FEWER <= facts.keys) {
    return 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; '
  }
  // A table without such an index is sorted for it.
  const isLarger = facts.rows < 0 || facts.rows > facts.keys
  return facts.indexed || !isLarger ? 'SET LOCAL enable_hashjoin = off; ' : ''
}
