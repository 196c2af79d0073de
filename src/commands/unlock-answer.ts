import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { Failure, systemReason } from '../errors.ts'
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
      const [{ unlockAnswer }, { openingOf }, { writeNewFile }, { MAX_ENVELOPE_BYTES }] =
        await Promise.all([
          import('../backup/custody.ts'),
          import('./opening.ts'),
          import('../backup/new-file.ts'),
          import('../seal/envelope.ts'),
        ])
      const path = resolve(io.cwd, args['envelope'] as string)
      const request = await readRequest(path, MAX_ENVELOPE_BYTES)
      const { openers } = await openingOf(args, context)
      const { content, half, asRequested } = await unlockAnswer(request, openers)
      try {
        if (output === '-') {
          io.stdout.write(`${content.toString('latin1')}\n`)
          emit({ event: 'note', message: `SHA-256 of the half: ${half}` })
          return
        }
        const answer = resolve(io.cwd, output)
        await writeNewFile(answer, content, PRIVATE)
        emit({
          event: 'unlock-answer',
          path: answer,
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
async function readRequest(path: string, most: number): Promise<Buffer> {
  try {
    const file = await open(path)
    try {
      const buffer = Buffer.alloc(most + 1)
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
    throw new Failure('key', `cannot read envelope ${path}: ${systemReason(cause)}`, { cause })
  }
}
