import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'
import { OPENING_OPTIONS } from './opening-options.ts'
import { BACKUP_CHOICE, withBackup } from './backup-choice.ts'

/** `pgveil keys drill`: could the custodians open a backup? */
export function keysDrillCommand(context: Context): CommandModule {
  const { signal, tool } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'drill',
    describe: 'have custodians open their envelopes, and compare without opening the backup',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .options(BACKUP_CHOICE)
        .options(OPENING_OPTIONS)
        .option('side', {
          type: 'string',
          requiresArg: true,
          description: 'the side that is exercised (default: all)',
        })
        .example('$0 keys drill --side offline --key offline.asc', 'the safe’s key works'),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const [{ drill, sidesOf }, { openingOf }, { recordDrill }] = await Promise.all([
        import('../backup/custody.ts'),
        import('./opening.ts'),
        import('../backup/drills.ts'),
      ])
      await withBackup(settings, args, async (opened, backup) => {
        const sides = sidesOf(backup, args['side'] as string | undefined)
        signal.throwIfAborted()
        const { event, failure } = await drill(
          opened,
          backup,
          sides,
          await openingOf(args, context),
        )
        emit(event)
        const { label, manifest } = backup
        try {
          for (const { side } of event.sides.filter(({ passed }) => passed))
            await recordDrill(opened, { name: manifest.name, label, side, at: Date.now(), tool })
        } catch (error) {
          if (!(error instanceof Failure)) throw error
          const message = `the drill is not noted in the store, and reports do not know of it: ${error.message}`
          emit({ event: 'warning', code: 'drill-not-noted', message })
        }
        if (failure) throw failure
      })
    },
  }
}
