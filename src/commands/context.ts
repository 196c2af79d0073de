import type { EventEmitter } from 'node:events'
import type { ReadStream } from 'node:tty'
import type { Options } from 'yargs'
import type { Flags } from '../config/layers.ts'
import { PG_DUMPS, splitList } from '../config/words.ts'
import type { Reporter, TextSink } from '../report/reporter.ts'

/** The world as a command sees it; a test gives its own. */
export interface Io {
  stdout: TextSink
  stderr: TextSink
  /** For questions; undefined where nobody can answer. */
  stdin?: ReadStream
  env: NodeJS.ProcessEnv
  cwd: string
  isTTY: { stdout: boolean; stderr: boolean }
  /** Of the terminal behind stderr. */
  size: () => { columns: number; rows: number }
  /** Emits SIGINT and its like; `process` outside of tests. */
  signals?: Pick<EventEmitter, 'on' | 'off'>
}

/** Signals that stop a run, and what it then ends with. */
export const SIGNALS = {
  SIGINT: 'interrupted',
  SIGTERM: 'terminated',
  SIGHUP: 'terminated',
} as const

/** What the command line gives to each command. */
export interface Context {
  io: Io
  /** Aborts on a signal, with the failure that the run ends with. */
  signal: AbortSignal
  /** Makes the reporter of this run; to be called once. */
  report(options: { json: boolean; quiet: boolean; plan: 'full' | 'line' }): Reporter
  /** This program and its version, for what outlives it. */
  tool: string
  /** Says what a signal interrupts, for the one who sends a second one. */
  cleaning(what: string): void
}

function text(description: string, placeholder: string): Options {
  return { type: 'string', requiresArg: true, description: `${description} (${placeholder})` }
}

function list(description: string): Options {
  return {
    type: 'string',
    requiresArg: true,
    description,
    coerce: (value: string | string[] | undefined) =>
      value === undefined ? undefined : [value].flat().flatMap(splitList),
  }
}

/** Options that several commands take. */
export const OPTIONS = {
  config: text('configuration file', 'default: pgveil.yaml'),
  source: text('database to read', 'URL'),
  target: text('database to make or to replace', 'URL'),
  rules: text('rule file', 'path'),
  jobs: {
    type: 'number',
    requiresArg: true,
    description: 'jobs at a time (default: as many as processors, at most 4)',
  },
  only: list('tables to copy rows of, comma separated; others: structure only'),
  exclude: list('tables to leave without rows, comma separated'),
  replace: text('existing database, not made by pgveil, that may be replaced', 'name'),
  'keep-previous': {
    type: 'boolean',
    description: 'keep the database that is replaced under another name',
  },
  'pg-dump': {
    choices: PG_DUMPS,
    requiresArg: true,
    description: 'which pg_dump reads the structure',
  },
  'allow-same-server': {
    type: 'boolean',
    description: 'source and target may be on one server',
  },
  store: text('where backups lie', 'directory or s3://bucket/prefix?region=…'),
  json: { type: 'boolean', description: 'one JSON event a line on stdout' },
  quiet: { type: 'boolean', description: 'print errors only' },
} as const satisfies Record<string, Options>

/** How the user wants the run to be shown. */
export function reportOptions(args: Readonly<Record<string, unknown>>): {
  json: boolean
  quiet: boolean
} {
  return { json: args['json'] === true, quiet: args['quiet'] === true }
}

/** The options {@link OPTIONS} as configuration reads them. */
export function flagsOf(args: Readonly<Record<string, unknown>>): Flags {
  return {
    config: args['config'],
    source: args['source'],
    target: args['target'],
    rules: args['rules'],
    jobs: args['jobs'],
    only: args['only'],
    exclude: args['exclude'],
    replace: args['replace'],
    keepPrevious: args['keepPrevious'],
    pgDump: args['pgDump'],
    allowSameServer: args['allowSameServer'],
    store: args['store'],
  } as Flags
}
