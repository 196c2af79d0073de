import { serveJobs } from '../jobs/serve.ts'
import { runLoadJob, type LoadJob, type LoadResult, type LoadSession } from './load.ts'
import { openLoadSession, type LoadSetup } from './load-session.ts'

serveJobs<LoadSetup, LoadSession, LoadJob, LoadResult>(
  (setup) => openLoadSession(setup, 'restore'),
  runLoadJob,
)
