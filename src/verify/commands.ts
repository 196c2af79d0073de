import { spawn, type ChildProcess } from 'node:child_process'
import { systemReason } from '../errors.ts'
import type { Command } from './rules.ts'
import type { StepRecord } from './step.ts'

export interface CommandsRequest {
  commands: readonly Command[]
  /** Where they run. */
  directory: string
  /** Of the restored database. */
  url: string
  env: NodeJS.ProcessEnv
  /** Names of environment variables that hold secrets of pgveil's own. */
  secrets: readonly string[]
  signal: AbortSignal
}

/** The last of what a command printed: it may be rows of the restored database, and stays on this machine. */
export interface CommandOutput {
  name: string
  lines: string[]
}

const KEPT_LINES = 40
const KEPT_COLUMNS = 400
/** Milliseconds between the polite and the other signal. */
const GRACE = 5_000
/** Milliseconds in which the last output arrives. */
const OUTPUT_GRACE = 500

/**
 * Runs the user's commands, one after the other. Exit status 0 is a pass.
 *
 * @returns what they printed, in part
 */
export async function runCommands(
  record: StepRecord,
  request: CommandsRequest,
): Promise<CommandOutput[]> {
  const outputs: CommandOutput[] = []
  const environment = commandEnvironment(request)
  for (const command of request.commands) {
    const started = performance.now()
    const { lines, problem, ran } = await runOne(command, request, environment)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    outputs.push({ name: command.name, lines })
    if (ran) record.checks++
    if (problem === undefined) record.note(`${command.name}: exit status 0 after ${seconds} s`)
    else if (ran) record.fail(`${command.name}: ${problem}`)
    else record.incomplete(`${command.name}: ${problem}`)
  }
  return outputs
}

/** Without what is pgveil's, or leads to another database; libpq's variables lead to the restored one. */
export function commandEnvironment({
  env,
  secrets,
  url,
}: Pick<CommandsRequest, 'env' | 'secrets' | 'url'>): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => !/^(PG|AWS_)/.test(name) && !secrets.includes(name),
  )
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    ...Object.fromEntries(kept),
    PGVEIL_SCRATCH_URL: url,
    PGHOST: hostname,
    PGPORT: port || '5432',
    PGUSER: decodeURIComponent(username),
    ...(password && { PGPASSWORD: decodeURIComponent(password) }),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
  }
}

interface Ended {
  lines: string[]
  /** Undefined: exit status 0. */
  problem: string | undefined
  /** It could be started. */
  ran: boolean
}

async function runOne(
  { run, timeoutSeconds }: Command,
  { directory, signal }: CommandsRequest,
  env: NodeJS.ProcessEnv,
): Promise<Ended> {
  const [program = '', ...args] = run
  const tail = new Tail()
  // A group of its own: what it starts in its turn ends with it.
  const child = spawn(program, args, {
    cwd: directory,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => tail.take(text))
  let late = false
  const timer = setTimeout(() => {
    late = true
    endGroup(child)
  }, timeoutSeconds * 1000)
  const stop = () => endGroup(child)
  signal.addEventListener('abort', stop)
  try {
    return await new Promise<Ended>((resolve) => {
      child.once('error', (error) =>
        resolve({ lines: [], problem: `cannot be started: ${systemReason(error)}`, ran: false }),
      )
      child.once('exit', (code, killed) => {
        const problem = late
          ? `did not end within ${timeoutSeconds} s`
          : killed
            ? `ended by ${killed}`
            : `exit status ${code}`
        const isGood = code === 0 && !late
        const end = () =>
          resolve({ lines: tail.lines, problem: isGood ? undefined : problem, ran: true })
        // Somebody whom it has started may keep its output open for ever.
        child.once('close', end)
        setTimeout(end, OUTPUT_GRACE)
      })
    })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    // What it left behind holds its end of the pipes.
    for (const stream of [child.stdout, child.stderr]) stream.destroy()
    signalGroup(child, 'SIGKILL')
  }
}

function endGroup(child: ChildProcess): void {
  signalGroup(child, 'SIGTERM')
  setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE).unref()
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody of it is left.
  }
}

/** The last lines of an output, in bounded memory. */
class Tail {
  readonly #lines: string[] = []
  #open = ''

  take(text: string): void {
    const parts = (this.#open + text).split('\n')
    this.#open = (parts.pop() ?? '').slice(0, KEPT_COLUMNS)
    this.#lines.push(...parts.slice(-KEPT_LINES).map((line) => line.slice(0, KEPT_COLUMNS)))
    this.#lines.splice(0, this.#lines.length - KEPT_LINES)
  }

  get lines(): string[] {
    return this.#open === '' ? [...this.#lines] : [...this.#lines, this.#open]
  }
}
