import type { Files } from '../backup/backups.ts'
import { envelopeName } from '../backup/envelopes.ts'
import { labelName } from '../backup/label.ts'
import { Failure } from '../errors.ts'
import type { Emit } from '../report/events.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import type { VerifyOptions } from './options.ts'
import { digestOf, lastVerdict, readVerdicts } from './verdicts.ts'

/**
 * The labels of the backups to test, oldest first.
 *
 * @throws Failure `usage` where there is none, or not clear which is meant
 */
export async function chooseLabels(
  store: Store,
  labels: ReadonlyMap<string, Files>,
  believed: readonly PublicKeyFile[],
  { label, name, allUnproven }: Pick<VerifyOptions, 'label' | 'name' | 'allUnproven'>,
  emit: Emit,
): Promise<string[]> {
  const there = [...labels]
    .filter(([, files]) => files.has('manifest.json'))
    .map(([each]) => each)
    .filter((each) => name === undefined || each.endsWith(`Z-${name}`))
    .toSorted()
  if (label !== undefined) {
    if (there.includes(label)) return [label]
    throw new Failure('usage', `${store.label} holds no backup ${label}`, {
      hint: 'pgveil list shows what is there',
    })
  }
  const names = new Set(there.map(labelName))
  if (names.size > 1) {
    throw new Failure('usage', `${store.label} holds backups of ${[...names].join(', ')}`, {
      hint: 'say which with --name, or give a --label',
    })
  }
  const latest = there.at(-1)
  if (latest === undefined) {
    throw new Failure('usage', `${store.label} holds no backup${name ? ` of ${name}` : ''}`)
  }
  if (!allUnproven) return [latest]
  const unproven: string[] = []
  for (const each of there) {
    const files = labels.get(each) ?? new Map<string, number>()
    const digest = await digestOf(store, each, files)
    if (digest === undefined) continue
    const found = await readVerdicts(store, { label: each, digest, files }, believed)
    if (['pass', 'fail'].includes(lastVerdict(found)?.outcome ?? '')) continue
    if (files.has(envelopeName('verifier'))) unproven.push(each)
    else {
      const message = `${each} was never proven, and only its custodians can open it`
      emit({ event: 'warning', code: 'never-proven', message })
    }
  }
  if (unproven.length === 0)
    emit({ event: 'note', message: 'every backup that can be opened is tested' })
  return unproven
}
