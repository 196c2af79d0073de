const RESTRICT = /^(?:(?:--[^\n]*)?\r?\n)*\\restrict ([A-Za-z0-9]+)\r?\n/

/**
 * A dump as any psql reads it: without pg_dump's own `\restrict` and `\unrestrict` lines, which older ones do not
 * know; the first stands after the comment at the head, the other, with the same key, at the foot.
 */
export function withoutRestrict(dump: string): string {
  const match = RESTRICT.exec(dump)
  if (!match) return dump
  const foot = dump.lastIndexOf(`\n\\unrestrict ${match[1]}`)
  return foot < 0 ? dump.slice(match[0].length) : dump.slice(match[0].length, foot)
}
