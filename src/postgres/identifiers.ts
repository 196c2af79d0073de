/** A table, view or sequence by its stored names. */
export interface QualifiedName {
  schema: string
  name: string
}

/** `name` as SQL: always quoted, so any identifier is safe. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** `text` as an SQL string literal, whatever `standard_conforming_strings` is. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`
  return quoted.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted
}

/** `"schema"."name"` as SQL. */
export function quoteQualified({ schema, name }: QualifiedName): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** For people: `schema.name`, quoted only where a part would be read wrongly. */
export function showName({ schema, name }: QualifiedName): string {
  return `${showIdentifier(schema)}.${showIdentifier(name)}`
}

/** For people: as written in rule files. Plain where nothing in it could be misread. */
export function showIdentifier(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_$]*$/u.test(name) ? name : quoteIdentifier(name)
}
