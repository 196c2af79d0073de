import type pg from 'pg'
import { Failure } from '../errors.ts'
import { serverFailure } from '../postgres/connect.ts'
import { hearWarnings } from './restore-sql.ts'
import type { Warn } from './structure.ts'

/** Bytes of SQL sent at once. */
const BATCH = 1024 * 1024
const NEWLINE = 0x0a

/**
 * Runs the SQL of large objects: statements that each end with their line. What is in memory at a time is one batch
 * of them and the line that is not complete yet.
 *
 * @param sql in pieces of any size
 * @param warn is told of owners and privileges that the target lacks or refuses
 * @throws Failure `sink` where the target refuses a statement, `integrity` where the SQL ends too soon; the
 *   transaction that was under way is then rolled back, and those before it stand
 */
export async function loadLargeObjects(
  client: pg.Client,
  sql: AsyncIterable<Uint8Array>,
  warn: Warn = () => {},
): Promise<void> {
  const stopHearing = hearWarnings(client, warn)
  try {
    let last = ''
    for await (const batch of wholeLines(sql)) {
      await client.query(batch)
      last = (last + batch.slice(-LONGEST_END)).slice(-LONGEST_END)
    }
    if (last !== '' && !ENDS.some((end) => last.endsWith(end))) throw cut()
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {})
    throw serverFailure('sink', 'write the large objects', error)
  } finally {
    stopHearing()
  }
}

/** The end of a transaction, and that of SQL without any object. */
const ENDS = ['\nCOMMIT;\n', ' = on;\n']
const LONGEST_END = Math.max(...ENDS.map((end) => end.length))

async function* wholeLines(sql: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let pending: Uint8Array[] = []
  let size = 0
  for await (const chunk of sql) {
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (size + end >= BATCH && end > 0) {
      yield Buffer.concat([...pending, chunk.subarray(0, end)]).toString()
      pending = [chunk.subarray(end)]
      size = chunk.length - end
    } else {
      pending.push(chunk)
      size += chunk.length
      if (size > 4 * BATCH) throw cut()
    }
  }
  const rest = Buffer.concat(pending)
  if (rest.length === 0) return
  if (rest.at(-1) !== NEWLINE) throw cut()
  yield rest.toString()
}

function cut(): Failure {
  return new Failure('integrity', 'the large objects end in the middle of their SQL')
}
