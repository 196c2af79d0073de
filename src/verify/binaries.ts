import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Failure } from '../errors.ts'
import { copyEmbedded, embeddedBin, embeddedRoot } from './embedded.ts'
import type { Identity } from './identity.ts'

const run = promisify(execFile)

/** A directory with initdb and postgres. */
export interface Binaries {
  bin: string
  major: number
  /** As the server prints it. */
  version: string
}

export interface BinariesRequest {
  /** Major version that the server must have at least. */
  least: number
  /** The only directory that counts, where given. */
  given: string | undefined
  /** Where PATH is read. */
  env: NodeJS.ProcessEnv
  /** Whom the server runs as. */
  identity: Identity
  /** Private to this run: what its user cannot run where it lies is copied there. */
  directory: string
}

/** Directories in which packages put one major version each. */
const PLACES: readonly [root: string, pattern: RegExp, below: string][] = [
  ['/usr/lib/postgresql', /^\d+$/, 'bin'],
  ['/usr', /^pgsql-\d+$/, 'bin'],
  ['/opt/homebrew/opt', /^postgresql@\d+$/, 'bin'],
  ['/usr/local/opt', /^postgresql@\d+$/, 'bin'],
]

/**
 * The server programs to restore with: those of the lowest major version that reads the backup, so that definitions
 * print as on its source where that can be had.
 *
 * @throws Failure `sink` where there are none
 */
export async function findBinaries(request: BinariesRequest): Promise<Binaries> {
  const { least, given, identity } = request
  const looks = (given === undefined ? directories(request.env) : [given]).map((bin) =>
    look(bin, identity),
  )
  if (given === undefined) looks.push(lookEmbedded(request))
  const found = (await Promise.all(looks)).filter((one) => one !== undefined)
  const [best] = found.filter(({ major }) => major >= least).toSorted((a, b) => a.major - b.major)
  if (best) return best
  const seen = found.map(({ version }) => version)
  const where = given === undefined ? 'on this machine' : `in ${given}`
  throw new Failure(
    'sink',
    `there are no programs of PostgreSQL ${least} or newer ${where}${seen.length > 0 ? `, only of ${seen.join(', ')}` : ''}`,
    { hint: 'install the server package, or name its directory by --bin, or a server by --server' },
  )
}

function directories(env: NodeJS.ProcessEnv): string[] {
  const places = PLACES.flatMap(([root, pattern, below]) =>
    namesIn(root)
      .filter((name) => pattern.test(name))
      .map((name) => join(root, name, below)),
  )
  const path = (env['PATH'] ?? '').split(delimiter).filter((part) => part !== '')
  return [...new Set([...path, ...places])].filter((bin) => existsSync(join(bin, 'initdb')))
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** Undefined where that user cannot run them. */
async function look(bin: string, identity: Identity): Promise<Binaries | undefined> {
  try {
    const ask = (name: string) => run(join(bin, name), ['--version'], { ...identity, cwd: '/' })
    const [, { stdout }] = await Promise.all([ask('initdb'), ask('postgres')])
    const [, version, major] = /\(PostgreSQL\) ((\d+)\S*)/.exec(stdout) ?? []
    return version && major ? { bin, version, major: Number(major) } : undefined
  } catch {
    return undefined
  }
}

async function lookEmbedded({
  identity,
  directory,
}: BinariesRequest): Promise<Binaries | undefined> {
  const root = embeddedRoot()
  if (root === undefined) return undefined
  return (
    (await look(embeddedBin(root), identity)) ??
    (await look(copyEmbedded(root, directory, identity), identity))
  )
}
