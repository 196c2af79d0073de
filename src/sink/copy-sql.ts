import { quoteIdentifier, quoteQualified, type QualifiedName } from '../postgres/identifiers.ts'

export interface CopyInRequest {
  table: QualifiedName
  columns: readonly string[]
  codec: 'binary' | 'text'
  /** The table was truncated in this transaction: rows can be written as frozen at once. */
  freeze: boolean
}

/** The COPY … FROM STDIN that takes the rows. */
export function copyInSql({ table, columns, codec, freeze }: CopyInRequest): string {
  const list = columns.length > 0 ? ` (${columns.map(quoteIdentifier).join(', ')})` : ''
  return `COPY ${quoteQualified(table)}${list} FROM STDIN (FORMAT ${codec}${freeze ? ', FREEZE' : ''})`
}

/** Empties a table that is empty already, so that this transaction may freeze what it writes. */
export function truncateSql(table: QualifiedName): string {
  return `TRUNCATE ONLY ${quoteQualified(table)}`
}
