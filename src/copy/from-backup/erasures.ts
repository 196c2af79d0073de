import type { Backup } from '../../backup/backups.ts'
import type { OperationsSettings } from '../../config/operations.ts'
import { checkPart } from '../../erasure/part.ts'
import { openErasures, replayErasures, type Erasures } from '../../erasure/replay.ts'
import { Failure } from '../../errors.ts'
import type { Run } from '../../jobs/run.ts'
import type { TablePlan } from '../../mask/table-plan.ts'
import { describeColumn } from '../../mask/table-plan.ts'
import { showName, type QualifiedName } from '../../postgres/identifiers.ts'
import type { PublicKeyFile } from '../../seal/keys.ts'
import type { TargetSessions } from '../../sink/finish.ts'
import type { StructurePlan } from '../../sink/structure-plan.ts'
import type { Store } from '../../store/store.ts'
import { keyOf } from './plan.ts'

export interface ErasureOptions {
  signers: PublicKeyFile[]
  /** Where secrets that are named in the settings are found. */
  env: NodeJS.ProcessEnv
  /** How persons who were erased stay so. */
  operations: Pick<OperationsSettings, 'erasure' | 'state'>
}

/**
 * Opens the ledger of erased persons. Its key is the caller's to overwrite.
 *
 * @throws Failure `integrity`, `key`
 */
export function openLedger(
  { signers, env, operations }: ErasureOptions,
  store: Store,
  { manifest }: Backup,
): Promise<Erasures | undefined> {
  const { erasure: settings, state } = operations
  return openErasures({ store, signers, manifest, settings, env, state })
}

/**
 * Refuses a copy in which erased persons could not be found: where the column that they are known by is masked, and
 * where rows that refer to them come without theirs.
 *
 * @throws Failure `refused`
 */
export function checkErasures(
  erasures: Erasures,
  plans: readonly TablePlan[],
  { manifest }: Backup,
  structure: StructurePlan,
): void {
  const copied = plans.filter(({ rows }) => rows === 'copied')
  for (const { schema, table: name, column } of erasures.records) {
    const of = keyOf({ schema, name })
    for (const { table, root, masks } of copied) {
      if (keyOf(table) !== of && keyOf(root) !== of) continue
      const mask = masks.find((each) => each.column.name === column)
      if (!mask) continue
      throw new Failure(
        'refused',
        `${describeColumn(table, mask.column, mask.rule)} is masked, but persons who were erased are known by it: they could not be found in the copy`,
        {
          hint: `omit ${showName(table)}, leave it out by --exclude ${showName(table)}, or copy from the source, where they are erased already`,
        },
      )
    }
  }
  const names = new Set(copied.map(({ table }) => keyOf(table)))
  const chosen = manifest.tables.filter((table) => names.has(keyOf(table)))
  checkPart(erasures, manifest, chosen, structure)
}

/** Removes erased persons from the copy, whose constraints are in place. */
export async function eraseAgain(
  erasures: Erasures,
  sessions: TargetSessions,
  views: readonly QualifiedName[],
  run: Run,
): Promise<void> {
  const { warn } = run
  const erased = await run.phase('erasures', () =>
    sessions.use((client) => replayErasures(client, erasures, { views, warn })),
  )
  for (const { table, deleted, cleared } of erased) {
    run.note(`erased again: ${deleted} rows of ${table}; ${cleared} do not refer to them any more`)
  }
}
