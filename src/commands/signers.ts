import { resolve } from 'node:path'
import { loadSigners } from '../backup/keys.ts'
import type { BackupSettings } from '../config/backup.ts'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import type { Io } from './context.ts'

/**
 * The public keys whose backups are believed: of the command line, else of pgveil.yaml.
 *
 * @throws Failure `usage` where none is named, `key` where one cannot be read
 */
export async function signersOf(
  args: Readonly<Record<string, unknown>>,
  { cwd }: Io,
  backup: BackupSettings | undefined,
): Promise<PublicKeyFile[]> {
  const paths = (args['signer'] as string[] | undefined) ?? []
  const given = paths.map((path) => ({ file: resolve(cwd, path) }))
  const signer = given.length > 0 ? given : backup?.signer
  if (signer) return loadSigners({ signer })
  throw new Failure('usage', 'no key is named whose backups are believed', {
    hint: 'use --signer, or backup: { signer: … } in pgveil.yaml',
  })
}
