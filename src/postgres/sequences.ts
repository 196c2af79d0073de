import { quoteLiteral, quoteQualified, type QualifiedName } from './identifiers.ts'

/** Where a sequence stands. */
export interface SequenceValue extends QualifiedName {
  /** The last value, a bigint in decimal digits. */
  value: string
  /** That value was handed out: the next is another. */
  called: boolean
}

/** The call that puts a sequence where another stood, as an SQL expression. */
export function setvalSql({ schema, name, value, called }: SequenceValue): string {
  const sequence = quoteLiteral(quoteQualified({ schema, name }))
  return `pg_catalog.setval(${sequence}, ${value}, ${called})`
}
