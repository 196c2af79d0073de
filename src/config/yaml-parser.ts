/** What pgveil uses of the YAML parser. The build makes one file of it: see scripts/build.mjs. */
export { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
