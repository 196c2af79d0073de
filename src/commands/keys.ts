import type { CommandModule } from 'yargs'
import type { Context } from './context.ts'
import { keysCheckCommand } from './keys-check.ts'
import { keysDrillCommand } from './keys-drill.ts'
import { keysInitCommand } from './keys-init.ts'
import { keysRewrapCommand } from './keys-rewrap.ts'

/** `pgveil keys …`: what custodians and operators do with keys. */
export function keysCommand(context: Context): CommandModule {
  return {
    command: 'keys',
    describe: 'make, check, exercise and change the keys of backups',
    builder: (yargs) =>
      yargs
        .command(keysInitCommand(context))
        .command(keysCheckCommand(context))
        .command(keysDrillCommand(context))
        .command(keysRewrapCommand(context))
        .demandCommand(1, 1, 'which keys command?'),
    handler: () => undefined,
  }
}
