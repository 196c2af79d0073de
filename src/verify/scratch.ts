import type { Manifest } from '../backup/manifest.ts'
import { Failure } from '../errors.ts'
import { openMaintenance } from '../sink/maintenance.ts'
import { parseEndpoint, type Endpoint } from '../postgres/connect.ts'
import { readServerFacts } from '../source/snapshot.ts'
import { startScratch } from './scratch-server.ts'

/** Of the database that is restored into; with a suffix that is drawn each time. */
const DATABASE = 'pgveil_verify'

export interface ScratchSettings {
  /** Connection URL of a server to restore on; undefined: one is started. */
  server: string | undefined
  /** Directory with initdb and postgres; undefined: searched for. */
  bin: string | undefined
  env: NodeJS.ProcessEnv
  jobs: number
}

/** A server to restore on. */
export interface Scratch {
  /** Connection URL of a database that is not there. */
  url: string
  version: string
  stop: () => Promise<void>
}

/**
 * Starts a server, or looks at the one that was given.
 *
 * @throws Failure `refused` where that is the server the backup is of; `sink`
 */
export async function openScratch(
  { server, bin, env, jobs }: ScratchSettings,
  manifest: Manifest,
  note: (message: string) => void,
): Promise<Scratch> {
  if (server === undefined) {
    const least = Math.floor(manifest.source.versionNumber / 10_000)
    const started = await startScratch({ least, bin, env, jobs, note })
    return { ...started, url: withPath(started.url) }
  }
  const endpoint = parseEndpoint(server, 'sink')
  const maintenance = await openMaintenance(endpoint)
  try {
    const { systemIdentifier, version } = await readServerFacts(maintenance)
    if (systemIdentifier !== undefined && systemIdentifier === manifest.source.systemIdentifier) {
      throw isSource(endpoint)
    }
    return { url: withPath(server), version, stop: async () => {} }
  } finally {
    await maintenance.end().catch(() => {})
  }
}

function withPath(url: string): string {
  const parsed = new URL(url)
  parsed.pathname = `/${DATABASE}`
  return parsed.href
}

function isSource({ label }: Endpoint): Failure {
  return new Failure('refused', `${label} is the server that the backup is of`, {
    hint: 'a restore test there would prove little and burden production: name another by --server, or none',
  })
}
