import type pg from 'pg'
import { Failure } from '../errors.ts'
import type { Endpoint } from '../postgres/connect.ts'

export interface TargetRequest {
  target: Endpoint
  database: string
  /** `host:port`, `host:port/database` or system identifiers that are never a target. */
  production: readonly string[]
}

/**
 * Refuses a target that configuration calls production.
 *
 * @throws Failure `refused`
 */
export function refuseProduction(
  { target, database, production }: TargetRequest,
  systemIdentifier: string | undefined,
): void {
  const server = `${target.config.host ?? 'localhost'}:${target.config.port}`
  const names = [server, `${server}/${database}`, systemIdentifier]
  const hit = production.find((entry) => names.includes(entry))
  if (hit === undefined) return
  throw new Failure(
    'refused',
    `the target ${target.label} is a production server by configuration (${hit})`,
    {
      hint: 'copy to another server, or correct the list production in pgveil.yaml',
    },
  )
}

/** Databases that a server cannot do without; from the first of them others are made and renamed. */
const OF_THE_SERVER = ['postgres', 'template0', 'template1']

/**
 * Refuses a target that cannot be replaced.
 *
 * @throws Failure `refused`
 */
export function refuseServersOwn(database: string): void {
  if (!OF_THE_SERVER.includes(database)) return
  throw new Failure('refused', `the database ${database} belongs to the server`, {
    hint: 'name another target: one that is not there yet is made',
  })
}

/**
 * Checks that this user may build a database there, and that the extensions of the source can be had.
 *
 * @throws Failure `sink`
 */
export async function checkTarget(
  maintenance: pg.Client,
  target: Endpoint,
  extensions: ReadonlyMap<string, string>,
): Promise<void> {
  const { rows } = await maintenance.query<{ may: boolean; recovery: boolean }>(
    `SELECT rolcreatedb OR rolsuper AS may, pg_catalog.pg_is_in_recovery() AS recovery
     FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  )
  if (rows[0]?.recovery) {
    throw new Failure('sink', `the target ${target.label} is a standby, which cannot be written`, {
      hint: 'name its primary',
    })
  }
  if (!rows[0]?.may) {
    throw new Failure('sink', `this user may not create databases on ${target.label}`, {
      hint: 'run ALTER ROLE … CREATEDB there, or connect as another user',
    })
  }
  const { rows: available } = await maintenance.query<{ name: string }>(
    'SELECT name FROM pg_catalog.pg_available_extensions',
  )
  const names = new Set(available.map(({ name }) => name))
  const missing = [...extensions.keys()].filter((name) => !names.has(name))
  if (missing.length === 0) return
  throw new Failure(
    'sink',
    `the target ${target.label} lacks the extension${missing.length > 1 ? 's' : ''} ${missing.join(', ')}`,
    {
      hint: 'install the package that brings it on the target server; it need not be created there',
    },
  )
}
