import type { LoadSession } from '../../backup/load.ts'
import { openLoadSession, type LoadSetup } from '../../backup/load-session.ts'
import { serveJobs } from '../../jobs/serve.ts'
import type { JobResult } from '../job.ts'
import { runSealedJob, type SealedJob } from './job.ts'

serveJobs<LoadSetup, LoadSession, SealedJob, JobResult>(
  (setup) => openLoadSession(setup, 'write'),
  runSealedJob,
)
