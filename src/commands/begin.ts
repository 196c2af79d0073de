import type { Configured, Needed } from '../config/config.ts'
import type { Flags } from '../config/layers.ts'
import type { Emit } from '../report/events.ts'
import { flagsOf, reportOptions, type Context } from './context.ts'

/** How a command begins: what it cannot do without, and what is peculiar to it. */
export interface Beginning<N extends Needed> {
  needs: readonly N[]
  /** How a plan is shown; one line, unless told. */
  plan?: 'full' | 'line'
  /** Instead of all options that configuration reads. */
  flags?: Flags
}

/**
 * Makes the reporter of the run, reads the configuration, and passes on what that warns of.
 *
 * @throws Failure like `loadConfig`
 */
export async function begin<N extends Needed>(
  context: Context,
  args: Readonly<Record<string, unknown>>,
  { needs, plan = 'line', flags = flagsOf(args) }: Beginning<N>,
): Promise<{ emit: Emit; settings: Configured<N> }> {
  const { io } = context
  const { loadConfig } = await import('../config/config.ts')
  const { emit } = context.report({ ...reportOptions(args), plan })
  const settings = await loadConfig({ flags, env: io.env, cwd: io.cwd, needs })
  for (const warning of settings.warnings) emit({ event: 'warning', ...warning })
  return { emit, settings }
}
