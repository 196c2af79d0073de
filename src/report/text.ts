import { visible } from './display.ts'
import type { Event, Phase, VerifyStepEvent } from './events.ts'
import { plural } from './numbers.ts'
import { Progress } from './progress.ts'
import type { Reporter, TextSink } from './reporter.ts'
import type { Style } from './style.ts'
import { resultText } from './results.ts'
import { planLine, planText } from './summary.ts'

/** Warnings of one code that are printed as they come; the report has them all. */
const WARNINGS_AS_THEY_COME = 3

/** The part of the text output that shows a run while it goes, on stderr. */
export interface Display {
  style: Style
  now: () => number
  /** A line that stays. */
  line(text: string): void
  /** Called after each event. */
  update(event: Event, progress: Progress): void
  close(): void
}

export interface TextOptions {
  plan: 'full' | 'line'
  stdout: TextSink
  /** Style of stdout. */
  result: Style
  /** Where lines of the result wrap. */
  columns: number
  display: Display
}

/** The names of phases as a person reads them. */
export const PHASES: Readonly<Record<Phase, string>> = {
  open: 'opening the backup',
  preflight: 'looking at everything first',
  structure: 'building the structure',
  rows: 'copying rows',
  constraints: 'building indexes, constraints and views',
  erasures: 'removing persons who were erased',
  checks: 'checking',
  handover: 'handing over',
  commit: 'signing and committing',
}

/** The steps of a restore test, likewise. */
export const STEPS: Readonly<Record<VerifyStepEvent['step'], string>> = {
  signature: 'checking the signature',
  objects: 'reading every object',
  restore: 'restoring on a scratch server',
  compare: 'comparing every row',
  health: 'looking at heaps, indexes and constraints',
  assertions: 'asking your assertions',
  commands: 'running your commands',
  limits: 'comparing with the limits',
}

/** What a run is at, and for how many seconds. */
export function doing(
  progress: Progress,
  at: number,
): { what: string; seconds: number } | undefined {
  const { phase, phaseStart, step, stepStart } = progress
  if (phase) return { what: PHASES[phase], seconds: (at - phaseStart) / 1000 }
  return step && { what: STEPS[step], seconds: (at - stepStart) / 1000 }
}

/** Prints the result on stdout and everything else on stderr, for a person. */
export function textReporter({ plan, stdout, result, columns, display }: TextOptions): Reporter {
  const progress = new Progress()
  const warned = new Map<string, number>()
  const emit = (event: Event): void => {
    progress.see(event, display.now())
    if (event.event === 'warning') warn(event.code, event.message)
    if (event.event === 'note') display.line(visible(event.message))
    if (event.event === 'plan' && plan === 'line') display.line(planLine(event))
    display.update(event, progress)
    if (event.event === 'plan' && plan === 'full') {
      display.close()
      stdout.write(planText(event, result))
      return
    }
    const text = resultText(event, result, columns)
    if (text === undefined) return
    display.close()
    warned.clear()
    stdout.write(text)
  }
  const warn = (code: string, message: string): void => {
    const times = (warned.get(code) ?? 0) + 1
    warned.set(code, times)
    if (times <= WARNINGS_AS_THEY_COME)
      display.line(`${display.style.yellow('warning:')} ${visible(message)} (${code})`)
  }
  return {
    emit,
    close() {
      display.close()
      for (const [code, times] of warned) {
        const more = times - WARNINGS_AS_THEY_COME
        if (more > 0) display.line(`${plural(more, 'more warning')} (${code})`)
      }
      warned.clear()
    },
  }
}
