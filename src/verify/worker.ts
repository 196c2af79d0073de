import { serveJobs } from '../jobs/serve.ts'
import { openClient, serverFailure, type Endpoint } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { clientEncoding } from '../source/snapshot.ts'
import { runCheckJob, type CheckJob, type CheckResult, type CheckSession } from './job.ts'

/** What a worker that checks needs before its first job; it comes over the IPC channel. */
export interface CheckSetup {
  /** The restored database. */
  endpoint: Endpoint
  /** Of the source's database. */
  encoding: string
  /** In which `money` was printed. */
  lcMonetary: string | null
  digestKey: Uint8Array
}

/** A session that prints rows as the source printed them for the backup. */
async function open(setup: CheckSetup): Promise<CheckSession> {
  const { endpoint, encoding, lcMonetary } = setup
  const client = await openClient(endpoint, 'verify')
  try {
    await client.query(`
      SET client_encoding = ${quoteLiteral(clientEncoding(encoding))};
      SET row_security = off; SET default_transaction_read_only = on;
      SET quote_all_identifiers = off; SET standard_conforming_strings = on;
      SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'`)
  } catch (error) {
    throw serverFailure('sink', `check ${endpoint.label}`, error)
  }
  // As when they were loaded: a locale that this machine does not have leaves its default.
  if (lcMonetary !== null) {
    await client
      .query(`SELECT pg_catalog.set_config('lc_monetary', $1, false)`, [lcMonetary])
      .catch(() => {})
  }
  return { client, digestKey: Buffer.from(setup.digestKey) }
}

serveJobs<CheckSetup, CheckSession, CheckJob, CheckResult>(open, (job, session) =>
  runCheckJob(job, session),
)
