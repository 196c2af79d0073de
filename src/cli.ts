#!/usr/bin/env node
import { readFileSync, realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { yargs } from './commands/yargs.ts'
import { RunAudit } from './audit/run-audit.ts'
import { auditCommand } from './commands/audit.ts'
import { backupCommand } from './commands/backup.ts'
import { SIGNALS, type Context, type Io } from './commands/context.ts'
import { copyCommand } from './commands/copy.ts'
import { eraseCommand } from './commands/erase.ts'
import { keysCommand } from './commands/keys.ts'
import { listCommand } from './commands/list.ts'
import { masksCommand } from './commands/masks.ts'
import { nightlyCommand } from './commands/nightly.ts'
import { pruneCommand } from './commands/prune.ts'
import { reportCommand } from './commands/report.ts'
import { restoreCommand } from './commands/restore.ts'
import { rulesCommand } from './commands/rules.ts'
import { unlockCommand } from './commands/unlock.ts'
import { checkArguments, misuse } from './commands/usage.ts'
import { verifyCommand } from './commands/verify.ts'
import { EXIT_CODES, Failure } from './errors.ts'
import { errorEvent, errorText } from './report/failure.ts'
import { jsonLine } from './report/json.ts'
import { createReporter, type Reporter } from './report/reporter.ts'
import { style } from './report/style.ts'

export type { Io } from './commands/context.ts'

const WIDEST_HELP = 100
const HANG_MS = 5_000

const EPILOGUE = `Exit codes:
  0 done               13 store: S3, directory      20 verdict: a restore test failed
  1 bug in pgveil      14 key or secret             21 findings: a check found something
  2 usage              15 integrity                 22 delivery: a report is lost
 10 configuration      16 refused: nothing was     130 stopped by SIGINT
 11 source database       changed                  143 stopped by SIGTERM
 12 target database

Configuration: flags win over PGVEIL_… variables, those over pgveil.yaml.`

/**
 * Runs one command line in this process.
 *
 * @param argv arguments after the program's name
 * @returns the exit code; never throws
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes('--json')
  const abort = new AbortController()
  let reporter: Reporter | undefined
  let cleaning = 'cleaning up'
  const say = (message: string): void => {
    if (reporter) reporter.emit({ event: 'note', message })
    else io.stderr.write(`pgveil: ${message}\n`)
  }
  const tool = `pgveil ${version()}`
  const audit = new RunAudit({ argv, env: io.env, cwd: io.cwd, tool })
  const context: Context = {
    io,
    signal: abort.signal,
    report: (options) =>
      (reporter = audit.watch(createReporter({ ...io, ...options, now: clock }))),
    tool,
    cleaning: (what) => (cleaning = what),
  }
  const unlisten = listen(io, abort, () => cleaning, say)
  try {
    const output = await dispatch(argv, context, audit)
    reporter?.close()
    if (output !== '') io.stdout.write(`${output}\n`)
    await record(audit, 'done', 0, io)
    return 0
  } catch (thrown) {
    reporter?.close()
    const error = abort.signal.aborted ? stopped(abort.signal.reason, thrown) : thrown
    if (json) io.stdout.write(jsonLine(errorEvent(error)))
    io.stderr.write(errorText(error, style(io.isTTY.stderr, io.env)))
    const kind = error instanceof Failure ? error.kind : 'bug'
    await record(audit, kind, EXIT_CODES[kind], io)
    return EXIT_CODES[kind]
  } finally {
    unlisten()
  }
}

/** What was done is done: that its end could not be recorded is told, and changes nothing. */
async function record(audit: RunAudit, result: string, exitCode: number, io: Io): Promise<void> {
  const problem = await audit.end(result, exitCode)
  if (problem !== undefined) io.stderr.write(`pgveil: warning: ${problem}\n`)
}

/** Returns what `--help` and `--version` print. */
async function dispatch(
  argv: readonly string[],
  context: Context,
  audit: RunAudit,
): Promise<string> {
  let printed = ''
  const columns = context.io.isTTY.stdout ? context.io.size().columns : WIDEST_HELP
  const parser = yargs()
    .scriptName('pgveil')
    .locale('en')
    .usage('$0 <command>\n\nMasked copies and sealed backups for PostgreSQL.')
    .middleware(async (args) => {
      checkArguments(argv, args)
      await audit.start(args)
    })
    .command(copyCommand(context))
    .command(backupCommand(context))
    .command(listCommand(context))
    .command(restoreCommand(context))
    .command(verifyCommand(context))
    .command(pruneCommand(context))
    .command(eraseCommand(context))
    .command(nightlyCommand(context))
    .command(reportCommand(context))
    .command(keysCommand(context))
    .command(unlockCommand(context))
    .command(auditCommand(context))
    .command(rulesCommand(context))
    .command(masksCommand(context))
    .help('help', 'show this help')
    .version('version', 'show the version', version())
    .example('$0 rules check', 'is every column of the source decided?')
    .example('$0 copy --dry-run', 'show the plan, change nothing')
    .example('$0 copy --jobs 4', 'make the copy')
    .example('$0 backup', 'make a sealed backup')
    .example('$0 restore --target postgres://…', 'bring the latest back')
    .example('$0 verify', 'is the latest worth anything?')
    .wrap(Math.min(columns, WIDEST_HELP))
    .epilogue(EPILOGUE)
    .strict()
    .demandCommand(1, 'which command?')
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined, at: unknown) => {
      if (error && error.name !== 'YError') throw error
      // Its types do not know it: the help of the command that was meant.
      const usage = at as { help(): string }
      throw misuse(message ?? error?.message ?? '', argv, usage.help())
    })
  // As an alias it would take four columns from every line of help.
  const given = argv.map((argument) => (argument === '-h' ? '--help' : argument))
  await parser.parseAsync(given, {}, (_error, _argv, output) => {
    printed = output
  })
  return printed
}

/** Stops the run on a signal, or on an error that nobody caught: either way the command cleans up. */
function listen(
  { signals }: Io,
  abort: AbortController,
  cleaning: () => string,
  say: (message: string) => void,
): () => void {
  if (!signals) return () => undefined
  const handlers: [string, (argument: unknown) => void][] = Object.entries(SIGNALS).map(
    ([name, kind]) => [
      name,
      () => {
        const again = abort.signal.aborted
        abort.abort(new Failure(kind, `stopped by ${name}`))
        say(again ? `still ${cleaning()}; please wait` : `stopping: ${cleaning()}`)
      },
    ],
  )
  handlers.push(['uncaughtException', (error) => abort.abort(error)])
  for (const [name, handler] of handlers) signals.on(name, handler)
  return () => {
    for (const [name, handler] of handlers) signals.off(name, handler)
  }
}

/** What a stopped run ended with: the reason to stop, with what the command says it left behind. */
function stopped(reason: unknown, thrown: unknown): unknown {
  if (!(reason instanceof Failure && thrown instanceof Failure) || thrown.left === undefined)
    return reason
  return new Failure(reason.kind, reason.message, { left: thrown.left })
}

function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

function clock(): number {
  return performance.now()
}

async function main(): Promise<void> {
  // Takes URLs with passwords out of the list of processes, where the system allows it.
  process.title = 'pgveil'
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  process.exitCode = await run(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    ...(process.stdin.isTTY && { stdin: process.stdin }),
    env: process.env,
    cwd: process.cwd(),
    isTTY: { stdout: process.stdout.isTTY === true, stderr: process.stderr.isTTY === true },
    size: () => ({ columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 }),
    signals: process,
  })
  // What is done is done: a signal now must not make it look stopped. A second one ends what hangs.
  for (const name of Object.keys(SIGNALS)) {
    process.once(name, () => process.once(name, () => process.exit()))
  }
  // Taking itself apart, node would for some milliseconds leave signals to the system again.
  process.once('beforeExit', () => process.exit())
  watchForHang()
}

/** Something left open must not keep a finished run alive; a reader that is slow may. */
function watchForHang(): void {
  setTimeout(() => {
    if (process.stdout.writableLength > 0) {
      watchForHang()
      return
    }
    const open = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout')
    process.stderr.write(`pgveil: left open at the end: ${open.join(', ')}\n`)
    process.exit()
  }, HANG_MS).unref()
}

if (
  process.argv[1] !== undefined &&
  realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)
)
  await main()
