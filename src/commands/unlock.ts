import type { CommandModule } from 'yargs'
import type { Context } from './context.ts'
import { unlockAnswerCommand } from './unlock-answer.ts'
import { unlockRequestCommand } from './unlock-request.ts'

/** `pgveil unlock …`: an envelope goes to a custodian elsewhere, and the half comes back. */
export function unlockCommand(context: Context): CommandModule {
  return {
    command: 'unlock',
    describe: 'have a custodian who is elsewhere open an envelope',
    builder: (yargs) =>
      yargs
        .command(unlockRequestCommand(context))
        .command(unlockAnswerCommand(context))
        .demandCommand(1, 1, 'which unlock command?'),
    handler: () => undefined,
  }
}
