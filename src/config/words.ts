// The command line needs these before it has a command: they stand apart from files that take a schema library.

export const PG_DUMPS = ['auto', 'native', 'wasm'] as const
export type PgDump = (typeof PG_DUMPS)[number]

/** `a, b` as `['a', 'b']`. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
