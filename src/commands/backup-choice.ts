import type { Options } from 'yargs'

/** Options of every command that looks at one backup. */
export const BACKUP_CHOICE = {
  label: {
    type: 'string',
    requiresArg: true,
    description: 'which backup (default: the latest)',
  },
  name: {
    type: 'string',
    requiresArg: true,
    description: 'of which database the latest, where the store holds several',
  },
} as const satisfies Record<string, Options>

/** {@link BACKUP_CHOICE} as `findBackup` takes it. */
export function choiceOf(args: Readonly<Record<string, unknown>>): {
  label: string | undefined
  name: string | undefined
} {
  return {
    label: args['label'] as string | undefined,
    name: args['name'] as string | undefined,
  }
}
