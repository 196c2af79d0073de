/**
 * When something began, in milliseconds: of what begins with a time like `20261122T020000Z`, as labels do. What is
 * no time, like a thirteenth month, counts on; NaN where it begins otherwise.
 */
export function stampTime(text: string): number {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(text) ?? []
  const [, y = Number.NaN, mo = 0, d, h, mi, s] = found.map(Number)
  return Date.UTC(y, mo - 1, d, h, mi, s)
}

/** The chain that a label belongs to: `crm` of `20261122T020000Z-crm`. */
export function labelName(label: string): string {
  return label.slice(label.indexOf('Z-') + 2)
}
