import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil erase list`: the ledger, checked. */
export function eraseListCommand(context: Context): CommandModule {
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'list',
    describe: 'check the ledger of erasures and show what was recorded when, never whom',
    builder: (yargs) => yargs.options({ config, store, json, quiet }),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const { listErasures } = await import('../erasure/record.ts')
      const { store: where, backup, operations } = settings
      await listErasures({ store: where, backup, state: operations.state }, emit)
    },
  }
}
