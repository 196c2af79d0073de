import type pg from 'pg'
import { serverFailure } from '../postgres/connect.ts'
import type { Warn } from './structure.ts'

/**
 * Runs the SQL of a backup that is not structure: roles, settings. It goes on where the target lacks or refuses
 * something, and says so with a WARNING, which becomes one of ours.
 *
 * @param doing for people, like `create roles`
 * @throws Failure `sink`
 */
export async function runRestoreSql(
  client: pg.Client,
  sql: string,
  doing: string,
  warn: Warn,
): Promise<void> {
  const stopHearing = hearWarnings(client, warn)
  try {
    await client.query(sql)
  } catch (error) {
    throw serverFailure('sink', doing, error)
  } finally {
    stopHearing()
  }
}

/** Passes on what the SQL of a backup warns of, until the result is called. */
export function hearWarnings(client: pg.Client, warn: Warn): () => void {
  const hear = ({
    severity,
    message,
  }: {
    severity?: string | undefined
    message?: string | undefined
  }) => {
    if (severity === 'WARNING' && message !== undefined) warn('restore-left-out', message)
  }
  client.on('notice', hear)
  return () => client.off('notice', hear)
}
