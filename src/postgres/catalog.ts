import type { QualifiedName } from './identifiers.ts'

/** The classes of column types that masks tell apart; arrays and domains by their base type. */
export type TypeClass =
  | 'text' // text, varchar, bpchar, citext, name
  | 'date'
  | 'timestamp'
  | 'timestamptz'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'money'
  | 'uuid'
  | 'bytea'
  | 'inet' // inet and cidr
  | 'json'
  | 'jsonb'
  | 'other'

/** A column as masking and copying see it. */
export interface Column {
  name: string
  number: number
  /** As `format_type` prints it, for people. */
  typeName: string
  /** Base type's class, of the element where `isArray`. */
  typeClass: TypeClass
  isArray: boolean
  /** Length limit in characters of (the element of) a varchar or char column; domains looked through. */
  maxChars: number | undefined
  notNull: boolean
  /** A generated column follows its inputs and is not copied. */
  generated: boolean
  identity: boolean
  /** Why COPY's binary form of this type does not travel between servers; undefined: it does. */
  textOnly: string | undefined
  /** The type as SQL, for casts. */
  sqlType: string
  /** citext: values that differ in case are equal to the server. */
  ignoresCase: boolean
  /** A domain with constraints stands over the type. */
  constrainedDomain: boolean
}

export interface UniqueIndex {
  name: string
  /** Numbers of the columns it needs: keys, and columns within expressions. */
  columns: number[]
  /** Some key is an expression, like `lower(email)`. */
  hasExpression: boolean
  isExclusion: boolean
  isPartial: boolean
  nullsNotDistinct: boolean
}

export interface ForeignKey {
  name: string
  columns: number[]
  referencedOid: number
  referencedColumns: number[]
}

export interface Check {
  name: string
  columns: number[]
  /** The condition as SQL over the table's columns. */
  expression: string
}

/** A table (or partition, or materialised view) of the source. */
export interface Table extends QualifiedName {
  oid: number
  kind: 'table' | 'partitioned' | 'foreign'
  /** Nearest parents, by partitioning or inheritance. */
  parents: number[]
  isPartition: boolean
  /** Columns in the partition key (of a partitioned table); null: an expression is among them. */
  partitionKey: number[] | null
  columns: Column[]
  uniqueIndexes: UniqueIndex[]
  foreignKeys: ForeignKey[]
  checks: Check[]
  /** Rows as the statistics guess them; 0 where never analysed. */
  estimatedRows: number
  /** Heap and TOAST, in bytes. */
  bytes: number
  /** Pages of the heap. */
  pages: number
  /** Ranges of ctid can be scanned: a plain heap. */
  isHeap: boolean
  rowSecurity: boolean
  /** Belongs to an extension: `config` is the row filter of a configuration table, else undefined. */
  extension: string | undefined
  extensionFilter: string | undefined
}

export interface Sequence extends QualifiedName {
  /** Of an extension that does not dump it. */
  skip: boolean
}

export interface Catalog {
  tables: Table[]
  sequences: Sequence[]
  /** In the order in which they can be refreshed. */
  materializedViews: QualifiedName[]
  /** name → version */
  extensions: Map<string, string>
  largeObjects: number
}
