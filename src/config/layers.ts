import { resolve } from 'node:path'
import { z } from './zod.ts'
import { Failure } from '../errors.ts'
import { BACKUP_SCHEMA, type BackupSettings } from './backup.ts'
import { PG_DUMPS, splitList, type PgDump } from './words.ts'
import { didYouMean } from './nearest.ts'
import type { SecretSource } from './secret.ts'
import { OPERATIONS_SCHEMA, type OperationsSettings } from './operations.ts'
import { parseStore, STORE_SCHEMA, type StoreSettings } from './store.ts'
import { checkUrl } from './url.ts'

export type { PgDump } from './words.ts'

/** What one place of configuration says; keys it does not set are absent. Paths are absolute. */
export interface Layer {
  source?: string
  target?: string
  rules?: string
  jobs?: number
  secret?: SecretSource
  production?: string[]
  keepPrevious?: boolean
  only?: string[]
  exclude?: string[]
  replace?: string
  pgDump?: PgDump
  allowSameServer?: boolean
  store?: StoreSettings
  backup?: BackupSettings
  operations?: OperationsSettings
}

/** Flags as the command line gives them, already typed by yargs. */
export interface Flags {
  config?: string | undefined
  source?: string | undefined
  target?: string | undefined
  rules?: string | undefined
  jobs?: number | undefined
  keepPrevious?: boolean | undefined
  only?: string[] | undefined
  exclude?: string[] | undefined
  replace?: string | undefined
  pgDump?: PgDump | undefined
  allowSameServer?: boolean | undefined
  store?: string | undefined
}

const JOBS = z
  .int({ error: 'expected a whole number from 1 to 64' })
  .min(1, 'expected a whole number from 1 to 64')
  .max(64, 'expected a whole number from 1 to 64')

const PRODUCTION = z
  .string({ error: 'expected text: put quotes around it' })
  .regex(
    /^(\d{15,20}|(\[[0-9A-Fa-f:.]+\]|[^\s:/]+):\d{1,5}(\/.+)?)$/,
    'expected host:port, host:port/database or a system identifier',
  )

const NAME = z.string().min(1, 'expected a name')

/** pgveil.yaml. */
export const FILE_SCHEMA = z.strictObject({
  source: z.string().optional(),
  target: z.string().optional(),
  rules: z.string().min(1, 'expected a path').optional(),
  jobs: JOBS.optional(),
  secret: z
    .union([z.strictObject({ env: NAME }), z.strictObject({ file: NAME })], {
      error: 'expected { env: NAME } or { file: path }; the secret itself never stands here',
    })
    .optional(),
  production: z.array(PRODUCTION).optional(),
  keepPrevious: z.boolean().optional(),
  only: z.array(NAME).optional(),
  exclude: z.array(NAME).optional(),
  replace: NAME.optional(),
  pgDump: z.enum(PG_DUMPS).optional(),
  allowSameServer: z.boolean().optional(),
  store: STORE_SCHEMA.optional(),
  backup: BACKUP_SCHEMA.optional(),
  ...OPERATIONS_SCHEMA,
})

/** Of these keys, what the environment can set. */
const ENVIRONMENT_SCHEMA = FILE_SCHEMA.omit({
  store: true,
  backup: true,
  state: true,
  verify: true,
  retention: true,
  report: true,
  erasure: true,
  audit: true,
})

/** Environment variables by the key they set; PGVEIL_CONFIG and PGVEIL_SECRET are read apart. */
const VARIABLES = {
  PGVEIL_SOURCE: 'source',
  PGVEIL_TARGET: 'target',
  PGVEIL_RULES: 'rules',
  PGVEIL_JOBS: 'jobs',
  PGVEIL_PRODUCTION: 'production',
  PGVEIL_KEEP_PREVIOUS: 'keepPrevious',
  PGVEIL_ONLY: 'only',
  PGVEIL_EXCLUDE: 'exclude',
  PGVEIL_REPLACE: 'replace',
  PGVEIL_PG_DUMP: 'pgDump',
} as const

/**
 * The layer of the command line; relative paths count from `cwd`.
 *
 * @throws Failure `usage`
 */
export function fromFlags(flags: Flags, cwd: string): Layer {
  const layer: Layer = {}
  for (const key of ['source', 'target'] as const) {
    const url = flags[key]
    if (url === undefined) continue
    const problem = checkUrl(url)
    if (problem)
      throw new Failure('usage', `--${key}: ${problem.message}`, problem.hint ? problem : {})
    layer[key] = url
  }
  if (flags.rules !== undefined) layer.rules = resolve(cwd, flags.rules)
  if (flags.jobs !== undefined) {
    const jobs = JOBS.safeParse(flags.jobs)
    if (!jobs.success) throw new Failure('usage', `--jobs: ${firstMessage(jobs.error)}`)
    layer.jobs = jobs.data
  }
  if (flags.keepPrevious !== undefined) layer.keepPrevious = flags.keepPrevious
  if (flags.only !== undefined) layer.only = flags.only
  if (flags.exclude !== undefined) layer.exclude = flags.exclude
  if (flags.replace !== undefined) layer.replace = flags.replace
  if (flags.pgDump !== undefined) layer.pgDump = flags.pgDump
  if (flags.allowSameServer !== undefined) layer.allowSameServer = flags.allowSameServer
  if (flags.store !== undefined) {
    const store = parseStore(flags.store, cwd)
    if ('problem' in store) throw new Failure('usage', `--store: ${store.problem}`)
    layer.store = store
  }
  return layer
}

/**
 * The layer of the environment; a variable that is set to nothing counts as not set.
 *
 * @throws Failure `config`
 */
export function fromEnvironment(env: NodeJS.ProcessEnv, cwd: string): Layer {
  const raw: Record<string, unknown> = {}
  const nameOf: Record<string, string> = {}
  for (const [name, key] of Object.entries(VARIABLES)) {
    const text = env[name]
    if (text === undefined || text === '') continue
    nameOf[key] = name
    raw[key] = typed(key, text)
  }
  const parsed = ENVIRONMENT_SCHEMA.safeParse(raw)
  if (!parsed.success) {
    const key = String(parsed.error.issues[0]?.path[0])
    throw new Failure(
      'config',
      `environment variable ${nameOf[key]}: ${firstMessage(parsed.error)}`,
    )
  }
  const layer = parsed.data as Layer
  for (const key of ['source', 'target'] as const) {
    const problem = layer[key] === undefined ? undefined : checkUrl(layer[key])
    if (problem)
      throw new Failure(
        'config',
        `environment variable ${nameOf[key]}: ${problem.message}`,
        problem.hint ? problem : {},
      )
  }
  if (layer.rules !== undefined) layer.rules = resolve(cwd, layer.rules)
  if (env['PGVEIL_SECRET']) layer.secret = { env: 'PGVEIL_SECRET' }
  if (env['PGVEIL_STORE']) {
    const store = parseStore(env['PGVEIL_STORE'], cwd)
    if ('problem' in store)
      throw new Failure('config', `environment variable PGVEIL_STORE: ${store.problem}`)
    layer.store = store
  }
  return layer
}

/** Messages on PGVEIL_ variables that nobody reads: most likely slips of the pen. */
export function unknownVariables(env: NodeJS.ProcessEnv, used: ReadonlySet<string>): string[] {
  const known = [...Object.keys(VARIABLES), 'PGVEIL_CONFIG', 'PGVEIL_SECRET', 'PGVEIL_STORE']
  return Object.keys(env)
    .filter((name) => name.startsWith('PGVEIL_') && !known.includes(name) && !used.has(name))
    .map((name) => {
      const hint = didYouMean(name, known)
      return `environment variable ${name} is not known and was ignored${hint ? `; ${hint}` : ''}`
    })
}

function typed(key: (typeof VARIABLES)[keyof typeof VARIABLES], text: string): unknown {
  if (key === 'jobs') return /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (key === 'only' || key === 'exclude' || key === 'production') return splitList(text)
  if (key === 'keepPrevious') {
    if (/^(1|true|yes|on)$/i.test(text)) return true
    return /^(0|false|no|off)$/i.test(text) ? false : text
  }
  return text
}

function firstMessage(error: z.ZodError): string {
  const message = error.issues[0]?.message ?? 'not understood'
  return message.charAt(0).toLowerCase() + message.slice(1)
}
