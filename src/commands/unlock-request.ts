import { basename, resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { BACKUP_CHOICE, withBackup } from './backup-choice.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

const READABLE = 0o644

/** `pgveil unlock request`: an envelope for a custodian elsewhere. */
export function unlockRequestCommand(context: Context): CommandModule {
  const { io } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'request',
    describe: 'write an envelope to a file, for a custodian who is elsewhere',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .options(BACKUP_CHOICE)
        .option('side', {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          description: 'whose envelope',
        })
        .option('output', {
          type: 'string',
          requiresArg: true,
          description: 'file to write (default: label and side)',
        })
        .example('$0 unlock request --side offline', 'a file of a kilobyte, no secret'),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const [custody, { writeNewFile }] = await Promise.all([
        import('../backup/custody.ts'),
        import('../backup/new-file.ts'),
      ])
      await withBackup(settings, args, async (opened, backup) => {
        const { label } = backup
        const [side = ''] = custody.sidesOf(backup, args['side'] as string)
        const output = (args['output'] as string | undefined) ?? `${label}.${side}.asc`
        const path = resolve(io.cwd, output)
        const request = await custody.unlockRequest(opened, backup, side, basename(path))
        await writeNewFile(path, request.text, READABLE)
        const { half, recipients } = request
        emit({ event: 'unlock-request', label, side, path, half, recipients })
      })
    },
  }
}
