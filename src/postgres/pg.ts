/** What pgveil uses of the PostgreSQL client. The build makes one file of it: see scripts/build.mjs. */
export { default as pg } from 'pg'
export { parse, toClientConfig } from 'pg-connection-string'
