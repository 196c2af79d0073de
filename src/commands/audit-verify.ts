import { join } from 'node:path'
import type { CommandModule } from 'yargs'
import { Failure } from '../errors.ts'
import { begin } from './begin.ts'
import { OPTIONS, type Context } from './context.ts'

/** `pgveil audit verify`: are the records what they were? */
export function auditVerifyCommand(context: Context): CommandModule {
  const { config, json, quiet } = OPTIONS
  return {
    command: 'verify',
    describe: 'check the chain of records and its signatures, and name the first broken line',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('strict', {
          type: 'boolean',
          default: false,
          description: 'files of former days that are not signed count, too',
        })
        .epilogue(
          'Exits with 0 where all records are whole, 15 where a line is broken or there is none, 21 for --strict.',
        ),
    handler: async (args) => {
      const {
        emit,
        settings: { backup, operations },
      } = await begin(context, args, { needs: [] })
      const [{ auditDirectory }, { verifyRecords }, { runsOf, unfinishedRuns }, { loadSigners }] =
        await Promise.all([
          import('../audit/files.ts'),
          import('../audit/verify.ts'),
          import('../audit/runs.ts'),
          import('../backup/keys.ts'),
        ])
      const directory = auditDirectory(operations.state)
      const found = await verifyRecords(directory, backup && (await loadSigners(backup)))
      const { files, lines, signed, unsigned, broken, torn } = found
      emit({
        event: 'audit',
        directory,
        files: files.length,
        records: lines.length,
        ...(lines[0]?.link && { from: lines[0].link.time }),
        ...(lines.at(-1)?.link && { to: lines.at(-1)?.link?.time as string }),
        signaturesChecked: backup !== undefined,
        signed,
        unsigned,
        unfinished: unfinishedRuns(runsOf(lines)),
        torn,
        ...(broken && { broken }),
      })
      if (broken) {
        const { file, line, kind, message } = broken
        const place = `${join(directory, file)}${line === undefined ? '' : `:${line}`}`
        throw new Failure('integrity', `audit records are broken: ${place}: ${kind}: ${message}`, {
          hint: 'compare with a copy of the directory from before; docs/audit.md says what each word means',
        })
      }
      if (args['strict'] === true && unsigned.length > 0)
        throw new Failure('findings', `not signed: ${unsigned.join(', ')}`)
    },
  }
}
