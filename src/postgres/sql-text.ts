import { quoteIdentifier, quoteLiteral } from './identifiers.ts'

/**
 * What a file of SQL begins with, so that every psql, and pg, reads the rest the same way. UTF-8 is what we write,
 * whatever the encoding of the database.
 */
export const SQL_HEADER = "SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n"

/** `text` between dollar quotes whose tag does not occur in it. */
export function dollarQuote(text: string): string {
  let tag = '$pgveil$'
  for (let i = 1; text.includes(tag); i++) tag = `$pgveil${i}$`
  return `${tag}${text}${tag}`
}

/** `text` as a string literal that stands on one line. */
export function lineLiteral(text: string): string {
  const quoted = quoteLiteral(text)
  if (!/[\n\r]/.test(quoted)) return quoted
  const escaped = quoted.includes('\\') ? quoted : ` E${quoted}`
  return escaped.replaceAll('\n', '\\n').replaceAll('\r', '\\r')
}

/** Options whose value is a list of names, each quoted by itself: a list as one string would be one name. */
const LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
])

/** A name in double quotes, or without, in a list that the server wrote. */
const LIST_ITEM = /"((?:[^"]|"")*)"|[^,\s][^,]*/g

/**
 * `name=value`, as pg_db_role_setting holds it, as what stands after SET.
 *
 * The list of options that are lists is pg_dump's own: GUC_LIST_QUOTE may be on no other.
 */
export function settingSql(setting: string): string {
  const at = setting.indexOf('=')
  const name = setting.slice(0, at)
  const value = setting.slice(at + 1)
  const items = LISTS.has(name.toLowerCase())
    ? [...value.matchAll(LIST_ITEM)].map(
        ([item, quoted]) => quoted?.replaceAll('""', '"') ?? item.trim(),
      )
    : [value]
  const values = items.length > 0 ? items.map(quoteLiteral).join(', ') : "''"
  return `${name.split('.').map(quoteIdentifier).join('.')} TO ${values}`
}
