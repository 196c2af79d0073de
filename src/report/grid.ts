import { padEnd, padStart, width } from './display.ts'

export interface GridColumn {
  title: string
  align?: 'left' | 'right'
}

/** Lines of a table with aligned columns, titles first; no line has blanks at its end. */
export function grid(columns: readonly GridColumn[], rows: readonly (readonly string[])[]) {
  const widths = columns.map(({ title }, i) =>
    rows.reduce((most, row) => Math.max(most, width(row[i] ?? '')), width(title)),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, i) =>
        (align === 'right' ? padStart : padEnd)(cells[i] ?? '', widths[i] ?? 0),
      )
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...rows.map(line)]
}
