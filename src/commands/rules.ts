import type { CommandModule } from 'yargs'
import type { Context } from './context.ts'
import { rulesCheckCommand } from './rules-check.ts'
import { rulesSchemaCommand } from './rules-schema.ts'

/** `pgveil rules …`: what concerns rule files alone. */
export function rulesCommand(context: Context): CommandModule {
  return {
    command: 'rules',
    describe: 'check and describe rule files',
    builder: (yargs) =>
      yargs
        .command(rulesCheckCommand(context))
        .command(rulesSchemaCommand(context))
        .demandCommand(1, 1, 'which rules command?'),
    handler: () => undefined,
  }
}
