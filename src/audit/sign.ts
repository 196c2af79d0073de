import { randomUUID } from 'node:crypto'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadSigners, loadSigningKey } from '../backup/keys.ts'
import { writeNewFile } from '../backup/new-file.ts'
import type { BackupSettings } from '../config/backup.ts'
import { Failure } from '../errors.ts'
import { signDetached } from '../seal/signature.ts'
import { checkChain } from './check-chain.ts'
import { listFiles, listSigned, readLines } from './files.ts'
import { readHead } from './head.ts'
import type { AuditLine } from './record.ts'

/** Closed files that nobody has signed yet. */
export async function unsignedFiles(directory: string): Promise<string[]> {
  const signed = await listSigned(directory)
  return (await listFiles(directory)).slice(0, -1).filter((file) => !signed.has(file))
}

/**
 * Signs closed files with the key of this host: beside each a detached signature, `<file>.asc`. Files whose chain is
 * broken are not signed, nor are those after the break: a signature says that they are as they were written.
 *
 * @throws Failure `key`, `config` where the key cannot be used; `integrity` where the chain is broken
 */
export async function signFiles(
  directory: string,
  files: readonly string[],
  backup: BackupSettings,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const key = await loadSigningKey(backup, await loadSigners(backup), env)
  await checkAll(directory)
  for (const file of files) {
    const path = join(directory, file)
    const signature = await signDetached(await readFile(path), key)
    const temporary = `${path}.${randomUUID()}.part`
    try {
      await writeNewFile(temporary, signature, 0o600)
      await rename(temporary, `${path}.asc`)
    } finally {
      await rm(temporary, { force: true })
    }
  }
}

async function checkAll(directory: string): Promise<void> {
  const anchor = await readHead(directory)
  const lines: AuditLine[] = []
  for (const file of await listFiles(directory)) {
    if (typeof anchor === 'string' || file < anchor.start.file) continue
    lines.push(...(await readLines(directory, file)).lines)
  }
  const last = await readHead(directory)
  const broken =
    typeof anchor === 'string' || typeof last === 'string'
      ? { file: 'head', message: 'it cannot be read' }
      : checkChain(lines, anchor, last)
  if (broken) {
    throw new Failure('integrity', `the audit records are broken in ${broken.file}`, {
      hint: 'pgveil audit verify names the line',
    })
  }
}
