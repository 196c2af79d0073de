import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { Failure, systemReason } from '../errors.ts'
import { backupSettings, type BackupSettings } from './backup.ts'
import {
  FILE_SCHEMA,
  fromEnvironment,
  fromFlags,
  unknownVariables,
  type Flags,
  type Layer,
  type PgDump,
} from './layers.ts'
import { Problems } from './problems.ts'
import type { SecretSource } from './secret.ts'
import { operationsSettings, type OperationsSettings } from './operations.ts'
import { storeSettings, type StoreSettings } from './store.ts'
import { checkUrl, expandUrl, hasPassword } from './url.ts'
import { YamlFile } from './yaml.ts'

const FILE_NAME = 'pgveil.yaml'
const MOST_JOBS = 4

/** Everything that can be configured, resolved: flags over environment over pgveil.yaml over defaults. */
export interface Settings {
  /** The configuration file that was read. */
  file?: string
  /** Connection URLs. */
  source?: string
  target?: string
  /** Absolute path of the rule file. */
  rules?: string
  jobs: number
  /** Where the secret for stable masks is; absent: a key for this run only. */
  secret?: SecretSource
  /** `host:port`, `host:port/database` or system identifiers that are never a target. */
  production: string[]
  keepPrevious: boolean
  /** Names of tables; empty: all. */
  only: string[]
  exclude: string[]
  /** A database that pgveil did not make and may yet replace. */
  replace?: string
  pgDump: PgDump
  allowSameServer: boolean
  store?: StoreSettings
  backup?: BackupSettings
  /** What happens after a backup: defaults where nothing is said. */
  operations: OperationsSettings
  /** Names of the environment variables that pgveil.yaml reads: passwords and passphrases, most of them. */
  variables: string[]
  warnings: { code: string; message: string }[]
}

/** Settings that a command may be unable to do without. */
export type Needed = 'source' | 'target' | 'rules' | 'store' | 'backup'

/** Settings in which what was needed is set. */
export type Configured<N extends Needed> = Settings & Required<Pick<Settings, N>>

export interface ConfigRequest<N extends Needed> {
  flags: Flags
  env: NodeJS.ProcessEnv
  cwd: string
  /** What must be set. A connection URL that is not needed is not looked at. */
  needs: readonly N[]
}

/**
 * Reads the configuration.
 *
 * @throws Failure `usage` for a flag; `config` for the environment and for pgveil.yaml, there with place;
 *   `usage` where something needed is set nowhere
 */
export async function loadConfig<N extends Needed>(
  request: ConfigRequest<N>,
): Promise<Configured<N>> {
  const { env, cwd, needs } = request
  const flags = { ...request.flags }
  const environment = { ...env }
  for (const key of ['source', 'target'] as const) {
    if ((needs as readonly Needed[]).includes(key)) continue
    delete flags[key]
    delete environment[`PGVEIL_${key.toUpperCase()}`]
  }
  const fromArguments = fromFlags(flags, cwd)
  const file = await readConfigFile(request)
  const fromEnv = fromEnvironment(environment, cwd)
  const layer: Layer = { ...file.layer, ...fromEnv, ...fromArguments }
  const settings: Settings = {
    jobs: Math.min(availableParallelism(), MOST_JOBS),
    keepPrevious: false,
    only: [],
    exclude: [],
    pgDump: 'auto',
    allowSameServer: false,
    operations: operationsSettings({}, cwd, env),
    ...(file.path !== undefined && { file: file.path }),
    ...layer,
    // A guard: no layer can take away what another one protects.
    production: [...(file.layer.production ?? []), ...(fromEnv.production ?? [])],
    variables: [...file.variables],
    warnings: [...file.warnings],
  }
  if ([flags.source, flags.target].some((url) => url !== undefined && hasPassword(url)))
    settings.warnings.push({
      code: 'password-in-arguments',
      message:
        'a password in an argument can be seen by every user of this machine; use PGVEIL_SOURCE and PGVEIL_TARGET, ${VARIABLE} in pgveil.yaml, or ~/.pgpass',
    })
  for (const message of unknownVariables(env, file.variables))
    settings.warnings.push({ code: 'unknown-variable', message })
  requireAll(settings, needs)
  return settings as Configured<N>
}

const MISSING: Readonly<Record<Needed, string>> = {
  source: 'no source database is set',
  target: 'no target database is set',
  rules: 'no rule file is set',
  store: 'no store is set',
  backup: 'no keys of backups are set',
}

function requireAll(settings: Settings, needs: readonly Needed[]): void {
  for (const key of needs) {
    if (settings[key] !== undefined) continue
    const file = settings.file ?? FILE_NAME
    throw new Failure('usage', MISSING[key], {
      hint:
        key === 'backup'
          ? `describe the keys under backup: in ${file}; pgveil keys init makes a set for a trial`
          : `use --${key}, PGVEIL_${key.toUpperCase()}, or ${key}: in ${file}`,
    })
  }
}

interface ConfigFile {
  path: string | undefined
  layer: Layer
  /** Environment variables that the file reads. */
  variables: Set<string>
  warnings: { code: string; message: string }[]
}

async function readConfigFile(request: ConfigRequest<Needed>): Promise<ConfigFile> {
  const { flags, env, cwd } = request
  const named = flags.config ?? (env['PGVEIL_CONFIG'] || undefined)
  const path = named === undefined ? join(cwd, FILE_NAME) : resolve(cwd, named)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (named !== undefined || code !== 'ENOENT')
      throw new Failure('config', `cannot read ${path}: ${systemReason(cause)}`, { cause })
    const overlooked = existsSync(join(cwd, 'pgveil.yml'))
    const warnings = overlooked
      ? [{ code: 'config-not-read', message: `pgveil.yml is not read; name it ${FILE_NAME}` }]
      : []
    return { path: undefined, layer: {}, variables: new Set(), warnings }
  }
  return { path, warnings: [], ...parseConfig(text, path, request) }
}

function parseConfig(
  text: string,
  path: string,
  { env, needs }: Pick<ConfigRequest<Needed>, 'env' | 'needs'>,
): Pick<ConfigFile, 'layer' | 'variables'> {
  const problems = new Problems()
  const file = new YamlFile(text, path, problems)
  problems.raise()
  const variables = new Set<string>()
  if (!file.root || file.isEmpty) return { layer: {}, variables }
  const parsed = FILE_SCHEMA.safeParse(file.toJS(file.root))
  if (!parsed.success)
    file.explain(parsed.error, file.root, Object.keys(FILE_SCHEMA.shape), problems)
  problems.raise()
  const { store, backup, state, verify, retention, report, erasure, audit, ...rest } =
    parsed.data as z.output<typeof FILE_SCHEMA>
  const directory = dirname(path)
  const layer = {
    ...rest,
    ...(store && { store: storeSettings(store, directory) }),
    ...(backup && { backup: backupSettings(backup, directory) }),
    operations: operationsSettings(
      { state, verify, retention, report, erasure, audit },
      directory,
      env,
    ),
  } as Layer
  for (const { key, value } of file.entries(file.root) ?? []) {
    if (key !== 'source' && key !== 'target') continue
    const expanded = expandUrl(layer[key] ?? '', env)
    if ('used' in expanded) for (const name of expanded.used) variables.add(name)
    if (!needs.includes(key)) {
      delete layer[key]
      continue
    }
    if ('missing' in expanded) {
      for (const name of expanded.missing)
        problems.add(file.place(value), `${key}: environment variable ${name} is not set`)
      continue
    }
    const problem = checkUrl(expanded.url)
    if (problem) problems.add(file.place(value), `${key}: ${problem.message}`, problem.hint)
    layer[key] = expanded.url
  }
  problems.raise()
  if (layer.rules !== undefined) layer.rules = resolve(directory, layer.rules)
  if (layer.secret && 'file' in layer.secret)
    layer.secret = { file: resolve(directory, layer.secret.file) }
  const { operations } = layer
  const secrets = [
    layer.secret,
    layer.backup?.signingPassphrase,
    operations?.verify.keyPassphrase,
    operations?.verify.signingPassphrase,
    operations?.report.mail?.password,
    operations?.erasure?.secret,
  ]
  for (const secret of secrets) {
    if (secret && 'env' in secret) variables.add(secret.env)
  }
  return { layer, variables }
}
