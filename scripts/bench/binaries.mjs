import { readdirSync } from 'node:fs'

/**
 * A directory with a server and its client tools, all of one version. Ends the program where there is none.
 *
 * @param {string | undefined} wanted
 */
export function findBinaries(wanted) {
  const candidates = [
    wanted,
    ...['18', '17', '16', '15', '14'].map((major) => `/usr/lib/postgresql/${major}/bin`),
  ]
  for (const bin of candidates) {
    if (!bin) continue
    try {
      const names = readdirSync(bin)
      if (['postgres', 'initdb', 'pg_dump', 'pg_restore', 'psql'].every((n) => names.includes(n))) {
        return bin
      }
    } catch {
      // not there
    }
  }
  console.error('this benchmark needs a PostgreSQL with server, pg_dump, pg_restore and psql')
  console.error('hint: apt-get install postgresql, or --bin DIRECTORY')
  process.exit(1)
}
