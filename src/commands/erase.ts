import type { CommandModule } from 'yargs'
import type { Context } from './context.ts'
import { eraseListCommand } from './erase-list.ts'
import { eraseRecordCommand } from './erase-record.ts'

/** `pgveil erase …`: persons who were erased stay so, whatever is restored. */
export function eraseCommand(context: Context): CommandModule {
  return {
    command: 'erase',
    describe: 'keep persons who were erased from coming back with a backup',
    builder: (yargs) =>
      yargs
        .command(eraseRecordCommand(context))
        .command(eraseListCommand(context))
        .demandCommand(1, 1, 'which erase command?'),
    handler: () => undefined,
  }
}
