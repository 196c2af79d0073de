import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil keys check`: would these keys do tonight? */
export function keysCheckCommand(context: Context): CommandModule {
  const { io } = context
  const { config, json, quiet } = OPTIONS
  return {
    command: 'check',
    describe: 'look at every key of the configuration, and at what lies beside it',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('strict', {
          type: 'boolean',
          description: 'warnings count, too',
        })
        .epilogue(
          'Exits with 0 where all keys can be used, 14 where one cannot, 21 for warnings with --strict.',
        ),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['backup'] })
      const { checkKeys } = await import('../backup/check-keys.ts')
      const { backup, operations, file } = settings
      const event = await checkKeys({
        backup,
        verify: operations.verify,
        config: file,
        env: io.env,
      })
      emit(event)
      const [problem] = event.problems
      if (problem !== undefined)
        throw new Failure('key', problem, {
          hint: 'replace the key, or take it out of pgveil.yaml',
        })
      const [warning] = event.warnings
      if (warning !== undefined && args['strict'] === true) throw new Failure('findings', warning)
    },
  }
}
