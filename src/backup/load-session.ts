import type pg from 'pg'
import { receiveSecret } from '../jobs/secret-pipe.ts'
import { openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { clientEncoding } from '../source/snapshot.ts'
import { openStore } from '../store/open.ts'
import type { StoreSettings } from '../store/store.ts'
import { splitWorkerSecret } from './worker-secret.ts'
import type { LoadSession } from './load.ts'

/** What a worker that writes the rows of a backup needs before its first job; the secret comes over a pipe of its own. */
export interface LoadSetup {
  target: Endpoint
  store: StoreSettings
  label: string
  /** Of the source's database. */
  encoding: string
  /** In which `money` was printed. */
  lcMonetary: string | null
}

/**
 * A session that writes rows as the source printed them for the backup.
 *
 * @param purpose shown in `application_name`
 * @throws Failure `sink`, `store`
 */
export async function openLoadSession(setup: LoadSetup, purpose: string): Promise<LoadSession> {
  const { target, encoding, lcMonetary, label } = setup
  const [client, store] = await Promise.all([openClient(target, purpose), openStore(setup.store)])
  try {
    await client.query(`
      SET client_encoding = ${quoteLiteral(clientEncoding(encoding))};
      SET synchronous_commit = off; SET row_security = off`)
  } catch (error) {
    throw serverFailure('sink', `write to ${target.label}`, error)
  }
  await useMoneyOf(client, lcMonetary)
  return {
    client,
    store,
    label,
    ...splitWorkerSecret(receiveSecret()),
  }
}

/** A locale that this machine does not have leaves its default: money still reads as it was printed in most. */
export async function useMoneyOf(client: pg.Client, lcMonetary: string | null): Promise<void> {
  if (lcMonetary === null) return
  await client
    .query(`SELECT pg_catalog.set_config('lc_monetary', $1, false)`, [lcMonetary])
    .catch(() => {})
}
