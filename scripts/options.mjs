import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * The command line of a script. `--help` prints the comment that the script begins with and its options; what it does not
 * know ends it with one line and exit code 2.
 *
 * @template {import('node:util').ParseArgsConfig} T
 * @param {string} script its `import.meta.url`
 * @param {T} config
 * @returns {ReturnType<typeof parseArgs<T>>}
 */
export function readOptions(script, config) {
  if (process.argv.includes('--help')) {
    console.log(`${commentOf(script)}\n\nOptions:\n${optionsOf(config)}`)
    process.exit(0)
  }
  try {
    return parseArgs(config)
  } catch (error) {
    const [sentence] = /** @type {Error} */ (error).message.split('. ')
    console.error(`${sentence}; --help shows what there is`)
    process.exit(2)
  }
}

/** @param {string} script */
function commentOf(script) {
  const lines = readFileSync(fileURLToPath(script), 'utf8').split('\n')
  const end = lines.findIndex((line) => !/^(\/\/|#!)/.test(line))
  return lines
    .slice(0, end)
    .filter((line) => line.startsWith('//'))
    .map((line) => line.slice(3))
    .join('\n')
}

/** @param {import('node:util').ParseArgsConfig} config */
function optionsOf({ options = {} }) {
  return Object.entries(options)
    .map(([name, { type, default: value }]) => {
      const unless = value === undefined ? '' : ` (default: ${String(value)})`
      return `  --${name}${type === 'string' ? ' …' : ''}${unless}`
    })
    .join('\n')
}
