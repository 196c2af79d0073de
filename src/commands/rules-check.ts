import type { CommandModule } from 'yargs'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil rules check`: is every column of the source decided? */
export function rulesCheckCommand(context: Context): CommandModule {
  const { signal } = context
  const { config, source, rules, json, quiet } = OPTIONS
  return {
    command: 'check',
    describe: 'compare a rule file with a database; for CI',
    builder: (yargs) =>
      yargs
        .options({ config, source, rules, json, quiet })
        .epilogue(
          'Exits with 0 where every column is decided, 10 where the file is wrong, else 16.',
        ),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, {
        needs: ['source', 'rules'],
        plan: 'full',
      })
      const [{ MASKS }, { readRules }, { checkRules }] = await Promise.all([
        import('../mask/registry.ts'),
        import('../mask/rules.ts'),
        import('../copy/copy.ts'),
      ])
      const ruleFile = await readRules(settings.rules, MASKS)
      await checkRules({ ...settings, rules: ruleFile }, emit, signal)
    },
  }
}
