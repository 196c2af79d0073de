import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'
import { SIGNER_OPTION } from './opening-options.ts'

/** `pgveil list`: what the store holds. */
export function listCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'list',
    describe: 'list the backups in the store, and say what is wrong with them',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .options(SIGNER_OPTION)
        .option('deep', {
          type: 'boolean',
          description: 'read every byte of every object, too',
        })
        .example('$0 list', 'signatures, chain, envelopes, presence and sizes')
        .example('$0 list --deep', 'digests of everything as well'),
    handler: async (args) => {
      const {
        emit,
        settings: { store: where, backup, operations },
      } = await begin(context, args, { needs: ['store'] })
      const [{ listBackups }, { signersOf }, { loadVerdictSigners }] = await Promise.all([
        import('../backup/list.ts'),
        import('./signers.ts'),
        import('../verify/keys.ts'),
      ])
      const signers = await signersOf(args, io, backup)
      const deep = args['deep'] === true
      const verdictSigners = await loadVerdictSigners(operations.verify)
      const options = { store: where, signers, verdictSigners, deep, at: Date.now() }
      await listBackups(options, emit, signal)
    },
  }
}
