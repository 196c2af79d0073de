import type { Options } from 'yargs'

/** Options of every command that opens a backup. */
export const OPENING_OPTIONS = {
  key: {
    type: 'string',
    array: true,
    requiresArg: true,
    description: 'private key of a custodian side, or of the verifier (path; several allowed)',
  },
  'passphrase-fd': {
    type: 'number',
    requiresArg: true,
    description: 'file descriptor with the passphrases of the keys, a line each',
  },
  gpg: {
    type: 'boolean',
    description:
      'open envelopes through gpg: its agent, its cards (default: where no key is given)',
  },
  half: {
    type: 'string',
    array: true,
    requiresArg: true,
    description: 'half that a custodian has sent (side=path; several allowed)',
  },
} as const satisfies Record<string, Options>

/** Of commands that read backups: on a machine that has nothing else, a public key is all they need. */
export const SIGNER_OPTION = {
  signer: {
    type: 'string',
    array: true,
    requiresArg: true,
    description: 'public key whose backups are believed (path; instead of backup.signer)',
  },
} as const satisfies Record<string, Options>
