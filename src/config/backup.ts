import { resolve } from 'node:path'
import { z } from './zod.ts'
import type { SecretSource } from './secret.ts'

/** A file of public keys, and which of them are meant. */
export interface KeyReference {
  /** Absolute path. */
  file: string
  /** Where given, the key in the file must be this one: 40 hexadecimal digits, upper case. */
  fingerprint?: string
}

/** One of the parties that each hold a half. Its keys are any-of. */
export interface Side {
  name: string
  keys: KeyReference[]
}

/** How backups are sealed and signed. */
export interface BackupSettings {
  /** End of the labels; the database's name unless told. */
  name?: string
  sides: Side[]
  /** Keys of the restore server. */
  verifier: KeyReference[]
  /** Public keys whose backups are believed. */
  signer: KeyReference[]
  /** Private key of the backup host. */
  signingKey?: string
  signingPassphrase?: SecretSource
  /** zstd's. */
  level: number
}

const DEFAULT_LEVEL = 1
const MOST_LEVEL = 19

const TEXT = z.string().min(1, 'expected text')

const KEY = z.union(
  [
    TEXT,
    z.strictObject({
      file: TEXT,
      fingerprint: z
        .string()
        .transform((text) => text.replaceAll(' ', '').toUpperCase())
        .refine((text) => /^[0-9A-F]{40}$/.test(text), 'expected 40 hexadecimal digits'),
    }),
  ],
  { error: 'expected the path of a public key, or { file, fingerprint }' },
)
/** A key or several. */
export const KEYS = z.union(
  [KEY.transform((key) => [key]), z.array(KEY).min(1, 'expected a key')],
  {
    error: 'expected the path of a public key, or a list of such',
  },
)

/** Where a passphrase or secret is kept. */
export const SECRET = z.union([z.strictObject({ env: TEXT }), z.strictObject({ file: TEXT })], {
  error: 'expected { env: NAME } or { file: path }; the secret itself never stands here',
})

const SIDE_NAME = /^[a-z][a-z0-9-]{0,30}$/

/** The key `backup` of pgveil.yaml. */
export const BACKUP_SCHEMA = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected small letters, digits, _ and -')
      .optional(),
    sides: z
      .record(z.string().regex(SIDE_NAME, 'names of sides are small letters, digits and -'), KEYS)
      .refine((sides) => !('verifier' in sides), 'verifier is no name for a custodian side')
      .refine(
        (sides) => Object.keys(sides).length === 1 || Object.keys(sides).length === 2,
        'expected two sides, like operations and offline',
      ),
    /** One side only has to be meant. */
    singleSide: z.boolean().optional(),
    verifier: KEYS.optional(),
    signer: KEYS,
    signingKey: TEXT.optional(),
    signingPassphrase: SECRET.optional(),
    level: z.int().min(1, 'expected 1 to 19').max(MOST_LEVEL, 'expected 1 to 19').optional(),
  })
  .refine(
    ({ sides, singleSide }) => Object.keys(sides).length === 2 || singleSide === true,
    'one side alone can read every backup: name two, or write singleSide: true',
  )

/** Keys as the settings have them; relative paths count from `base`. */
export function toReferences(keys: z.output<typeof KEYS>, base: string): KeyReference[] {
  return keys.map((key) =>
    typeof key === 'string'
      ? { file: resolve(base, key) }
      : { file: resolve(base, key.file), fingerprint: key.fingerprint },
  )
}

/** Settings of backups; relative paths count from `base`. */
export function backupSettings(
  value: z.output<typeof BACKUP_SCHEMA>,
  base: string,
): BackupSettings {
  const passphrase = value.signingPassphrase
  return {
    ...(value.name !== undefined && { name: value.name }),
    sides: Object.entries(value.sides).map(([name, keys]) => ({
      name,
      keys: toReferences(keys, base),
    })),
    verifier: toReferences(value.verifier ?? [], base),
    signer: toReferences(value.signer, base),
    ...(value.signingKey !== undefined && { signingKey: resolve(base, value.signingKey) }),
    ...(passphrase && {
      signingPassphrase:
        'file' in passphrase ? { file: resolve(base, passphrase.file) } : passphrase,
    }),
    level: value.level ?? DEFAULT_LEVEL,
  }
}
