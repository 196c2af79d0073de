import { hostname } from 'node:os'
import type { Settings } from '../config/config.ts'
import type { Flags } from '../config/layers.ts'
import type { StoreSettings } from '../config/store.ts'
import { Failure } from '../errors.ts'
import { userName } from '../who.ts'
import type { StartRecord } from './record.ts'

/** Commands that look at nothing but this program and its records. All others are recorded. */
const UNRECORDED: ReadonlySet<string> = new Set([
  '', // no command, but --help or --version
  'audit show',
  'audit verify',
  'masks',
  'rules schema',
])

/** Commands that only look at backups. Whoever needs them, at night on a machine that has no room, is not to be kept from it. */
const LOOKING: ReadonlySet<string> = new Set(['list', 'report'])

/** Which databases a command works on where no flag says so. */
const DATABASES: Readonly<Record<string, readonly ('source' | 'target')[]>> = {
  copy: ['source', 'target'],
  backup: ['source'],
  restore: ['target'],
  'rules check': ['source'],
}

/** Commands that have nothing to do with the store, whatever the configuration says. */
const STORELESS: ReadonlySet<string> = new Set([
  'keys check',
  'keys init',
  'rules check',
  'unlock answer',
])

/** Arguments as yargs has parsed them. */
export type Arguments = Readonly<Record<string, unknown>>

/** A command that is recorded, with what it is about to do. */
export interface Audited {
  settings: Settings
  start: Omit<StartRecord, 'event' | 'run' | 'time'>
}

/** The name of a command, like `keys check`. */
export function commandOf(args: Arguments): string {
  return (args['_'] as (string | number)[]).join(' ')
}

export function isRecorded(command: string): boolean {
  return !UNRECORDED.has(command)
}

/** Whether the command changes something, so that it has to be recorded where records are wanted. */
export function changes(command: string): boolean {
  return !LOOKING.has(command)
}

/**
 * What is recorded of a command before it starts.
 *
 * @throws Failure like `loadConfig`
 */
export async function describeRun(
  args: Arguments,
  run: { argv: readonly string[]; env: NodeJS.ProcessEnv; cwd: string; tool: string },
): Promise<Audited> {
  const { loadConfig } = await import('../config/config.ts')
  const { env, cwd } = run
  const command = commandOf(args)
  const flags = { config: args['config'], store: args['store'] } as Flags
  const settings = await loadConfig({ flags, env, cwd, needs: [] })
  const start: Audited['start'] = {
    command,
    options: optionsOf(run.argv, args),
    ...whoRuns(env),
    host: hostname(),
    pid: process.pid,
    tool: run.tool,
  }
  const fromBackup = args['fromBackup'] !== undefined
  for (const side of ['source', 'target'] as const) {
    if (side === 'source' && fromBackup) continue
    const isMeant = DATABASES[command]?.includes(side) === true || args[side] !== undefined
    const label = isMeant && (await databaseOf(side, { ...flags, [side]: args[side] }, run))
    if (label) start[side] = label
  }
  const usesStore = command === 'copy' ? fromBackup : !STORELESS.has(command)
  if (usesStore && settings.store) start.store = storeOf(settings.store)
  return { settings, start }
}

/** Names of the options in the arguments, in their order; never what stands behind them. */
function optionsOf(argv: readonly string[], args: Arguments): string[] {
  const names = argv.flatMap((argument) => {
    const name = /^--([a-z][a-z-]*)/.exec(argument)?.[1]
    return name !== undefined && name.replace(/^no-/, '') in args ? [name] : []
  })
  return [...new Set(names)]
}

function whoRuns(env: NodeJS.ProcessEnv): { user: string; sudo?: string } {
  const sudo = env['SUDO_USER']
  return { user: userName(), ...(sudo && { sudo }) }
}

/** A database without its password; undefined where none is set, which the command will say. */
async function databaseOf(
  side: 'source' | 'target',
  flags: Flags,
  { env, cwd }: { env: NodeJS.ProcessEnv; cwd: string },
): Promise<string | undefined> {
  const [{ loadConfig }, { parseEndpoint }] = await Promise.all([
    import('../config/config.ts'),
    import('../postgres/connect.ts'),
  ])
  try {
    const { [side]: url } = await loadConfig({ flags, env, cwd, needs: [side] })
    return url && parseEndpoint(url, side === 'source' ? 'source' : 'sink').label
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

function storeOf(store: StoreSettings): string {
  return store.kind === 'directory' ? store.path : `s3://${store.bucket}/${store.prefix}`
}
