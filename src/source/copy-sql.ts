import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.ts'

/** Pages of a table's heap: from `from`, up to but without `to`; no `to`: to the end. */
export interface PageRange {
  from: number
  to: number | undefined
}

export interface CopyOutRequest {
  table: QualifiedName
  columns: readonly string[]
  /** SQL conditions whose verdicts travel as the first fields of each row. */
  conditions: readonly string[]
  where: string | undefined
  range: PageRange | undefined
  codec: 'binary' | 'text'
}

/**
 * The COPY … TO STDOUT that reads the rows of one table, without those of its children.
 */
export function copyOutSql(request: CopyOutRequest): string {
  const { table, columns, conditions, where, range, codec } = request
  const format = `TO STDOUT (FORMAT ${codec})`
  const name = quoteQualified(table)
  const list = columns.map(quoteIdentifier)
  if (conditions.length === 0 && !where && !range && columns.length > 0) {
    return `COPY ${name} (${list.join(', ')}) ${format}`
  }
  const filters = [
    where && `(${where})`,
    range && range.from > 0 && `ctid >= '(${range.from},0)'::pg_catalog.tid`,
    range?.to !== undefined && `ctid < '(${range.to},0)'::pg_catalog.tid`,
  ].filter(Boolean)
  const wanted = [...conditions.map((condition) => `(${condition})::bool`), ...list].join(', ')
  const filter = filters.length > 0 ? ` WHERE ${filters.join(' AND ')}` : ''
  return `COPY (SELECT ${wanted} FROM ONLY ${name}${filter}) ${format}`
}

/** Tables smaller than this are not worth cutting. */
const LEAST_RANGE = 64 * 1024 * 1024

/**
 * Cuts a table into page ranges of about equal bytes; TOAST counts with the pages whose rows it belongs
 * to. One range without bounds where cutting does not pay or cannot be done.
 *
 * @param bytes heap and TOAST
 * @param rangeBytes wanted size of a range
 */
export function pageRanges(
  table: { isHeap: boolean; pages: number; bytes: number },
  rangeBytes: number,
): (PageRange | undefined)[] {
  const wanted = Math.floor(table.bytes / Math.max(rangeBytes, LEAST_RANGE))
  const count = Math.min(wanted, table.pages)
  if (!table.isHeap || count < 2) return [undefined]
  return Array.from({ length: count }, (_, i) => ({
    from: Math.floor((table.pages * i) / count),
    to: i === count - 1 ? undefined : Math.floor((table.pages * (i + 1)) / count),
  }))
}
