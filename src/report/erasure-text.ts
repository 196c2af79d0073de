import { visible } from './display.ts'
import type { ErasedRows, ErasureRecordEvent, ErasuresEvent } from './events.ts'
import { grid } from './grid.ts'
import { count, moment, plural } from './numbers.ts'
import type { Style } from './style.ts'

export function erasureRecordText(event: ErasureRecordEvent): string {
  const { number, name, table, column, added, known } = event
  const before = known > 0 ? ` (${count(known)} more stood there already)` : ''
  if (added === 0) {
    return `all of them stand in the ledger of ${name} already: nothing was added\n`
  }
  return [
    visible(
      `record ${count(number)}: ${plural(added, 'person')} in ${table} by ${column}, backups of ${name}${before}`,
    ),
    'from now on no restore brings them back; the database itself was not touched',
    '',
  ].join('\n')
}

export function erasuresText({ store, records }: ErasuresEvent, style: Style): string {
  const persons = records.reduce((sum, record) => sum + record.persons, 0)
  const head = style.bold(
    visible(`${plural(persons, 'erased person')} in the ledger of ${store}, which is whole`),
  )
  if (records.length === 0) return `${head}\n`
  const [title = '', ...rows] = grid(
    [
      { title: 'record', align: 'right' },
      { title: 'when (UTC)' },
      { title: 'by' },
      { title: 'backups of' },
      { title: 'table' },
      { title: 'column' },
      { title: 'persons', align: 'right' },
    ],
    records.map(({ number, time, by, name, table, column, persons: n }) => [
      String(number),
      moment(time),
      visible(by),
      name,
      visible(table),
      visible(column),
      count(n),
    ]),
  )
  return `${[head, '', style.dim(title), ...rows].join('\n')}\n`
}

/** What a restore has done to the rows of erased persons. */
export function erasedLines(erased: readonly ErasedRows[]): string[] {
  if (erased.length === 0) return ['no row of an erased person was in it']
  const parts = erased.map(({ table, deleted, cleared }) => {
    const rest = cleared > 0 ? `, ${count(cleared)} cleared of a reference` : ''
    return visible(`${table} ${count(deleted)} deleted${rest}`)
  })
  return [`rows of erased persons: ${parts.join('; ')}`]
}
