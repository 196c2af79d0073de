import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/config.ts'
import { readSecret } from '../config/secret.ts'
import type { Emit } from '../report/events.ts'
import { flagsOf, OPTIONS, type Context } from './context.ts'

/** `pgveil copy`: a masked copy of one database into another. */
export function copyCommand(context: Context): CommandModule {
  const { io, signal } = context
  return {
    command: 'copy',
    describe: 'make a masked copy of a database',
    builder: (yargs) =>
      yargs
        .options(OPTIONS)
        .option('dry-run', {
          type: 'boolean',
          default: false,
          description: 'show the plan and stop before the first row',
        })
        .example('$0 copy --dry-run', 'show the plan, change nothing')
        .example('$0 copy --only public.contact,log.*', 'rows of these tables only'),
    handler: async (args) => {
      const dryRun = args['dryRun'] === true
      const { emit } = context.report({
        json: args['json'] === true,
        quiet: args['quiet'] === true,
        plan: dryRun ? 'full' : 'line',
      })
      const settings = await loadConfig({
        flags: flagsOf(args),
        env: io.env,
        cwd: io.cwd,
        needs: ['source', 'target', 'rules'],
      })
      for (const warning of settings.warnings) emit({ event: 'warning', ...warning })
      const secret = settings.secret && (await readSecret(settings.secret, io.env))
      const [{ MASKS }, { readRules }, { planCopy, runCopy }] = await Promise.all([
        import('../mask/registry.ts'),
        import('../mask/rules.ts'),
        import('../copy/copy.ts'),
      ])
      const rules = await readRules(settings.rules, MASKS)
      const { secret: _, ...rest } = settings
      const options = { ...rest, rules, ...(secret && { secret }) }
      if (dryRun) {
        await planCopy(options, emit, signal)
        return
      }
      context.cleaning('dropping the unfinished database; the one in use stays as it was')
      const tell: Emit = (event) => {
        if (event.event === 'phase' && event.phase === 'handover')
          context.cleaning('putting the finished copy in its place, which cannot be half done')
        emit(event)
      }
      await runCopy(options, tell, signal)
    },
  }
}
