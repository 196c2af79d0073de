import { hkdfSync, randomBytes } from 'node:crypto'
import { Failure } from '../errors.ts'
import { globMatches } from '../mask/match.ts'
import { planMasks, type PlanRequest } from '../mask/plan.ts'
import type { TablePlan } from '../mask/table-plan.ts'
import { MASKS } from '../mask/registry.ts'
import type { Catalog, Table } from '../postgres/catalog.ts'
import { parseEndpoint, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { encodableIn } from '../postgres/encodings.ts'
import { showName } from '../postgres/identifiers.ts'
import type { Emit } from '../report/events.ts'
import { readCatalog } from '../source/catalog.ts'
import { checkReadable } from '../source/readable.ts'
import { checkLargeObjects } from '../source/large-objects.ts'
import { openSnapshot, type Snapshot } from '../source/snapshot.ts'
import type { CheckOptions, CopyOptions } from './options.ts'
import { provePlan } from './proofs.ts'

/** Production as this run sees it: one snapshot, its catalog, and what the rules make of it. */
export interface Prepared {
  source: Endpoint
  snapshot: Snapshot
  catalog: Catalog
  plans: TablePlan[]
}

/** Opens the snapshot of a run that so many workers are to join. The caller closes it. */
export async function openSource(
  url: string,
  workers: number,
): Promise<Pick<Prepared, 'source' | 'snapshot'>> {
  const source = parseEndpoint(url, 'source')
  return { source, snapshot: await openSnapshot(source, workers) }
}

/**
 * Reads the catalog inside the snapshot, resolves the rules and proves them.
 *
 * @throws Failure `source`, `config`, `refused`
 */
export async function prepareSource(
  { source, snapshot }: Pick<Prepared, 'source' | 'snapshot'>,
  options: CheckOptions & Pick<CopyOptions, 'secret'>,
  emit: Emit,
): Promise<Prepared> {
  try {
    const { client, facts } = snapshot
    const catalog = await readCatalog(client)
    // The source answers while masks are prepared, one question after the other.
    let proven = Promise.resolve()
    const prove = (step: () => Promise<void>) => {
      proven = proven.then(step)
      proven.catch(() => {})
    }
    const plans = await planTables(catalog, facts.encoding, options, {
      onCensus: (copied) => {
        prove(() => checkReadable(snapshot, copied))
        if (options.rules.largeObjects !== 'keep') return
        prove(() =>
          checkLargeObjects(client, facts.database, 'write large_objects: omit in the rule file'),
        )
      },
      onPrepared: (plan) => prove(() => provePlan(client, plan)),
    })
    await proven
    warnAboutSource(catalog, emit)
    return { source, snapshot, catalog, plans }
  } catch (error) {
    throw serverFailure('source', `read the catalog of ${source.label}`, error)
  }
}

/**
 * Resolves the rules against a catalog: the census.
 *
 * @throws Failure `usage`, `config`, `refused`
 */
export function planTables(
  catalog: Catalog,
  encoding: string,
  options: Pick<CopyOptions, 'rules' | 'secret' | 'only' | 'exclude'>,
  told: Pick<PlanRequest, 'onCensus' | 'onPrepared'> = {},
): Promise<TablePlan[]> {
  return planMasks({
    ...told,
    rules: options.rules,
    catalog,
    masks: MASKS,
    masterKey: masterKey(options.secret),
    encodable: encodableIn(encoding),
    skip: skippedTables(catalog.tables, options),
  })
}

/** 32 bytes: from the named secret, or drawn for this run and never kept. */
function masterKey(secret: Uint8Array | undefined): Uint8Array {
  if (!secret) return randomBytes(32)
  return new Uint8Array(hkdfSync('sha256', secret, 'pgveil', 'masking secret v1', 32))
}

function skippedTables(
  tables: readonly Table[],
  { only, exclude }: Pick<CopyOptions, 'only' | 'exclude'>,
): Set<number> {
  const byOid = new Map(tables.map((table) => [table.oid, table]))
  const found = (pattern: string) => {
    const matching = tables.filter((table) => namesTable(pattern, table, byOid))
    if (matching.length === 0)
      throw new Failure('usage', `${pattern} matches no table of the source`, {
        hint: pattern.includes('.')
          ? 'write schema.table; * stands for any characters'
          : `public.${pattern} is meant; ${pattern}.* stands for a whole schema`,
      })
    return matching
  }
  const excluded = exclude.flatMap(found)
  if (only.length === 0) return new Set(excluded.map((table) => table.oid))
  const wanted = new Set(only.flatMap(found))
  const skipped = tables.filter((table) => !wanted.has(table))
  return new Set([...skipped, ...excluded].map((table) => table.oid))
}

/** A partitioned table stands for its partitions too. */
function namesTable(pattern: string, table: Table, byOid: Map<number, Table>): boolean {
  const full = pattern.includes('.') ? pattern : `public.${pattern}`
  if (globMatches(full, `${table.schema}.${table.name}`) || full === showName(table)) return true
  return table.parents.some((oid) => {
    const parent = byOid.get(oid)
    return parent !== undefined && namesTable(pattern, parent, byOid)
  })
}

/** Says what is never copied. */
export function warnAboutSource(catalog: Catalog, emit: Emit): void {
  const foreign = catalog.tables.filter((table) => table.kind === 'foreign')
  if (foreign.length > 0) {
    emit({
      event: 'warning',
      code: 'foreign-table-left-out',
      message: `foreign tables are not copied: ${foreign.map(showName).join(', ')}`,
    })
  }
}

/** Exact row counts are not needed anywhere; this one is for tables that were never analysed. */
export function estimateRows(table: Table): number {
  return table.estimatedRows > 0 ? table.estimatedRows : Math.round(table.bytes / 100)
}
