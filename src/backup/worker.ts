import { Failure } from '../errors.ts'
import { receiveSecret } from '../jobs/secret-pipe.ts'
import { serveJobs } from '../jobs/serve.ts'
import type { Endpoint } from '../postgres/connect.ts'
import { joinSnapshot, type Joining } from '../source/snapshot.ts'
import { loadStore, openStore } from '../store/open.ts'
import type { StoreSettings } from '../store/store.ts'
import { Finishing } from './finishing.ts'
import { runBackupJob, type BackupJob, type BackupResult, type BackupSession } from './job.ts'
import { splitWorkerSecret } from './worker-secret.ts'

/**
 * What a worker needs before its first job. It comes over the IPC channel: passwords do not become arguments or
 * environment. The secret comes over a pipe: see worker-secret.ts.
 */
export interface BackupSetup extends Joining {
  source: Endpoint
  store: StoreSettings
  level: number
}

// While the parent looks at everything, there is time for it.
void loadStore(process.argv[2] as StoreSettings['kind']).catch(() => {})

const ended = new AbortController()
let session: BackupSession | undefined

async function open(setup: BackupSetup): Promise<BackupSession> {
  const { source, snapshotId, encoding } = setup
  const [client, store] = await Promise.all([joinSnapshot(source, setup), openStore(setup.store)])
  const { passphrase, digestKey } = splitWorkerSecret(receiveSecret())
  session = {
    source,
    client,
    store,
    snapshotId,
    sqlAscii: encoding === 'SQL_ASCII',
    sealing: { passphrase, level: setup.level },
    digestKey,
    finishing: new Finishing(),
    signal: ended.signal,
  }
  return session
}

/** What waits for the store is told; what waits for the source loses its connection. */
async function stop(): Promise<void> {
  ended.abort(new Failure('interrupted', 'the run was stopped'))
  await session?.client.end()
}

serveJobs<BackupSetup, BackupSession, BackupJob, BackupResult>(open, runBackupJob, stop)
