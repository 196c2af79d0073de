import { runLoadJob, type LoadJob, type LoadResult, type LoadSession } from '../backup/load.ts'
import { openLoadSession, useMoneyOf, type LoadSetup } from '../backup/load-session.ts'
import { serveJobs } from '../jobs/serve.ts'
import { openClient, serverFailure } from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'
import { clientEncoding } from '../source/snapshot.ts'
import { runCheckJob, type CheckJob, type CheckResult, type CheckSession } from './job.ts'

/** A worker of a restore test first restores, then checks: one process less to start for each job. */
interface TestSession {
  setup: LoadSetup
  loading: LoadSession
  checking: Promise<CheckSession> | undefined
}

async function open(setup: LoadSetup): Promise<TestSession> {
  return { setup, loading: await openLoadSession(setup, 'restore'), checking: undefined }
}

/** A session that prints rows as the source printed them for the backup. It takes the place of the other. */
async function openCheckSession({ setup, loading }: TestSession): Promise<CheckSession> {
  const { target, encoding, lcMonetary } = setup
  const { digestKey } = loading
  await loading.client.end()
  const client = await openClient(target, 'verify')
  try {
    await client.query(`
      SET client_encoding = ${quoteLiteral(clientEncoding(encoding))};
      SET row_security = off; SET default_transaction_read_only = on;
      SET quote_all_identifiers = off; SET standard_conforming_strings = on;
      SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'`)
  } catch (error) {
    throw serverFailure('sink', `check ${target.label}`, error)
  }
  await useMoneyOf(client, lcMonetary)
  return { client, digestKey }
}

serveJobs<LoadSetup, TestSession, LoadJob | CheckJob, LoadResult | CheckResult>(
  open,
  async (job, session, onProgress) => {
    if (job.kind === 'read' || job.kind === 'count') {
      session.checking ??= openCheckSession(session)
      return runCheckJob(job, await session.checking)
    }
    return runLoadJob(job, session.loading, onProgress)
  },
)
