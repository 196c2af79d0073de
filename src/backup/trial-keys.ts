import { lstat, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { trialFile, trialSection, type PinnedKey } from '../config/trial.ts'
import { Failure, systemReason } from '../errors.ts'
import type { KeySetEvent, KeySetFile } from '../report/events.ts'
import { generateKey } from '../seal/generate.ts'
import { alreadyThere, writeNewFile } from './new-file.ts'

export interface TrialKeys {
  /** Absolute; made where it is not there. */
  directory: string
  /** One or two names. */
  sides: readonly string[]
  /** Of the database, in the names of the keys and the labels of backups. */
  name: string | undefined
  /** By side; a side without one gets a private key in plain. */
  passphrases: ReadonlyMap<string, Buffer>
  /** Absolute path of pgveil.yaml. */
  config: string
  writeConfig: boolean
}

/** A key pair to be made. */
interface Wanted {
  /** First part of the file names. */
  name: string
  use: 'encrypt' | 'sign'
  what: string
  holder: string
}

const MACHINES: Wanted[] = [
  {
    name: 'verifier',
    use: 'encrypt',
    what: 'opens backups for the restore test',
    holder: 'the restore server, and nobody else',
  },
  {
    name: 'signer',
    use: 'sign',
    what: 'signs backups',
    holder: 'the backup host',
  },
  {
    name: 'verdicts',
    use: 'sign',
    what: 'signs what restore tests find',
    holder: 'the restore server',
  },
]

/**
 * @throws Failure `refused` where one of the files is there already: then none is written; `key` where one cannot be
 *   written: then none stays
 */
export async function makeTrialKeys(options: TrialKeys): Promise<KeySetEvent> {
  const { directory, sides, name, config, writeConfig } = options
  const wanted = [...sides.map(custodian), ...MACHINES]
  const planned = wanted.flatMap((key) => filesOf(key, directory))
  for (const { path } of planned) await checkAbsent(path)
  if (writeConfig) await checkAbsent(config)
  await makeDirectory(directory)
  const written: string[] = []
  const write = async (path: string, content: string, mode: number) => {
    await writeNewFile(path, content, mode)
    written.push(path)
  }
  try {
    const pinned = new Map<string, PinnedKey>()
    for (const key of wanted) pinned.set(key.name, await makePair(key, options, write))
    const section = trialSection(
      {
        name,
        sides: new Map(sides.map((side) => [side, pinned.get(side)!])),
        verifier: pinned.get('verifier')!,
        signer: pinned.get('signer')!,
        signingKey: join(directory, 'signer.private.asc'),
        verifierKey: join(directory, 'verifier.private.asc'),
        verdictSigner: pinned.get('verdicts')!,
        verdictKey: join(directory, 'verdicts.private.asc'),
      },
      dirname(config),
    )
    if (writeConfig) await write(config, trialFile(section), 0o644)
    return { event: 'key-set', files: planned, section, ...(writeConfig && { config }) }
  } catch (error) {
    await Promise.all(written.map((path) => rm(path, { force: true })))
    throw error
  }
}

function custodian(side: string): Wanted {
  return {
    name: side,
    use: 'encrypt',
    what: `opens the half of ${side}`,
    holder: `the custodians of ${side}: away from this machine`,
  }
}

function filesOf({ name, what, holder }: Wanted, directory: string): KeySetFile[] {
  return [
    {
      path: join(directory, `${name}.public.asc`),
      what: `public key of ${name}`,
      holder: 'the backup host; no secret',
      private: false,
    },
    { path: join(directory, `${name}.private.asc`), what, holder, private: true },
  ]
}

async function makePair(
  key: Wanted,
  { directory, name, passphrases }: TrialKeys,
  write: (path: string, content: string, mode: number) => Promise<void>,
): Promise<PinnedKey> {
  const passphrase = passphrases.get(key.name)
  const pair = await generateKey({
    name: `pgveil trial ${name === undefined ? '' : `${name} `}${key.name}`,
    use: key.use,
    ...(passphrase && { passphrase }),
  })
  const [open, secret] = filesOf(key, directory) as [KeySetFile, KeySetFile]
  await write(secret.path, pair.privateKey, 0o600)
  await write(open.path, pair.publicKey, 0o644)
  return { path: open.path, fingerprint: pair.fingerprint }
}

async function checkAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return
    throw new Failure('key', `cannot look at ${path}: ${systemReason(cause)}`, { cause })
  }
  throw alreadyThere(path)
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new Failure('key', `cannot make directory ${path}: ${systemReason(cause)}`, { cause })
  }
}
