import type { Manifest } from '../../backup/manifest.ts'
import { Failure } from '../../errors.ts'
import type { Run } from '../../jobs/run.ts'
import type { TablePlan } from '../../mask/table-plan.ts'
import { formatPlace, type RuleFile } from '../../mask/rules.ts'
import type { Catalog, Table } from '../../postgres/catalog.ts'
import { serverFailure } from '../../postgres/connect.ts'
import { showName, type QualifiedName } from '../../postgres/identifiers.ts'
import { TargetSessions } from '../../sink/finish.ts'
import { createStructure, inPhase, runStatements } from '../../sink/structure.ts'
import type { StructurePhase } from '../../sink/structure-plan.ts'
import { readCatalog } from '../../source/catalog.ts'
import type { CopyOptions } from '../options.ts'
import { planTables, warnAboutSource } from '../prepare.ts'
import { provePlan } from '../proofs.ts'
import type { CopyTarget } from '../target.ts'
import type { OpenedBackup } from './open.ts'

export type PlanningOptions = Pick<CopyOptions, 'rules' | 'secret' | 'only' | 'exclude'>

/** Keys decide what follows what and what has to stay apart: rules are resolved against all of them. */
const KEYS: readonly StructurePhase[] = ['index', 'attach', 'foreign-key']

/**
 * Decides every column of a backup. Only PostgreSQL can say what the backup's structure is: it is made, without any
 * row, in a database of its own on the target, which is dropped again whatever comes of it.
 *
 * What is proven on the source by a look at its rows is not proven here: see docs/copy.md.
 *
 * @throws Failure `usage`, `config`, `refused` for rules that do not fit; `sink`
 */
export async function planFromBackup(
  opened: Pick<OpenedBackup, 'backup' | 'structure' | 'foreign'>,
  options: PlanningOptions,
  target: CopyTarget,
  run: Run,
): Promise<TablePlan[]> {
  const { manifest } = opened.backup
  const structure = opened.structure.plan
  const { endpoint } = await target.create(databaseForm(manifest))
  const sessions = new TargetSessions(endpoint, structure)
  run.onEnd(() => sessions.close())
  const plans = await sessions.use(async (client) => {
    // They are told of when it is made for good.
    await createStructure(client, structure, () => {})
    for (const phase of KEYS) await runStatements(client, inPhase(structure, phase), () => {})
    try {
      await client.query('BEGIN')
      const catalog = describe(opened, await readCatalog(client))
      const found = await planTables(catalog, manifest.source.encoding, options)
      refuseConditions(found, options.rules)
      for (const plan of found) if (plan.rows === 'copied') await provePlan(client, plan)
      warnAboutSource(catalog, run.emit)
      return found
    } catch (error) {
      throw serverFailure('sink', `read the catalog of ${endpoint.label}`, error)
    }
  })
  await sessions.close()
  await target.drop()
  // Whatever binary form a column has: the backup holds text.
  return plans.map((plan) => ({
    ...plan,
    codec: 'text',
    codecReason: 'the rows of a backup are text',
  }))
}

/** How the database of the backup was made. */
export function databaseForm({ source }: Manifest) {
  return {
    encoding: source.encoding,
    collate: source.collate,
    ctype: source.ctype,
    localeProvider: source.localeProvider,
    locale: source.locale ?? undefined,
    icuRules: source.icuRules ?? undefined,
  }
}

/** Bytes of a page, as almost every server has them. */
const PAGE = 8192

/** The catalog of the empty structure, with the rows and sizes that the source had. */
function describe(
  { backup: { manifest }, foreign }: Pick<OpenedBackup, 'backup' | 'foreign'>,
  catalog: Catalog,
): Catalog {
  const byName = new Map(catalog.tables.map((table) => [keyOf(table), table]))
  for (const held of manifest.tables) {
    const table = byName.get(keyOf(held))
    if (!table || !hasColumns(table, held.columns)) {
      throw new Failure(
        'refused',
        `${showName(held)} has not the columns on the target that ${manifest.label} holds rows of`,
        { hint: 'does the table belong to an extension that has another version there?' },
      )
    }
    // About what the heap had on the source: masks then take the bounds that they have in a copy of it. What an empty
    // table takes is no heap.
    table.pages = Math.ceil(Math.max(0, held.bytes - table.bytes) / PAGE)
    table.bytes = held.bytes
    table.estimatedRows = held.rows
  }
  // Rules may name them, though their rows are another server's.
  const tables = [...catalog.tables, ...foreign.map(foreignTable)]
  return { ...catalog, tables }
}

function foreignTable(name: QualifiedName, number: number): Table {
  return {
    ...name,
    // No table's of the server.
    oid: -1 - number,
    kind: 'foreign',
    parents: [],
    isPartition: false,
    partitionKey: [],
    columns: [],
    uniqueIndexes: [],
    foreignKeys: [],
    checks: [],
    estimatedRows: 0,
    bytes: 0,
    pages: 0,
    isHeap: false,
    rowSecurity: false,
    extension: undefined,
    extensionFilter: undefined,
  }
}

function hasColumns(table: Table, columns: readonly string[]): boolean {
  const own = table.columns.filter(({ generated }) => !generated).map(({ name }) => name)
  return own.length === columns.length && columns.every((name) => own.includes(name))
}

/** A name as a key of maps. */
export function keyOf({ schema, name }: QualifiedName): string {
  return JSON.stringify([schema, name])
}

/** Conditions are SQL over original rows, which no server is to see here. */
function refuseConditions(plans: readonly TablePlan[], rules: RuleFile): void {
  for (const { table, rows, where, masks } of plans) {
    if (rows === 'none') continue
    const rule = masks.find(({ condition }) => condition >= 0)?.rule
    const key = where === undefined ? 'when' : 'where'
    const place = where === undefined ? rule?.place : placeOf(where, rules)
    if (!place) continue
    throw new Failure(
      'config',
      `${formatPlace(place)}: ${key}: on ${showName(table)} asks the source about its rows, which a copy from a backup cannot`,
      {
        hint:
          key === 'when'
            ? 'mask the column always, or copy from the source'
            : `omit the table, leave it out by --exclude ${showName(table)}, or copy from the source`,
      },
    )
  }
}

function placeOf(where: string, { tables }: RuleFile) {
  const rule = tables.find(
    ({ treatment }) => treatment.kind === 'columns' && treatment.where === where,
  )
  return rule?.place
}
