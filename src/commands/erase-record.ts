import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { Failure, systemReason } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context, type Io } from './context.ts'
import { askSecret } from './prompt.ts'

/** `pgveil erase record`: a person was erased from the database. */
export function eraseRecordCommand(context: Context): CommandModule {
  const { io } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'record',
    describe: 'record that persons were erased from the database',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .option('table', {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          description: 'where the person stood (schema.table)',
        })
        .option('column', {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          description: 'the column by whose value the person is known',
        })
        .option('name', {
          type: 'string',
          requiresArg: true,
          description: 'of which database, where the store holds several',
        })
        .option('values-fd', {
          type: 'number',
          requiresArg: true,
          description: 'file descriptor with the values, a line each (default: asks)',
        })
        .option('values-file', {
          type: 'string',
          requiresArg: true,
          description: 'file with the values, a line each',
        })
        .example('$0 erase record --table a.person --column id', 'asks for the value')
        .epilogue(
          'Values are written as PostgreSQL prints them. They are hashed with erasure.secret and stored nowhere.',
        ),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const { recordErasures } = await import('../erasure/record.ts')
      const { state, erasure } = settings.operations
      const options = {
        store: settings.store,
        backup: settings.backup,
        state,
        ...(erasure && { erasure }),
        env: io.env,
        ...(args['name'] !== undefined && { name: args['name'] as string }),
        table: tableOf(args['table'] as string),
        column: args['column'] as string,
        values: await valuesOf(args, io),
      }
      await recordErasures(options, emit)
    },
  }
}

/** `schema.table`, each part plain or in double quotes. */
function tableOf(text: string): { schema: string; name: string } {
  const match = /^("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^".]+)$/.exec(text)
  const [, schema, name] = match ?? []
  if (schema === undefined || name === undefined) {
    throw new Failure('usage', '--table is written schema.table', {
      hint: 'a part with a dot or a quote in it stands in double quotes',
    })
  }
  return { schema: unquote(schema), name: unquote(name) }
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part
}

async function valuesOf(args: Readonly<Record<string, unknown>>, io: Io): Promise<string[]> {
  const fd = args['valuesFd'] as number | undefined
  const path = args['valuesFile'] as string | undefined
  if (fd !== undefined && path !== undefined)
    throw new Failure('usage', 'give either --values-fd or --values-file')
  if (fd === undefined && path === undefined) return [await askValue(args['column'] as string, io)]
  const where = path === undefined ? `file descriptor ${fd}` : resolve(io.cwd, path)
  let text: string
  try {
    text = readFileSync(path === undefined ? (fd as number) : where, 'utf8')
  } catch (cause) {
    const message = `cannot read the values from ${where}: ${systemReason(cause)}`
    throw new Failure('usage', message, { cause })
  }
  const values = text.split(/\r?\n/).filter((line) => line !== '')
  if (values.length > 0) return values
  throw new Failure('usage', `there is no value in ${where}`)
}

async function askValue(column: string, io: Io): Promise<string> {
  const typed = await askSecret(`Value of ${column} (not shown)`, io)
  if (typed && typed.length > 0) return typed.toString('utf8')
  throw new Failure('usage', 'no value was given', {
    hint: 'run it in a terminal, or give values by --values-fd or --values-file; never as an argument',
  })
}
