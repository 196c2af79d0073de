import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil prune`: retention. */
export function pruneCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'prune',
    describe: 'remove backups that retention does not want, and what runs that died have left',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .option('dry-run', {
          type: 'boolean',
          description: 'show the decision for each backup, remove nothing',
        })
        .example('$0 prune --dry-run', 'what would go, what stays, and why')
        .epilogue(
          'Never goes: the newest of a chain, the last that was proven, what is locked, what is damaged.',
        ),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const { pruneBackups } = await import('../retention/prune.ts')
      context.cleaning('ending with the backup at hand')
      const { retention, verify } = settings.operations
      const options = {
        store: settings.store,
        backup: settings.backup,
        retention,
        verify,
        env: io.env,
        dryRun: args['dryRun'] === true,
        at: Date.now(),
      }
      await pruneBackups(options, emit, signal)
    },
  }
}
