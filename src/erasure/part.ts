import type { Manifest, ManifestTable } from '../backup/manifest.ts'
import { Failure } from '../errors.ts'
import { showName, type QualifiedName } from '../postgres/identifiers.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'
import type { Erasures } from './replay.ts'

/**
 * Refuses to restore rows that refer to persons in the ledger of erasures without the rows they refer to: by those
 * alone it can be told whose they are.
 *
 * @param chosen tables whose rows are restored
 * @throws Failure `refused` that names the tables which have to come along
 */
export function checkPart(
  { records }: Pick<Erasures, 'records'>,
  { tables }: Pick<Manifest, 'tables'>,
  chosen: readonly ManifestTable[],
  plan: StructurePlan,
): void {
  if (chosen.length === tables.length) return
  const roots = new Map(tables.map((table) => [key(table), table.root]))
  const rootOf = (table: QualifiedName) => roots.get(key(table)) ?? table
  const wanted = new Set(chosen)
  const some = new Set(chosen.map(({ root }) => key(root)))
  const absent = new Map(
    tables.filter((table) => !wanted.has(table)).map(({ root }) => [key(root), root]),
  )
  const referring = new Map<string, Set<string>>()
  for (const { foreignKey, table } of plan.statements) {
    if (!foreignKey || !table) continue
    const to = key(rootOf(foreignKey.refers))
    referring.set(to, (referring.get(to) ?? new Set()).add(key(rootOf(table))))
  }
  const persons = records.map(({ schema, table }) => key(rootOf({ schema, name: table })))
  const missing = [...reachable(persons, referring)].filter((table) => {
    const after = reachable([table], referring)
    return absent.has(table) && [...after].some((each) => each !== table && some.has(each))
  })
  if (missing.length === 0) return
  const names = missing.map((table) => absent.get(table)).filter((name) => name !== undefined)
  const list = names.map(showName).toSorted().join(', ')
  throw new Failure('refused', `what refers to erased persons cannot be found without ${list}`, {
    hint: `restore ${list} as well, and drop them afterwards if they are not wanted`,
  })
}

/** These tables and all that refer to them, however far. */
function reachable(
  from: readonly string[],
  referring: ReadonlyMap<string, ReadonlySet<string>>,
): Set<string> {
  const found = new Set(from)
  for (const table of found) for (const next of referring.get(table) ?? []) found.add(next)
  return found
}

function key({ schema, name }: QualifiedName): string {
  return JSON.stringify([schema, name])
}
