/** Where something stands in a file; line and column count from 1. */
export interface Place {
  file: string
  line: number
  column: number
}

/** `file:line:column`, as editors and terminals make it clickable. */
export function formatPlace({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`
}
