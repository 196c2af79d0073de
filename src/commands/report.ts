import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { splitList } from '../config/words.ts'
import { didYouMean } from '../config/nearest.ts'
import { Failure } from '../errors.ts'
import { FORMATS, type Format } from '../report/daily/formats.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

const DEFAULT_FORMATS: Format[] = ['html', 'text', 'json']

/** `pgveil report`: the page of the day. */
export function reportCommand(context: Context): CommandModule {
  const { io, signal } = context
  const { config, store, json, quiet } = OPTIONS
  return {
    command: 'report',
    describe: 'make the page of the day and deliver it: are the backups there, and proven?',
    builder: (yargs) =>
      yargs
        .options({ config, store, json, quiet })
        .option('name', {
          type: 'string',
          requiresArg: true,
          description: 'of which database, where the store holds several',
        })
        .option('format', {
          type: 'string',
          requiresArg: true,
          description: `files to write, of ${Object.keys(FORMATS).join(', ')} (default: ${DEFAULT_FORMATS.join(',')})`,
          coerce: (value: string | string[]) => [value].flat().flatMap(splitList).map(toFormat),
        })
        .option('output', {
          type: 'string',
          requiresArg: true,
          description:
            'directory for report.html and its like (default: dated files in report.directory)',
        })
        .option('mail', {
          type: 'boolean',
          description: 'send a mail (default: where report.mail is set; --no-mail: not even then)',
        })
        .option('ping', {
          type: 'boolean',
          default: true,
          description: 'tell the switch at report.ping afterwards (--no-ping: do not)',
        })
        .option('strict', {
          type: 'boolean',
          description: 'exit with 21 where the day is not good',
        })
        .option('at', {
          type: 'string',
          requiresArg: true,
          hidden: true,
          description: 'the time that counts, in ISO 8601',
        })
        .example('$0 report', 'files, mail and ping, as pgveil.yaml says')
        .example('$0 report --format junit --no-mail --strict', 'for CI')
        .epilogue('Exits with 0 once the report is delivered, whatever it says; see --strict.'),
    handler: async (args) => {
      const { emit, settings } = await begin(context, args, { needs: ['store', 'backup'] })
      const { runReport } = await import('../daily/run.ts')
      const { operations, backup } = settings
      const [name, output] = [textOf(args, 'name'), textOf(args, 'output')]
      const options = {
        store: settings.store,
        backup,
        operations,
        ...(name !== undefined && { name }),
        ...(settings.file !== undefined && { config: settings.file }),
        formats: (args['format'] as Format[] | undefined) ?? DEFAULT_FORMATS,
        ...(output !== undefined && { output: resolve(io.cwd, output) }),
        mail: (args['mail'] as boolean | undefined) ?? operations.report.mail !== undefined,
        ping: args['ping'] === true,
        strict: args['strict'] === true,
        env: io.env,
        at: timeOf(textOf(args, 'at')),
        tool: context.tool,
      }
      await runReport(options, emit, signal)
    },
  }
}

function toFormat(name: string): Format {
  const formats = Object.keys(FORMATS) as Format[]
  const format = formats.find((each) => each === name)
  if (format) return format
  throw new Failure('usage', `--format: there is no format ${name}`, {
    hint: didYouMean(name, formats) ?? `the formats are ${formats.join(', ')}`,
  })
}

function textOf(args: Readonly<Record<string, unknown>>, name: string): string | undefined {
  return args[name] as string | undefined
}

function timeOf(text: string | undefined): number {
  const time = text === undefined ? Date.now() : Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new Failure('usage', `--at: ${text} is not a time like 2026-11-22T07:00:00Z`)
}
