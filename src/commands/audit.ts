import type { CommandModule } from 'yargs'
import { auditShowCommand } from './audit-show.ts'
import { auditVerifyCommand } from './audit-verify.ts'
import type { Context } from './context.ts'

/** `pgveil audit …`: who did what. */
export function auditCommand(context: Context): CommandModule {
  return {
    command: 'audit',
    describe: 'show the records of who did what, and check that they are whole',
    builder: (yargs) =>
      yargs
        .command(auditVerifyCommand(context))
        .command(auditShowCommand(context))
        .demandCommand(1, 1, 'which audit command?'),
    handler: () => undefined,
  }
}
