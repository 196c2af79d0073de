import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'
import { OPENING_OPTIONS } from './opening-options.ts'

/** `pgveil keys rewrap`: backups for new custodians. */
export function keysRewrapCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'rewrap',
    describe: 'write the envelopes of a side anew, to the keys that are configured now',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .options(OPENING_OPTIONS)
        .option('side', {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          description: 'whose envelopes',
        })
        .option('label', { type: 'string', requiresArg: true, description: 'of this backup' })
        .option('all', { type: 'boolean', description: 'of all backups' })
        .option('dry-run', {
          type: 'boolean',
          description: 'open the envelopes, write nothing',
        })
        .example('$0 keys rewrap --all --side operations --key old.private.asc', '')
        .epilogue(
          'The data stays as it is. Who has kept a copy of an old envelope can still open that.',
        ),
    handler: async (args) => {
      const label = args['label'] as string | undefined
      const all = args['all'] === true
      if (all === (label !== undefined)) throw new Failure('usage', 'give either --label or --all')
      if (all && args['half'] !== undefined)
        throw new Failure('usage', '--half is of one backup: give its --label instead of --all')
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const [{ rewrap }, { openingOf }] = await Promise.all([
        import('../backup/rewrap.ts'),
        import('./opening.ts'),
      ])
      context.cleaning('ending with the backup at hand')
      const options = {
        store: settings.store,
        backup: settings.backup,
        env: io.env,
        side: args['side'] as string,
        label,
        opening: await openingOf(args, context),
        dryRun: args['dryRun'] === true,
      }
      await rewrap(options, emit, signal)
    },
  }
}
