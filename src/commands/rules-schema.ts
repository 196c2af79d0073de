import type { CommandModule } from 'yargs'
import type { Context } from './context.ts'

/** `pgveil rules schema`: the JSON Schema of rule files, for editors. */
export function rulesSchemaCommand({ io }: Context): CommandModule {
  return {
    command: 'schema',
    describe: 'print the JSON Schema of rule files, for editors',
    handler: async () => {
      const [{ MASKS }, { ruleSchema }] = await Promise.all([
        import('../mask/registry.ts'),
        import('../mask/rule-schema.ts'),
      ])
      io.stdout.write(`${JSON.stringify(ruleSchema(MASKS), null, 2)}\n`)
    },
  }
}
