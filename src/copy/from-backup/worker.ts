import type { LoadSession } from '../../backup/load.ts'
import { serveJobs } from '../../jobs/serve.ts'
import { openClient, serverFailure, type Endpoint } from '../../postgres/connect.ts'
import { quoteLiteral } from '../../postgres/identifiers.ts'
import { clientEncoding } from '../../source/snapshot.ts'
import { openStore } from '../../store/open.ts'
import type { StoreSettings } from '../../store/store.ts'
import type { JobResult } from '../job.ts'
import { runSealedJob, type SealedJob } from './job.ts'

/** What a worker needs before its first job. It comes over the IPC channel: no secret becomes an argument. */
export interface SealedSetup {
  target: Endpoint
  store: StoreSettings
  label: string
  /** Of the source's database. */
  encoding: string
  /** In which `money` was printed. */
  lcMonetary: string | null
  passphrase: Uint8Array
  digestKey: Uint8Array
}

async function open(setup: SealedSetup): Promise<LoadSession> {
  const { target, encoding, lcMonetary, label } = setup
  const [client, store] = await Promise.all([openClient(target, 'write'), openStore(setup.store)])
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
    passphrase: Buffer.from(setup.passphrase),
    digestKey: Buffer.from(setup.digestKey),
  }
}

serveJobs<SealedSetup, LoadSession, SealedJob, JobResult>(open, runSealedJob)
