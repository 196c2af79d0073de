import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import type { PublicKeyFile } from '../seal/keys.ts'
import { verifyDetached } from '../seal/signature.ts'
import { checkChain, type Break } from './check-chain.ts'
import { listFiles, listSigned, readLines } from './files.ts'
import { readHead, type Head } from './head.ts'
import type { AuditLine } from './record.ts'

/** What was found in a directory of records. */
export interface Verified {
  files: string[]
  lines: AuditLine[]
  /** Files with a signature that holds. */
  signed: string[]
  /** Closed files without one; the newest is not closed. */
  unsigned: string[]
  broken?: Break
  /** Bytes of a line that one who died had begun: the next command removes them. */
  torn: number
}

/**
 * Checks every line of the records, and the signatures of the files.
 *
 * @param signers whose signatures count; undefined: nobody says
 * @throws Failure `integrity` where there is nothing to check; `config` where it cannot be read
 */
export async function verifyRecords(
  directory: string,
  signers: readonly PublicKeyFile[] | undefined,
): Promise<Verified> {
  const anchor = await readHead(directory)
  const { lines, torn, files } = await readAll(
    directory,
    typeof anchor === 'string' ? '' : anchor.start.file,
  )
  if (anchor === 'missing' && files.length === 0) throw nothing(directory)
  const last = await readHead(directory)
  const chain = checkHeads(lines, anchor, last)
  const closed = files.slice(0, -1)
  const have = await listSigned(directory)
  const signed = closed.filter((file) => have.has(file))
  const broken = chain ?? (signers && (await checkSignatures(directory, signed, signers)))
  return {
    files,
    lines,
    signed,
    unsigned: closed.filter((file) => !have.has(file)),
    torn,
    ...(broken && { broken }),
  }
}

function nothing(directory: string): Failure {
  return new Failure('integrity', `there are no audit records in ${directory}`, {
    hint: 'the key state in pgveil.yaml names the directory above it; a new installation has none before its first command',
  })
}

async function readAll(directory: string, first: string) {
  const files = (await listFiles(directory)).filter((file) => file >= first)
  const lines: AuditLine[] = []
  let torn = 0
  for (const file of files) {
    const read = await readLines(directory, file)
    lines.push(...read.lines)
    if (read.torn.length === 0) continue
    if (file === files.at(-1)) torn = read.torn.length
    else lines.push({ file, line: read.lines.length + 1, hash: '', link: undefined })
  }
  return { files, lines, torn }
}

function checkHeads(
  lines: readonly AuditLine[],
  anchor: Head | 'missing' | 'damaged',
  last: Head | 'missing' | 'damaged',
): Break | undefined {
  if (typeof anchor !== 'string' && typeof last !== 'string') return checkChain(lines, anchor, last)
  const how = typeof anchor === 'string' ? anchor : (last as string)
  return {
    file: 'head',
    kind: 'head-lost',
    message: `it is ${how}: nothing shows whether the newest lines are there`,
  }
}

async function checkSignatures(
  directory: string,
  files: readonly string[],
  signers: readonly PublicKeyFile[],
): Promise<Break | undefined> {
  for (const file of files) {
    const path = join(directory, file)
    try {
      await verifyDetached(
        await readFile(path),
        await readFile(`${path}.asc`),
        signers.map(({ key }) => key),
      )
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return { file, kind: 'signature', message: error.message }
    }
  }
  return undefined
}
