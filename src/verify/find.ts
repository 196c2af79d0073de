import {
  findBackup,
  readWhole,
  scanStore,
  wrongFiles,
  type Backup,
  type Files,
} from '../backup/backups.ts'
import { stampTime } from '../backup/label.ts'
import { LABEL, readManifest, type ManifestObject } from '../backup/manifest.ts'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Store } from '../store/store.ts'
import type { StepRecord } from './step.ts'

const HOUR = 3600
/** Part of the schedule that a backup may be late: jobs wait, and clocks are changed by an hour twice a year. */
const SLACK = 1 / 48
/** More than this part of it between two backups: one is missing. */
const MISSED = 1.5

export interface FindRequest {
  store: Store
  labels: ReadonlyMap<string, Files>
  signers: readonly PublicKeyFile[]
  label: string
  /** Hours in which a backup is expected. */
  everyHours: number
}

/**
 * Checks a backup as far as that goes without its secret: signature, chain, presence and size of its objects.
 *
 * @param records of the steps `signature` and `objects`
 * @returns undefined where it cannot be believed
 * @throws Failure `store`
 */
export async function findForTest(
  records: { signature: StepRecord; objects: StepRecord },
  request: FindRequest,
): Promise<Backup | undefined> {
  const { store, signers, label, labels } = request
  const { signature, objects } = records
  signature.checks++
  try {
    const backup = await findBackup(store, signers, { label, name: undefined })
    signature.note(`signed by ${backup.signedBy}, number ${backup.manifest.sequence} of its chain`)
    checkPrevious(signature, backup, labels)
    checkSchedule(signature, backup, request)
    return backup
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'integrity') throw error
    // Who says that an object is wrong has found the signature good before.
    const listed = await listedObjects(store, label)
    if (!listed.some(({ name }) => error.message.startsWith(`${label}/${name} `))) {
      signature.fail(error.message)
      return undefined
    }
    const files = (await scanStore(store, label)).get(label) ?? new Map<string, number>()
    objects.checks += listed.length
    // All of them, not the first alone.
    const wrong = new Set([error.message, ...wrongFiles(label, listed, files)])
    for (const message of wrong) objects.fail(message)
    return undefined
  }
}

/** What the manifest lists, whoever wrote it. */
async function listedObjects(store: Store, label: string): Promise<ManifestObject[]> {
  try {
    const bytes = await readWhole(store, `${label}/manifest.json`, 256 * 1024 * 1024)
    return readManifest(bytes, label).objects
  } catch (error) {
    if (error instanceof Failure && error.kind === 'integrity') return []
    throw error
  }
}

/** What retention has removed cannot be followed; only the latest are sure to be there. */
function checkPrevious(
  record: StepRecord,
  { manifest }: Backup,
  labels: ReadonlyMap<string, Files>,
): void {
  const { previous } = manifest
  record.checks++
  if (!previous) record.note('the first of its chain')
  else if (labels.get(previous.label)?.has('manifest.json'))
    record.note(`follows ${previous.label}`)
  else record.warn(`follows ${previous.label}, which is not in the store any more`)
}

function checkSchedule(
  record: StepRecord,
  { label, manifest }: Backup,
  { everyHours }: FindRequest,
): void {
  const interval = intervalOf(label, manifest.previous?.label)
  if (interval !== null && interval > everyHours * HOUR * MISSED) {
    record.warn(
      `a backup is missing before this one: ${hours(interval)} h passed, one is expected every ${everyHours} h`,
    )
  }
}

/**
 * Says that the latest backup should not be the latest any more; undefined: it may.
 *
 * @param at now, in milliseconds
 */
export function lateness(label: string, everyHours: number, at: number): string | undefined {
  const age = (at - timeOf(label)) / 1000
  if (age <= everyHours * HOUR * (1 + SLACK)) return undefined
  return `a backup is missing: the latest, ${label}, is ${hours(age)} h old, one is expected every ${everyHours} h`
}

function hours(seconds: number): string {
  return (seconds / HOUR).toFixed(1)
}

/** When the snapshot of a backup was taken, in milliseconds: its label says it. */
export function timeOf(label: string): number {
  return stampTime(LABEL.parse(label))
}

/** Seconds between a backup and the one it follows; null: it follows none. */
export function intervalOf(label: string, previous: string | undefined): number | null {
  return previous === undefined ? null : Math.max(0, (timeOf(label) - timeOf(previous)) / 1000)
}
