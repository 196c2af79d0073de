import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseAnswer } from '../backup/custody.ts'
import { readKeyFile } from '../backup/keys.ts'
import type { Opening } from '../backup/unlock.ts'
import { Failure, systemReason } from '../errors.ts'
import type { EnvelopeOpener } from '../seal/envelope.ts'
import { GpgOpener } from '../seal/gpg-opener.ts'
import { KeyRing, readPrivateKeys, unlockKey, type PrivateKeyFile } from '../seal/key-ring.ts'
import type { Context, Io } from './context.ts'
import { askSecret, readLines } from './prompt.ts'

/**
 * What the command line says may open a backup. A signal ends a gpg that waits for somebody.
 *
 * @throws Failure `key`, `usage`
 */
export async function openingOf(
  args: Readonly<Record<string, unknown>>,
  { io, signal }: Pick<Context, 'io' | 'signal'>,
): Promise<Opening> {
  const paths = (args['key'] as string[] | undefined) ?? []
  const halves = new Map<string, Buffer>()
  for (const given of (args['half'] as string[] | undefined) ?? []) {
    const [, side, path] = /^([^=]+)=(.+)$/.exec(given) ?? []
    if (side === undefined || path === undefined) {
      throw new Failure('usage', '--half wants side=path', {
        hint: 'like --half offline=answer.txt',
      })
    }
    halves.set(side, await readHalf(resolve(io.cwd, path), side))
  }
  const openers: EnvelopeOpener[] = []
  const keys = await unlockAll(paths, args['passphraseFd'] as number | undefined, io)
  if (keys.length > 0) openers.push(new KeyRing(keys))
  if (args['gpg'] ?? paths.length === 0) openers.push(new GpgOpener({ signal }))
  return { halves, openers }
}

async function readHalf(path: string, side: string): Promise<Buffer> {
  let answer: Buffer
  try {
    answer = await readFile(path)
  } catch (cause) {
    const message = `cannot read the half of ${side} in ${path}: ${systemReason(cause)}`
    throw new Failure('key', message, { cause })
  }
  try {
    return parseAnswer(answer)
  } catch {
    throw new Failure('key', `${path} does not hold the half of ${side}`, {
      hint: 'it is what pgveil unlock answer writes: 43 characters and nothing else',
    })
  } finally {
    answer.fill(0)
  }
}

type UnlockedKey = Awaited<ReturnType<typeof unlockKey>>

async function unlockAll(
  paths: readonly string[],
  fd: number | undefined,
  io: Io,
): Promise<UnlockedKey[]> {
  const lines = fd === undefined ? undefined : readLines(fd)
  const keys: UnlockedKey[] = []
  for (const path of paths) {
    const absolute = resolve(io.cwd, path)
    for (const file of await readPrivateKeys(absolute, await readKeyFile(absolute))) {
      const passphrase = file.locked ? await passphraseOf(file, lines, io) : undefined
      keys.push(await unlockKey(file, passphrase))
      passphrase?.fill(0)
    }
  }
  return keys
}

async function passphraseOf(
  { fingerprint, path }: PrivateKeyFile,
  lines: Buffer[] | undefined,
  io: Io,
): Promise<Buffer> {
  const line = lines ? lines.shift() : await askSecret(`Passphrase of key ${fingerprint}`, io)
  if (line) return line
  throw new Failure('key', `key ${fingerprint} in ${path} needs a passphrase`, {
    hint: lines
      ? 'one line for each key that is locked, in the order of --key'
      : 'run it in a terminal, or give it by --passphrase-fd',
  })
}
