import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { envelopeName } from '../backup/envelopes.ts'
import type { SigningKey } from '../backup/keys.ts'
import { Failure, systemReason } from '../errors.ts'
import { signDetached } from '../seal/signature.ts'
import type { Store } from '../store/store.ts'
import type { CommandOutput } from './commands.ts'
import { verdictName, writeVerdict, type Verdict } from './verdict.ts'

export interface RecordRequest {
  verdict: Verdict
  signing: SigningKey
  /** Undefined: it lies on this machine only. */
  store: Store | undefined
  /** Directory of all restore tests' logs. */
  logs: string
  outputs: readonly CommandOutput[]
}

/** Where a verdict lies. */
export interface Recorded {
  /** Name in the store; absent: not stored. */
  stored?: string
  /** Directory with the logs. */
  logs: string
}

/**
 * Signs a verdict, and keeps it with its logs on this machine and, without what commands printed, beside the backup.
 * The verifier's envelope is destroyed where the verdict says so.
 *
 * Verdicts are not put under a lock: they go with their backup, whose own lock began earlier.
 *
 * @throws Failure `store`, `config` where logs cannot be written
 */
export async function recordVerdict(request: RecordRequest): Promise<Recorded> {
  const { verdict, signing, store } = request
  const logs = await writeLogs(request)
  if (!store) return { logs }
  const stored = await storeVerdict(store, verdict, signing)
  if (!verdict.envelopeDestroyed) return { stored, logs }
  try {
    await store.delete([`${verdict.label}/${envelopeName('verifier')}`])
  } catch (error) {
    // A later verdict counts: one that does not say what is not so.
    const finished = new Date(Date.parse(verdict.finished) + 1000).toISOString()
    await storeVerdict(store, { ...verdict, finished, envelopeDestroyed: false }, signing)
    const reason = error instanceof Failure ? error.message : 'the store failed'
    throw new Failure(
      'store',
      `the verifier’s envelope of ${verdict.label} is still there: ${reason}`,
      {
        hint: 'delete it: whoever has the verifier’s key opens this backup without the custodians',
        cause: error,
      },
    )
  }
  return { stored, logs }
}

async function storeVerdict(store: Store, verdict: Verdict, signing: SigningKey): Promise<string> {
  const bytes = writeVerdict(verdict)
  const name = `${verdict.label}/${verdictName(verdict)}`
  await store.create(`${name}.asc`, await signDetached(bytes, signing), { lock: false })
  await store.create(name, bytes, { lock: false })
  return name
}

/** A file for each step, and one for what each command printed last; for this user's eyes only. */
async function writeLogs({ verdict, signing, logs, outputs }: RecordRequest): Promise<string> {
  const [stem = ''] = verdictName(verdict).split('/').at(-1)?.split('.') ?? []
  const directory = join(logs, verdict.label, stem)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await chmod(directory, 0o700)
    const write = (name: string, content: string | Buffer) =>
      writeFile(join(directory, name), content, { mode: 0o600 })
    const bytes = writeVerdict(verdict)
    await write('verdict.json', bytes)
    await write('verdict.json.asc', await signDetached(bytes, signing))
    for (const { step, log, seconds, outcome } of verdict.steps) {
      const lines = [...log, `${outcome} after ${seconds.toFixed(1)} s`]
      await write(`${step}.log`, `${lines.join('\n')}\n`)
    }
    for (const [i, { name, lines }] of outputs.entries()) {
      const head = `${name}: the last lines of its output, which may be rows of the database`
      await write(`command-${i + 1}.log`, `${[head, ...lines].join('\n')}\n`)
    }
    return directory
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('config', `cannot write logs to ${directory}: ${systemReason(cause)}`, {
      hint: 'state: in pgveil.yaml names a directory that this user may write to',
      cause,
    })
  }
}
