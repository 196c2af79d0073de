import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/config.ts'
import { flagsOf, OPTIONS, reportOptions, type Context } from './context.ts'

/** `pgveil erase list`: the ledger, checked. */
export function eraseListCommand(context: Context): CommandModule {
  const { io } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'list',
    describe: 'check the ledger of erasures and show what was recorded when, never whom',
    builder: (yargs) => yargs.options({ config, store, json, quiet }),
    handler: async (args) => {
      const { emit } = context.report({ ...reportOptions(args), plan: 'line' })
      const settings = await loadConfig({
        flags: flagsOf(args),
        env: io.env,
        cwd: io.cwd,
        needs: ['store', 'backup'],
      })
      for (const warning of settings.warnings) emit({ event: 'warning', ...warning })
      const { listErasures } = await import('../erasure/record.ts')
      const { store: where, backup, operations } = settings
      await listErasures({ store: where, backup, state: operations.state }, emit)
    },
  }
}
