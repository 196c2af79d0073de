import type { CommandModule } from 'yargs'
import type { Needed } from '../config/config.ts'
import { Failure } from '../errors.ts'
import type { Emit } from '../report/events.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'
import { OPENING_OPTIONS, SIGNER_OPTION } from './opening-options.ts'

/** Options that only a backup needs. */
const OF_BACKUPS = Object.keys({ ...OPENING_OPTIONS, ...SIGNER_OPTION })

type Arguments = Readonly<Record<string, unknown>>

/** `pgveil copy`: a masked copy of one database into another. */
export function copyCommand(context: Context): CommandModule {
  return {
    command: 'copy',
    describe: 'make a masked copy of a database, or of what a backup holds',
    builder: (yargs) =>
      yargs
        .options(OPTIONS)
        .option('dry-run', {
          type: 'boolean',
          description: 'show the plan and stop before the first row',
        })
        .option('from-backup', {
          type: 'string',
          requiresArg: true,
          description: 'copy what this backup holds (label, or latest); the source is left alone',
        })
        .option('name', {
          type: 'string',
          requiresArg: true,
          description: 'of which database the latest backup, where the store holds several',
        })
        .options(OPENING_OPTIONS)
        .options(SIGNER_OPTION)
        .example('$0 copy --dry-run', 'show the plan, change nothing')
        .example('$0 copy --only public.contact,log.*', 'rows of these tables only')
        .example('$0 copy --from-backup latest --key v.asc', 'without the source'),
    handler: (args) =>
      args['fromBackup'] === undefined ? copy(args, context) : copyFromBackup(args, context),
  }
}

async function copy(args: Arguments, context: Context): Promise<void> {
  refuseTogether(args, [...OF_BACKUPS, 'name'], (name) => ({
    message: `--${name} is for backups`,
    hint: 'add --from-backup with a label, or latest',
  }))
  const { emit, options } = await prepare(args, context, ['source', 'target', 'rules'])
  const { planCopy, runCopy } = await import('../copy/copy.ts')
  if (args['dryRun'] === true) await planCopy(options, emit, context.signal)
  else await runCopy(options, tellOfCleaning(emit, context), context.signal)
}

async function copyFromBackup(args: Arguments, context: Context): Promise<void> {
  refuseTogether(args, ['source', 'pg-dump'], (name) => ({
    message: `--${name} and --from-backup do not go together`,
    hint: 'a copy from a backup reads nothing but the backup',
  }))
  const prepared = await prepare(args, context, ['store', 'target', 'rules'])
  const [{ planCopyFromBackup, runCopyFromBackup }, { signersOf }, { openingOf }] =
    await Promise.all([
      import('../copy/from-backup/run.ts'),
      import('./signers.ts'),
      import('./opening.ts'),
    ])
  const label = args['fromBackup'] as string
  const options = {
    ...prepared.options,
    env: context.io.env,
    signers: await signersOf(args, context.io, prepared.options.backup),
    opening: await openingOf(args, context),
    ...(label !== 'latest' && { label }),
    ...(args['name'] !== undefined && { name: args['name'] as string }),
  }
  const { emit } = prepared
  // Also where only the plan is wanted, something is made and dropped again.
  const tell = tellOfCleaning(emit, context)
  if (args['dryRun'] === true) await planCopyFromBackup(options, tell, context.signal)
  else await runCopyFromBackup(options, tell, context.signal)
}

function refuseTogether(
  args: Arguments,
  names: readonly string[],
  because: (name: string) => { message: string; hint: string },
): void {
  const given = names.find((name) => args[name] !== undefined)
  if (given === undefined) return
  const { message, hint } = because(given)
  throw new Failure('usage', message, { hint })
}

/** What both kinds of copy need: settings, rules, the secret; and somebody to tell. */
async function prepare<N extends Needed>(
  args: Arguments,
  context: Context,
  needs: readonly (N | 'rules')[],
) {
  const plan = args['dryRun'] === true ? 'full' : 'line'
  const { emit, settings } = await begin(context, args, { needs, plan })
  const [{ readSecret }, { MASKS }, { readRules }] = await Promise.all([
    import('../config/secret.ts'),
    import('../mask/registry.ts'),
    import('../mask/rules.ts'),
  ])
  const secret = settings.secret && (await readSecret(settings.secret, context.io.env))
  const rules = await readRules(settings.rules as string, MASKS)
  const { secret: _, ...rest } = settings
  return { emit, options: { ...rest, rules, ...(secret && { secret }) } }
}

/** Says what a signal interrupts. */
function tellOfCleaning(emit: Emit, context: Context): Emit {
  context.cleaning('dropping the unfinished database; the one in use stays as it was')
  return (event) => {
    if (event.event === 'phase' && event.phase === 'handover')
      context.cleaning('putting the finished copy in its place, which cannot be half done')
    emit(event)
  }
}
