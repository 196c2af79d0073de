import { serveJobs } from '../jobs/serve.ts'
import type { Endpoint } from '../postgres/connect.ts'
import { joinSnapshot } from '../source/snapshot.ts'
import { openStore } from '../store/open.ts'
import type { StoreSettings } from '../store/store.ts'
import { runBackupJob, type BackupJob, type BackupResult, type BackupSession } from './job.ts'

/**
 * What a worker needs before its first job. It comes over the IPC channel: neither passwords nor the passphrase become
 * arguments or environment.
 */
export interface BackupSetup {
  source: Endpoint
  snapshotId: string
  encoding: string
  store: StoreSettings
  passphrase: Uint8Array
  digestKey: Uint8Array
  level: number
}

async function open(setup: BackupSetup): Promise<BackupSession> {
  const { source, snapshotId, encoding } = setup
  const [client, store] = await Promise.all([
    joinSnapshot(source, snapshotId, encoding),
    openStore(setup.store),
  ])
  return {
    source,
    client,
    store,
    snapshotId,
    sqlAscii: encoding === 'SQL_ASCII',
    sealing: { passphrase: Buffer.from(setup.passphrase), level: setup.level },
    digestKey: Buffer.from(setup.digestKey),
  }
}

serveJobs<BackupSetup, BackupSession, BackupJob, BackupResult>(open, (job, session, progress) =>
  runBackupJob(job, session, progress),
)
