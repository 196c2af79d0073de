import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { OPTIONS, reportOptions, type Context } from './context.ts'
import { OPENING_OPTIONS } from './opening-options.ts'

const PRIVATE = 0o600

/** `pgveil unlock answer`: on a custodian's machine, without store and configuration. */
export function unlockAnswerCommand(context: Context): CommandModule {
  const { io } = context
  const { key, gpg } = OPENING_OPTIONS
  return {
    command: 'answer',
    describe: 'open an envelope that somebody has sent; for custodians, needs no configuration',
    builder: (yargs) =>
      yargs
        .options({ json: OPTIONS.json, quiet: OPTIONS.quiet, key })
        .options({ 'passphrase-fd': OPENING_OPTIONS['passphrase-fd'], gpg })
        .option('envelope', {
          type: 'string',
          requiresArg: true,
          demandOption: true,
          description: 'the file that came',
        })
        .option('output', {
          type: 'string',
          requiresArg: true,
          default: 'answer.txt',
          description: 'file for the half; - for standard output',
        })
        .example('$0 unlock answer --envelope request.asc', 'with gpg: its agent, its cards'),
    handler: async (args) => {
      const json = args['json'] === true
      const output = args['output'] as string
      if (json && output === '-')
        throw new Failure('usage', '--json and --output - both want standard output')
      const { emit } = context.report({ ...reportOptions(args), plan: 'line' })
      const [{ unlockAnswer }, { openingOf }, { writeNewFile }] = await Promise.all([
        import('../backup/custody.ts'),
        import('./opening.ts'),
        import('../backup/new-file.ts'),
      ])
      const request = await readRequest(resolve(io.cwd, args['envelope'] as string))
      const { openers } = await openingOf(args, io)
      const { content, half, asRequested } = await unlockAnswer(request, openers)
      try {
        if (output === '-') {
          io.stdout.write(`${content.toString('latin1')}\n`)
          emit({ event: 'note', message: `SHA-256 of the half: ${half}` })
          return
        }
        const path = resolve(io.cwd, output)
        await writeNewFile(path, content, PRIVATE)
        emit({
          event: 'unlock-answer',
          path,
          half,
          ...(asRequested !== undefined && { asRequested }),
        })
      } finally {
        content.fill(0)
      }
    },
  }
}

/** One byte more than an envelope may have is read: a longer file is refused by its form. */
async function readRequest(path: string): Promise<Buffer> {
  const { MAX_ENVELOPE_BYTES } = await import('../seal/envelope.ts')
  try {
    const file = await open(path)
    try {
      const buffer = Buffer.alloc(MAX_ENVELOPE_BYTES + 1)
      let length = 0
      while (length < buffer.length) {
        const { bytesRead } = await file.read(buffer, length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      return buffer.subarray(0, length)
    } finally {
      await file.close()
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Failure('key', `cannot read envelope ${path}: ${code ?? 'unreadable'}`, { cause })
  }
}
