import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Failure, fromPlainFailure, type PlainFailure } from '../errors.ts'
import type { Endpoint } from '../postgres/connect.ts'
import type { Dumper } from '../postgres/pg-dump.ts'
import type { StructurePlan } from '../sink/structure-plan.ts'
import type { Literal } from '../source/literals.ts'

export interface StructureRequest {
  endpoint: Endpoint
  dumper: Dumper
  snapshot: string
  sqlAscii: boolean
}

/** The structure of the source, taken apart, and places in it that look personal. */
export interface Structure {
  plan: StructurePlan
  literals: Literal[]
}

export type StructureAnswer = Structure | { failure: PlainFailure; stack?: string | undefined }

const WORKER = fileURLToPath(new URL('./structure-worker.js', import.meta.url))

/**
 * Reads the structure in a process of its own, which ends with it.
 *
 * @throws Failure `source`
 */
export function readStructure(request: StructureRequest, signal: AbortSignal): Promise<Structure> {
  const child = fork(WORKER, [], {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  // It then ends by itself, once it has cleared its temporary files away.
  const stop = () => child.connected && child.disconnect()
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  const answer = new Promise<Structure>((resolve, reject) => {
    child.on('error', reject)
    child.on('message', (message) => {
      const reply = message as StructureAnswer
      if (!('failure' in reply)) return resolve(reply)
      if (reply.stack === undefined) return reject(fromPlainFailure(reply.failure))
      const bug = new Error(reply.failure.message)
      bug.stack = reply.stack
      reject(bug)
    })
    child.on('exit', (code, by) =>
      reject(
        new Failure('bug', `the process that reads the structure ended by itself (${by ?? code})`),
      ),
    )
  })
  child.send(request)
  return answer.finally(() => signal.removeEventListener('abort', stop))
}
