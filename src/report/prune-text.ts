import { visible } from './display.ts'
import type { PruneEvent, PruneOutcome } from './events.ts'
import { grid, type GridColumn } from './grid.ts'
import { plural, size } from './numbers.ts'
import type { Style } from './style.ts'

const WORDS: Readonly<Record<PruneOutcome, string>> = {
  kept: 'keep',
  removed: 'removed',
  'would-remove': 'REMOVE',
  refused: 'LOCKED',
}

const COLUMNS: GridColumn[] = [
  { title: 'label' },
  { title: 'proven' },
  { title: 'size', align: 'right' },
  { title: 'decision' },
  { title: 'why' },
]

/** What retention has decided, backup by backup, newest first. */
export function pruneText(event: PruneEvent, style: Style): string {
  const { store, backups, leftovers, stranded, dryRun } = event
  const sorted = backups.toSorted((a, b) => (a.time < b.time ? 1 : -1))
  const [title = '', ...rows] = grid(
    COLUMNS,
    sorted.map(({ label, proven, bytes, outcome, reasons }) => [
      label,
      proven ? 'yes' : 'no',
      size(bytes),
      WORDS[outcome],
      visible(reasons.join('; ')),
    ]),
  )
  const lines = [
    style.bold(visible(`${headline(event)} in ${store}`)),
    ...(rows.length > 0 ? ['', style.dim(title), ...rows] : []),
  ]
  if (leftovers.length > 0) lines.push('')
  for (const { label, objects, bytes, outcome } of leftovers) {
    const what = `${plural(objects, 'object')}, ${size(bytes)} of a backup that was never committed`
    const young = outcome === 'kept' ? ', perhaps under way' : ''
    lines.push(`${label}: ${what}: ${WORDS[outcome]}${young}`)
  }
  if (stranded.length > 0) lines.push('')
  for (const line of stranded) lines.push(`${dryRun ? 'REMOVE' : 'removed'}: ${visible(line)}`)
  return `${lines.join('\n')}\n`
}

function headline({ backups, dryRun }: PruneEvent): string {
  const gone = backups.filter(({ outcome }) => outcome === 'removed' || outcome === 'would-remove')
  const bytes = gone.reduce((sum, each) => sum + each.bytes, 0)
  const of = `${gone.length} of ${plural(backups.length, 'backup')}, ${size(bytes)},`
  return dryRun ? `would remove ${of}` : `removed ${of}`
}
