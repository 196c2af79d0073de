import { Failure, toPlainFailure } from '../errors.ts'
import { dumpStructure, type DumpRequest } from '../postgres/pg-dump.ts'
import { cutStatements, type Statement } from '../postgres/statements.ts'
import { planStructure } from '../sink/structure-plan.ts'
import { findLiterals, type Literal } from '../source/literals.ts'
import type { Structure, StructureAnswer, StructureRequest } from './structure.ts'

/**
 * A process that reads the structure once and ends: dumps and parse trees of a large database take memory
 * that the parent would never give back.
 */

/** Milliseconds for clearing up. */
const GRACE = 1_000

/** Aborts when nobody waits for the structure any more. */
const ended = new AbortController()

async function* statements(dump: Promise<string>): AsyncGenerator<Statement> {
  yield* cutStatements(await dump)
}

async function read(request: StructureRequest): Promise<Structure> {
  const { signal } = ended
  const dump = (section: DumpRequest['section']) => dumpStructure({ ...request, section, signal })
  const preData = dump('pre-data')
  // A pg_dump of the machine's runs beside the other one; in WebAssembly, two take too much memory.
  const beside = request.dumper.form === 'native' ? Promise.resolve() : preData
  const postData = beside.then(() => dump('post-data'))
  postData.catch(() => {})
  const literals: Literal[] = []
  const plan = await planStructure(statements(preData), statements(postData), (statement) =>
    literals.push(...findLiterals(statement)),
  )
  return { plan, literals }
}

async function answer(request: StructureRequest): Promise<StructureAnswer> {
  try {
    return await read(request)
  } catch (error) {
    if (error instanceof Failure) return { failure: toPlainFailure(error) }
    const stack = error instanceof Error ? error.stack : undefined
    return { failure: { kind: 'bug', message: 'cannot read the structure' }, stack }
  }
}

process.once('message', (request: StructureRequest) => {
  void answer(request).then((message) => {
    if (process.connected) process.send?.(message, () => process.connected && process.disconnect())
  })
})
// The parent decides about signals; a terminal sends them to the whole group.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => {
  ended.abort()
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), GRACE).unref()
})
