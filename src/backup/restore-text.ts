import { quoteLiteral } from '../postgres/identifiers.ts'
import type { ManifestSource } from './manifest.ts'

/** `text` as one word of POSIX sh, whatever is in it. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Without what a terminal would obey. */
export function forTerminal(text: string): string {
  return text.replace(/\p{C}/gu, '?')
}

/**
 * What follows ENCODING in CREATE DATABASE on a server of that major. Before 15 there is only libc; a source with
 * another provider then gets what its libc names say.
 */
export function localeClause(source: ManifestSource, major: 14 | 15 | 16): string {
  const { collate, ctype, localeProvider, locale, icuRules } = source
  const clauses = [`LC_COLLATE ${quoteLiteral(collate)} LC_CTYPE ${quoteLiteral(ctype)}`]
  if (major < 15) return clauses.join(' ')
  if (localeProvider === 'i') {
    clauses.push(`LOCALE_PROVIDER icu ICU_LOCALE ${quoteLiteral(locale ?? '')}`)
    if (icuRules !== null && major > 15) clauses.push(`ICU_RULES ${quoteLiteral(icuRules)}`)
  } else if (localeProvider === 'b') {
    clauses.push(`LOCALE_PROVIDER builtin BUILTIN_LOCALE ${quoteLiteral(locale ?? 'C')}`)
  } else {
    clauses.push('LOCALE_PROVIDER libc')
  }
  return clauses.join(' ')
}
