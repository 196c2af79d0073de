import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/config.ts'
import { flagsOf, OPTIONS, reportOptions, type Context } from './context.ts'

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
        .option('deep', {
          type: 'boolean',
          default: false,
          description: 'read every byte of every object, too',
        })
        .example('$0 list', 'signatures, chain, envelopes, presence and sizes')
        .example('$0 list --deep', 'digests of everything as well'),
    handler: async (args) => {
      const { emit } = context.report({ ...reportOptions(args), plan: 'line' })
      const {
        store: where,
        backup,
        warnings,
      } = await loadConfig({
        flags: flagsOf(args),
        env: io.env,
        cwd: io.cwd,
        needs: ['store', 'backup'],
      })
      for (const warning of warnings) emit({ event: 'warning', ...warning })
      const [{ listBackups }, { loadSigners }] = await Promise.all([
        import('../backup/list.ts'),
        import('../backup/keys.ts'),
      ])
      const signers = await loadSigners(backup)
      const deep = args['deep'] === true
      await listBackups({ store: where, signers, deep, at: Date.now() }, emit, signal)
    },
  }
}
