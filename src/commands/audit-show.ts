import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `pgveil audit show`: who did what, and how it ended. */
export function auditShowCommand(context: Context): CommandModule {
  const { config, json, quiet } = OPTIONS
  return {
    command: 'show',
    describe: 'show who ran what, when, on what, and how it ended',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('since', {
          type: 'string',
          requiresArg: true,
          description: 'runs that started since then (like 2026-11-01, or 12h, 7d, 4w)',
        })
        .option('command', {
          type: 'string',
          requiresArg: true,
          description: 'runs of this command (like restore, or keys)',
        })
        .example('$0 audit show --since 7d --command restore', 'who restored what this week?'),
    handler: async (args) => {
      const since = args['since'] === undefined ? undefined : sinceOf(args['since'])
      const command = args['command'] as string | undefined
      const { emit, settings } = await begin(context, args, { needs: [] })
      const { listAuditRuns } = await import('../audit/inspect.ts')
      const choice = { ...(since && { since }), ...(command !== undefined && { command }) }
      await listAuditRuns({ state: settings.operations.state, ...choice }, emit)
    },
  }
}

/** A day, a time, or how long ago. */
function sinceOf(value: unknown): Date {
  const text = String(value)
  const [, number, unit = ''] = /^(\d{1,5})([hdw])$/.exec(text) ?? []
  if (number !== undefined) return new Date(Date.now() - Number(number) * (UNITS[unit] ?? 0))
  const time = /^\d{4}-\d{2}-\d{2}(T[\d:.]+Z?)?$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return new Date(time)
  throw new Failure('usage', `--since: ${text} is no time`, {
    hint: 'write 2026-11-01, 2026-11-01T02:00:00Z, or how long ago: 12h, 7d, 4w',
  })
}
