import { z } from '../config/zod.ts'
import { Failure } from '../errors.ts'

/** What a restore test found. Signed by the verifier, it lies beside the backup. Version 1, read for ever. */
export const VERDICT_FORMAT = 'pgveil verdict 1'

/** The steps of a restore test, in order. */
export const STEPS = [
  'signature',
  'objects',
  'restore',
  'compare',
  'health',
  'assertions',
  'commands',
  'limits',
] as const

/** `pass`: all checks ran and held. `fail`: one did not hold. `incomplete`: one could not run, or none did. */
const OUTCOME = z.enum(['pass', 'fail', 'incomplete'])
export type Outcome = z.infer<typeof OUTCOME>

const FINDING = z.strictObject({
  severity: z.enum(['failure', 'incomplete', 'warning']),
  /** Names what was checked, what was expected and what was found; no row value. */
  message: z.string(),
})

const STEP = z.strictObject({
  step: z.enum(STEPS),
  outcome: OUTCOME,
  seconds: z.number().nonnegative(),
  /** Checks that ran. */
  checks: z.int().nonnegative(),
  findings: z.array(FINDING),
  /** What happened, a line each. */
  log: z.array(z.string()),
})

const VERDICT = z.strictObject({
  format: z.literal(VERDICT_FORMAT),
  tool: z.string(),
  label: z.string(),
  /** SHA-256 of the manifest that was tested. */
  manifest: z.string().regex(/^[0-9a-f]{64}$/),
  outcome: OUTCOME,
  /** ISO 8601, UTC. */
  started: z.iso.datetime(),
  finished: z.iso.datetime(),
  /** Machine that ran the test. */
  host: z.string(),
  /** Version of the server it was restored on; null: none was started. */
  server: z.string().nullable(),
  steps: z.array(STEP),
  /** Seconds from the first byte fetched to the last check of the restored data: what a recovery would take. */
  recoverySeconds: z.number().nullable(),
  /** Seconds between this backup's snapshot and the one before: what a loss would cost; null: the first. */
  intervalSeconds: z.number().nullable(),
  rows: z.int().nonnegative(),
  tables: z.int().nonnegative(),
  /** Bytes in the store. */
  stored: z.int().nonnegative(),
  /** Bytes before compression. */
  content: z.int().nonnegative(),
  /** Numbers that assertions have found, by the assertion's name. */
  measured: z.record(z.string(), z.number()).optional(),
  /** The verifier's envelope was destroyed. */
  envelopeDestroyed: z.boolean(),
})

export type Verdict = z.infer<typeof VERDICT>
export type VerdictStep = z.infer<typeof STEP>
export type Finding = z.infer<typeof FINDING>

/** Where a verdict lies below its backup's label; its signature has `.asc` behind. */
export function verdictName({ finished }: Pick<Verdict, 'finished'>): string {
  return `verdicts/${finished.replace(/[-:]/g, '').replace(/\.\d+/, '')}.json`
}

export function writeVerdict(verdict: Verdict): Buffer {
  return Buffer.from(`${JSON.stringify(VERDICT.parse(verdict), null, 2)}\n`)
}

/**
 * Reads a verdict whose signature was checked.
 *
 * @param digest of the manifest of the backup that it lies beside
 * @throws Failure `integrity` where it is none, or that of another backup
 */
export function readVerdict(bytes: Buffer, label: string, digest: string): Verdict {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch {
    json = undefined
  }
  const { success, data } = VERDICT.safeParse(json)
  if (!success) throw new Failure('integrity', `${label}: a verdict cannot be read`)
  if (data.label !== label || data.manifest !== digest) {
    throw new Failure('integrity', `${label}: a verdict belongs to another backup`)
  }
  return data
}

/** The worst of some outcomes; of none, `incomplete`: nothing checked is never a pass. */
export function worst(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('fail')) return 'fail'
  return outcomes.length === 0 || outcomes.includes('incomplete') ? 'incomplete' : 'pass'
}
