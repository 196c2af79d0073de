/**
 * The candidates that `name` is likely a slip of, best first: at most `limit`, none further than a third
 * of its length away. Letter case counts for nothing.
 */
function nearest(name: string, candidates: Iterable<string>, limit = 3): string[] {
  const wanted = name.toLowerCase()
  const reach = Math.max(1, Math.floor(wanted.length / 3))
  const found: { candidate: string; distance: number }[] = []
  for (const candidate of candidates) {
    const text = candidate.toLowerCase()
    const distance = editDistance(wanted, text)
    if (distance <= reach) found.push({ candidate, distance })
    else if (text.endsWith(`.${wanted}`)) found.push({ candidate, distance: reach })
  }
  found.sort((a, b) => a.distance - b.distance || a.candidate.localeCompare(b.candidate))
  return found.slice(0, limit).map(({ candidate }) => candidate)
}

/** `did you mean a or b`, or undefined where nothing is near; `prefix` stands before each of them. */
export function didYouMean(
  name: string,
  candidates: Iterable<string>,
  prefix = '',
): string | undefined {
  const near = nearest(name, candidates).map((candidate) => `${prefix}${candidate}`)
  return near.length > 0 ? `did you mean ${near.join(' or ')}` : undefined
}

/** Optimal string alignment distance: insert, delete, replace, swap of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1)
      row.push(best)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 0
}
