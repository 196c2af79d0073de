import { resolve } from 'node:path'
import type { CommandModule } from 'yargs'
import { splitList } from '../config/layers.ts'
import { Failure } from '../errors.ts'
import { OPTIONS, reportOptions, type Context, type Io } from './context.ts'
import { askSecret, readLines } from './prompt.ts'

const TWO_SIDES = 'operations,offline'
const SINGLE_SIDE = 'operations'

/** `pgveil keys init`: a working set of keys to try backups with. */
export function keysInitCommand(context: Context): CommandModule {
  const { io } = context
  const { config, json, quiet } = OPTIONS
  return {
    command: 'init',
    describe: 'make a working set of keys for a trial',
    builder: (yargs) =>
      yargs
        .options({ config, json, quiet })
        .option('directory', {
          type: 'string',
          requiresArg: true,
          default: 'keys',
          description: 'where the key files go',
        })
        .option('sides', {
          type: 'string',
          requiresArg: true,
          description: `custodian sides (default: ${TWO_SIDES})`,
        })
        .option('single-side', {
          type: 'boolean',
          default: false,
          description: 'one side only, which opens every backup alone',
        })
        .option('passphrases', {
          type: 'boolean',
          default: true,
          description:
            'ask for the passphrases of the sides; --no-passphrases: private keys in plain',
        })
        .option('passphrase-fd', {
          type: 'number',
          requiresArg: true,
          description: 'file descriptor with a passphrase for each side, a line each',
        })
        .option('name', {
          type: 'string',
          requiresArg: true,
          description: 'of the database, for the labels of backups',
        })
        .option('write-config', {
          type: 'boolean',
          default: false,
          description: 'write the section backup: to a new pgveil.yaml',
        })
        .example('$0 keys init --name crm', 'keys/, with a passphrase for each side'),
    handler: async (args) => {
      const { emit } = context.report({ ...reportOptions(args), plan: 'line' })
      const sides = sidesOf(args['sides'] as string | undefined, args['singleSide'] === true)
      const name = nameOf(args['name'] as string | undefined)
      if (args['passphrases'] === false)
        emit({
          event: 'warning',
          code: 'no-passphrases',
          message:
            'PRIVATE KEYS WITHOUT PASSPHRASES: whoever copies the files opens the backups; for a trial only',
        })
      const passphrases = await passphrasesOf(sides, args, io)
      const { makeTrialKeys } = await import('../backup/trial-keys.ts')
      try {
        const file = (args['config'] as string | undefined) ?? 'pgveil.yaml'
        emit(
          await makeTrialKeys({
            directory: resolve(io.cwd, args['directory'] as string),
            sides,
            name,
            passphrases,
            config: resolve(io.cwd, file),
            writeConfig: args['writeConfig'] === true,
          }),
        )
      } finally {
        for (const passphrase of passphrases.values()) passphrase.fill(0)
      }
    },
  }
}

/** Names that other key files have. */
const TAKEN = ['verifier', 'verdicts', 'signer']

function sidesOf(given: string | undefined, single: boolean): string[] {
  const sides = splitList(given ?? (single ? SINGLE_SIDE : TWO_SIDES))
  const bad = sides.find((side) => !/^[a-z][a-z0-9-]{0,30}$/.test(side) || TAKEN.includes(side))
  if (bad !== undefined)
    throw new Failure('usage', `${JSON.stringify(bad)} is no name for a side`, {
      hint: 'small letters, digits and -, and neither verifier nor signer',
    })
  if (sides.length === (single ? 1 : 2) && new Set(sides).size === sides.length) return sides
  throw single
    ? new Failure('usage', '--single-side wants one side')
    : new Failure('usage', '--sides wants two names, like operations,offline', {
        hint: 'one side alone can read every backup; where that is meant: --single-side',
      })
}

function nameOf(name: string | undefined): string | undefined {
  if (name === undefined || /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name)) return name
  throw new Failure('usage', `${JSON.stringify(name)} is no name for backups`, {
    hint: 'small letters, digits, _ and -',
  })
}

async function passphrasesOf(
  sides: readonly string[],
  args: Readonly<Record<string, unknown>>,
  io: Io,
): Promise<Map<string, Buffer>> {
  const fd = args['passphraseFd'] as number | undefined
  if (args['passphrases'] === false) {
    if (fd === undefined) return new Map()
    throw new Failure('usage', '--no-passphrases and --passphrase-fd exclude each other')
  }
  const lines = fd === undefined ? undefined : readLines(fd)
  const passphrases = new Map<string, Buffer>()
  for (const side of sides) {
    const passphrase = lines ? lines.shift() : await askTwice(side, io)
    if (!passphrase || passphrase.length === 0)
      throw new Failure('key', `there is no passphrase for ${side}`, {
        hint: lines
          ? `a line for each side: ${sides.join(', ')}`
          : 'run it in a terminal, or use --passphrase-fd; for a trial: --no-passphrases',
      })
    passphrases.set(side, passphrase)
  }
  return passphrases
}

async function askTwice(side: string, io: Io): Promise<Buffer | undefined> {
  const first = await askSecret(`New passphrase for the key of ${side}`, io)
  if (!first || first.length === 0) return undefined
  const second = await askSecret('The same again', io)
  const same = second?.equals(first) === true
  second?.fill(0)
  if (same) return first
  first.fill(0)
  throw new Failure('key', `the two passphrases for ${side} differ`, { hint: 'nothing was made' })
}
