import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil backup`: one sealed backup of a database. */
export function backupCommand(context: Context): CommandModule {
  const { io, signal, tool } = context
  const { config, source, store, jobs, json, quiet } = OPTIONS
  return {
    command: 'backup',
    describe: 'make a sealed backup of a database',
    builder: (yargs) =>
      yargs
        .options({ config, source, store, jobs, 'pg-dump': OPTIONS['pg-dump'], json, quiet })
        .option('dry-run', {
          type: 'boolean',
          description: 'check keys, store and source, show the plan, store nothing',
        })
        .example('$0 backup --dry-run', 'would tonight’s backup work?')
        .example('$0 backup --jobs 4', 'make one'),
    handler: async (args) => {
      const dryRun = args['dryRun'] === true
      const { emit, settings } = await begin(context, args, {
        needs: ['source', 'store', 'backup'],
        plan: dryRun ? 'full' : 'line',
      })
      const { planBackup, runBackup } = await import('../backup/run.ts')
      context.cleaning('removing what was stored')
      const options = { ...settings, env: io.env, tool }
      if (dryRun) await planBackup(options, emit, signal)
      else await runBackup(options, emit, signal)
    },
  }
}
