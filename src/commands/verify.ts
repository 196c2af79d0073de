import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { flagsOf, OPTIONS, type Context } from './context.ts'
import { OPENING_OPTIONS } from './opening-options.ts'

const TEXT = { type: 'string', requiresArg: true } as const
const SWITCH = { type: 'boolean' } as const

/** Options of `pgveil verify` alone. */
const VERIFY_OPTIONS = {
  label: { ...TEXT, description: 'which backup' },
  latest: { ...SWITCH, description: 'the latest backup, which should be from tonight (default)' },
  'all-unproven': { ...SWITCH, description: 'every backup without a verdict' },
  name: {
    ...TEXT,
    description: 'of which chain, where the store holds several (default: backup.name)',
  },
  server: { ...TEXT, description: 'server to restore on (URL; default: one is started)' },
  bin: { ...TEXT, description: 'directory with initdb and postgres (default: searched for)' },
  rules: { ...TEXT, description: 'verification.yaml: assertions, commands, limits (path)' },
  'keep-envelope': { ...SWITCH, description: 'leave the verifier’s envelope in the store' },
  record: {
    type: 'boolean',
    default: true,
    description: 'store the verdict beside the backup; --no-record for a trial',
  },
  schema: { ...SWITCH, description: 'print the JSON Schema of verification.yaml' },
} as const

type Args = Readonly<Record<string, unknown>>

/** `pgveil verify`: is a backup worth anything? */
export function verifyCommand(context: Context): CommandModule {
  const { io } = context
  const { config, store, jobs, json, quiet } = OPTIONS
  return {
    command: 'verify',
    describe: 'restore a backup on a scratch server, check it, and store a signed verdict',
    builder: (yargs) =>
      yargs
        .options({ config, store, jobs, json, quiet })
        .options(VERIFY_OPTIONS)
        .options(OPENING_OPTIONS)
        .conflicts('label', ['latest', 'all-unproven'])
        .example('$0 verify', 'tonight’s backup')
        .example('$0 verify --label 20261122T020000Z-crm', 'that one'),
    handler: async (args) => {
      if (args['schema'] !== true) return verify(args, context)
      const { verificationSchema } = await import('../verify/rules.ts')
      io.stdout.write(`${JSON.stringify(verificationSchema(), null, 2)}\n`)
    },
  }
}

async function verify(args: Args, context: Context): Promise<void> {
  const { io, signal, tool } = context
  if (args['latest'] === true && args['allUnproven'] === true) {
    throw new Failure('usage', '--latest and --all-unproven exclude each other')
  }
  // Its rules are not those of a copy.
  const { rules: _, ...flags } = flagsOf(args)
  const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'], flags })
  const [{ runVerify }, { loadSigners }, { openingOf }] = await Promise.all([
    import('../verify/run.ts'),
    import('../backup/keys.ts'),
    import('./opening.ts'),
  ])
  context.cleaning('removing what was restored')
  const { operations, store, backup, jobs, production } = settings
  const label = args['label'] as string | undefined
  // Where a label says which, nothing else has to.
  const name =
    (args['name'] as string | undefined) ?? (label === undefined ? backup.name : undefined)
  const isOpening = ['key', 'half', 'gpg'].some((name) => args[name] !== undefined)
  const path = (name: string) =>
    args[name] === undefined ? {} : { [name]: resolve(io.cwd, args[name] as string) }
  await runVerify(
    {
      store,
      jobs,
      production,
      tool,
      env: io.env,
      hidden: settings.variables,
      state: operations.state,
      ...(operations.erasure && { erasure: operations.erasure }),
      everyHours: operations.report.everyHours,
      signers: await loadSigners(backup),
      verify: {
        ...operations.verify,
        ...path('bin'),
        ...path('rules'),
        ...(args['server'] !== undefined && { server: args['server'] as string }),
      },
      ...(label !== undefined && { label }),
      ...(name !== undefined && { name }),
      ...(isOpening && { opening: await openingOf(args, context) }),
      allUnproven: args['allUnproven'] === true,
      keepEnvelope: args['keepEnvelope'] === true,
      record: args['record'] !== false,
    },
    emit,
    signal,
  )
}
