import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/config.ts'
import { flagsOf, OPTIONS, type Context } from './context.ts'

/** `pgveil rules check`: is every column of the source decided? */
export function rulesCheckCommand(context: Context): CommandModule {
  const { io, signal } = context
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
      const { emit } = context.report({
        json: args['json'] === true,
        quiet: args['quiet'] === true,
        plan: 'full',
      })
      const settings = await loadConfig({
        flags: flagsOf(args),
        env: io.env,
        cwd: io.cwd,
        needs: ['source', 'rules'],
      })
      for (const warning of settings.warnings) emit({ event: 'warning', ...warning })
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
