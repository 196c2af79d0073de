import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil audit verify`: are the records what they were? */
export function auditVerifyCommand(context: Context): CommandModule {
  const { config, json, quiet } = OPTIONS
  return {
    command: 'verify',
    describe: 'check the chain of records and its signatures, and name the first broken line',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('strict', {
          type: 'boolean',
          description: 'files of former days that are not signed count, too',
        })
        .epilogue(
          'Exits with 0 where all records are whole, 15 where a line is broken or there is none, 21 for --strict.',
        ),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: [] })
      const [{ verifyAudit }, { loadSigners }] = await Promise.all([
        import('../audit/inspect.ts'),
        import('../backup/keys.ts'),
      ])
      const { backup, operations } = settings
      const signers = backup && (await loadSigners(backup))
      const strict = args['strict'] === true
      await verifyAudit({ state: operations.state, ...(signers && { signers }), strict }, emit)
    },
  }
}
