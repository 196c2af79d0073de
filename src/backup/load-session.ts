import { receiveSecret } from '../jobs/secret-pipe.ts'
import { openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { clientEncoding } from '../source/snapshot.ts'
import { openStore } from '../store/open.ts'
import type { StoreSettings } from '../store/store.ts'
import { splitWorkerSecret } from './worker-secret.ts'
import type { LoadSession } from './load.ts'

/** What a worker that restores needs before its first job; the secret comes over a pipe of its own. */
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
 * @throws Failure `sink`, `store`
 */
export async function openLoadSession(setup: LoadSetup): Promise<LoadSession> {
  const { target, encoding, lcMonetary, label } = setup
  const [client, store] = await Promise.all([openClient(target, 'restore'), openStore(setup.store)])
  try {
    await client.query(`
      SET client_encoding = ${quoteLiteral(clientEncoding(encoding))};
      SET synchronous_commit = off; SET row_security = off`)
  } catch (error) {
    throw serverFailure('sink', `write to ${target.label}`, error)
  }
  // A locale that this machine does not have: money without it still reads as it was printed in most.
  if (lcMonetary !== null) {
    await client
      .query(`SELECT pg_catalog.set_config('lc_monetary', $1, false)`, [lcMonetary])
      .catch(() => {})
  }
  return {
    client,
    store,
    label,
    ...splitWorkerSecret(receiveSecret()),
  }
}
