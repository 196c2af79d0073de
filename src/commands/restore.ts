import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'
import { OPENING_OPTIONS, SIGNER_OPTION } from './opening-options.ts'

/** `pgveil restore`: a backup becomes a database again. */
export function restoreCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, store, target, jobs, only, replace, json, quiet } = OPTIONS
  return {
    command: 'restore',
    describe: 'restore a backup into a database',
    builder: (yargs) =>
      yargs
        .options({ config, store, target, jobs, only, replace })
        .options({ 'keep-previous': OPTIONS['keep-previous'], json, quiet })
        .options(OPENING_OPTIONS)
        .options(SIGNER_OPTION)
        .option('label', {
          type: 'string',
          requiresArg: true,
          description: 'which backup (default: the latest)',
        })
        .option('name', {
          type: 'string',
          requiresArg: true,
          description: 'of which database the latest, where the store holds several',
        })
        .option('continue', {
          type: 'boolean',
          description: 'go on with what an interrupted restore of this backup has left',
        })
        .example('$0 restore --target postgres://…/crm --key operations.asc --key offline.asc', '')
        .example('$0 restore --only a.contact --half offline=answer.txt', ''),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'target'] })
      const [{ runRestore }, { signersOf }, { openingOf }] = await Promise.all([
        import('../backup/restore.ts'),
        import('./signers.ts'),
        import('./opening.ts'),
      ])
      context.cleaning('ending the restore')
      const options = {
        ...settings,
        env: io.env,
        signers: await signersOf(args, io, settings.backup),
        opening: await openingOf(args, context),
        resume: args['continue'] === true,
        ...(args['label'] !== undefined && { label: args['label'] as string }),
        ...(args['name'] !== undefined && { name: args['name'] as string }),
      }
      await runRestore(options, emit, signal)
    },
  }
}
