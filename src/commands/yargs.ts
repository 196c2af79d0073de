/** The parser of command lines. The build makes one file of it: see scripts/build.mjs. */
export { default as yargs } from 'yargs'
