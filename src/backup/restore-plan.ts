import { Failure } from '../errors.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { PlannedTable } from '../report/events.ts'
import { copyInSql, truncateSql } from '../sink/copy-sql.ts'
import type { FinishTable } from '../sink/finish.ts'
import type { LoadJob } from './load.ts'
import { objectOf, type Manifest, type ManifestTable } from './manifest.ts'
import { noteSql } from './restore-notes.ts'

/** A table to restore, and the jobs that load it. */
export interface TableRestore {
  table: ManifestTable
  jobs: LoadJob[]
}

/** Tables whose rows are wanted: names like `public.contact`, `*` for any characters; a root stands for its partitions. */
export function chooseTables(manifest: Manifest, only: readonly string[]): ManifestTable[] {
  if (only.length === 0) return manifest.tables
  const chosen = new Set<ManifestTable>()
  for (const pattern of only) {
    const matching = manifest.tables.filter(
      (table) => matches(pattern, table) || matches(pattern, table.root),
    )
    if (matching.length === 0) {
      throw new Failure('usage', `${pattern} matches no table of ${manifest.label}`, {
        hint: pattern.includes('.')
          ? 'write schema.table; * stands for any characters'
          : `public.${pattern} is meant; ${pattern}.* stands for a whole schema`,
      })
    }
    for (const table of matching) chosen.add(table)
  }
  return manifest.tables.filter((table) => chosen.has(table))
}

function matches(pattern: string, table: QualifiedName): boolean {
  const full = pattern.includes('.') ? pattern : `public.${pattern}`
  const expression = full.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  const regex = new RegExp(`^${expression.join('.*')}$`, 's')
  return regex.test(`${table.schema}.${table.name}`) || full === showName(table)
}

/** The jobs of a restore, largest table first. Objects that are in already have none. */
export function planLoading(
  manifest: Manifest,
  tables: readonly ManifestTable[],
  loaded: ReadonlySet<string>,
): TableRestore[] {
  let id = 0
  return tables
    .toSorted((a, b) => b.bytes - a.bytes)
    .map((table) => ({
      table,
      jobs: table.segments
        .filter((name) => !loaded.has(name))
        .map((name) => loadJob(manifest, table, name, id++)),
    }))
}

function loadJob(manifest: Manifest, table: ManifestTable, name: string, id: number): LoadJob {
  const { segments, into, columns } = table
  // Only a table that this transaction truncated can be frozen, and only where rows go straight into it.
  const isOwn = into.schema === table.schema && into.name === table.name
  const freeze = segments.length === 1 && isOwn && !table.configuration
  return {
    id,
    kind: 'rows',
    table: showName(table),
    object: objectOf(manifest, name),
    of: { schema: table.schema, name: table.name },
    tree: isOwn ? undefined : into,
    copyIn: copyInSql({ table: into, columns, codec: 'text', freeze }),
    prepare: freeze ? truncateSql(table) : undefined,
    finish: noteSql(name),
  }
}

/** In the place of a table: what keys the digest of large objects' contents. */
export const LARGE_OBJECTS: QualifiedName = { schema: '', name: 'large objects' }

/** The jobs that bring large objects back. */
export function planLargeObjects(manifest: Manifest, loaded: ReadonlySet<string>): LoadJob[] {
  return manifest.objects
    .filter(({ name }) => name.startsWith('large-objects.') && !loaded.has(name))
    .map((object, i) => ({
      id: 1_000_000_000 + i,
      kind: 'large-objects',
      table: 'large objects',
      object,
      of: LARGE_OBJECTS,
      tree: undefined,
      copyIn: '',
      prepare: undefined,
      finish: noteSql(object.name),
    }))
}

/** What finishing has to know of the tables. */
export function finishTables(manifest: Manifest, chosen: readonly ManifestTable[]): FinishTable[] {
  const wanted = new Set(chosen)
  const roots = new Map<string, FinishTable>()
  const tables = manifest.tables.map((table): FinishTable => {
    const { schema, name, root, bytes } = table
    const isPartition = root.schema !== schema || root.name !== name
    const complete = wanted.has(table)
    if (isPartition) {
      const key = JSON.stringify([root.schema, root.name])
      const top = roots.get(key)
      roots.set(key, {
        table: {
          ...root,
          bytes: (top?.table.bytes ?? 0) + bytes,
          kind: 'partitioned',
          isPartition: false,
        },
        root,
        complete: complete && (top?.complete ?? true),
        empty: !complete && (top?.empty ?? true),
      })
    }
    return {
      table: { schema, name, bytes, kind: 'table', isPartition },
      root,
      complete,
      empty: !complete,
    }
  })
  return [...tables, ...roots.values()]
}

/** For plan and progress. */
export function plannedTable({ table, jobs }: TableRestore): PlannedTable {
  const isPartition = table.root.schema !== table.schema || table.root.name !== table.name
  return {
    table: showName(table),
    ...(isPartition && { partitionOf: showName(table.root) }),
    action: 'rows',
    codec: 'text',
    estimatedRows: table.rows,
    bytes: table.bytes,
    jobs: jobs.length,
    columns: [],
  }
}
