/** The table name that a key of the rule file stands for. */
export interface TableName {
  schema: string
  table: string
  /** `table` holds `*` that stand for any characters. */
  wildcard: boolean
}

/**
 * Reads `table`, `schema.table`, or the same with double-quoted parts. Keys of a rule file are not SQL:
 * a part without quotes is the name exactly as the catalog holds it, capitals and spaces included.
 * Quotes are needed only where the name itself has a dot, a star or a quote in it.
 */
export function parseTableName(text: string): TableName | { error: string; hint?: string } {
  const parts: { name: string; quoted: boolean }[] = []
  const pattern = /"((?:[^"]|"")*)"|([^".]+)/y
  let at = 0
  for (;;) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (!match) return { error: `${JSON.stringify(text)} is not a table name` }
    const [, quoted, plain = ''] = match
    parts.push({ name: quoted?.replaceAll('""', '"') ?? plain, quoted: quoted !== undefined })
    at = pattern.lastIndex
    if (at === text.length) break
    if (text[at] !== '.') return { error: `${JSON.stringify(text)} is not a table name` }
    at++
  }
  const [first, second] = parts
  if (!first || parts.length > 2 || parts.some(({ name }) => name === ''))
    return {
      error: `${JSON.stringify(text)} is not schema.table`,
      hint: 'put double quotes around a part with a dot in it: public."a.b"',
    }
  if (second && !first.quoted && first.name.includes('*'))
    return { error: `${text}: * stands in the name of a table only, not of a schema` }
  const table = second ?? first
  return {
    schema: second ? first.name : 'public',
    table: table.name,
    wildcard: !table.quoted && table.name.includes('*'),
  }
}
