import { didYouMean } from '../config/nearest.ts'
import { lowerFirst } from '../config/words.ts'
import { Failure } from '../errors.ts'

/** Options that may be given several times. */
const LISTS: ReadonlySet<string> = new Set([
  'exclude',
  'format',
  'half',
  'key',
  'only',
  'signer',
  'skip',
])

/** What yargs says of arguments that it does not take, and how it is said here. */
const SAYINGS: readonly [RegExp, (names: string) => string][] = [
  [/^Not enough arguments following: (\S+)/, (name) => `--${name} wants a value`],
  [/^Missing required arguments?: (.+)/, (names) => `missing: ${flags(names.split(', '))}`],
  [
    /^Arguments (\S+ and \S+) are mutually exclusive/,
    (names) => `${flags(names.split(' and '))} exclude each other`,
  ],
]

/**
 * A command line that yargs does not take, in our words; of several unknown arguments the first is named.
 *
 * @param help of the command that was meant, as far as it is known; its first line names it
 */
export function misuse(message: string, argv: readonly string[], help: string): Failure {
  const [command = ''] = /^[^<[\n]*[^<[\n ]/.exec(help) ?? []
  const seeHelp = `see ${command} --help`
  const unknown = /^Unknown (?:argument|command)s?: ([^,]+)/.exec(message)?.[1]
  if (unknown !== undefined) {
    const given = asGiven(unknown, argv)
    const options = optionsOf(help)
    if (options.includes(unknown)) return new Failure('usage', `${given} takes no value`)
    const near = given.startsWith('-')
      ? didYouMean(unknown, options, '--')
      : didYouMean(unknown, commandsOf(help))
    return new Failure('usage', `unknown argument: ${given}`, { hint: near ?? seeHelp })
  }
  const [, option = '', value = '', choices = ''] =
    /^Invalid values:\s+Argument: (\S+), Given: "?(.*?)"?, Choices: (.*)/.exec(message) ?? []
  if (option !== '') {
    return new Failure('usage', `--${option}: there is no ${value}`, {
      hint: `the choices are ${choices.replaceAll('"', '')}`,
    })
  }
  for (const [pattern, say] of SAYINGS) {
    const [, names] = pattern.exec(message) ?? []
    if (names !== undefined) return new Failure('usage', say(names), { hint: seeHelp })
  }
  const [line = ''] = message.split('\n', 1)
  return new Failure('usage', lowerFirst(line), { hint: seeHelp })
}

function flags(names: readonly string[]): string {
  return names.map((name) => `--${name}`).join(' and ')
}

/** yargs takes the dashes off. */
function asGiven(name: string, argv: readonly string[]): string {
  const found = argv.find((argument) => argument.replace(/^-+/, '').replace(/=.*/s, '') === name)
  return found?.replace(/=.*/s, '') ?? name
}

function optionsOf(help: string): string[] {
  return [...new Set(help.match(/(?<=--)[a-z][a-z-]*/g))]
}

/** `pgveil keys check  look at …` as `check`. */
function commandsOf(help: string): string[] {
  return [...help.matchAll(/^ {2}pgveil (?:[a-z]+ )*?([a-z]+)(?: \[name\])? {2}/gm)].map(
    ([, name = '']) => name,
  )
}

/**
 * Refuses what yargs would misunderstand: it makes a list of an option that is given twice, and takes every value of a
 * switch but `true` for false.
 *
 * @param args what yargs has made of `argv`
 * @throws Failure `usage`
 */
export function checkArguments(
  argv: readonly string[],
  args: Readonly<Record<string, unknown>>,
): void {
  const seen = new Set<string>()
  for (const argument of argv) {
    if (argument === '--') return
    const [, name, value] = /^--([a-z][a-z-]*)(?:=(.*))?$/s.exec(argument) ?? []
    if (name === undefined) continue
    if (seen.has(name) && !LISTS.has(name))
      throw new Failure('usage', `--${name} is given more than once`)
    seen.add(name)
    const isSwitch = typeof args[name.replace(/^no-/, '')] === 'boolean'
    if (isSwitch && value !== undefined && !['true', 'false'].includes(value))
      throw new Failure('usage', `--${name} takes no value`)
  }
}
