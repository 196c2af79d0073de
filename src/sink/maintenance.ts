import type pg from 'pg'
import { Failure } from '../errors.ts'
import {
  errorCode,
  openClient,
  serverFailure,
  withDatabase,
  type Endpoint,
} from '../postgres/connect.ts'
import { quoteLiteral } from '../postgres/identifiers.ts'

/** How often, and with how many milliseconds between, a lock is tried for that a session about to end has. */
const LOCK_ATTEMPTS = 20
const LOCK_PAUSE = 100

/** The session that makes, renames and drops databases; it holds the lock that says who is alive. */
export async function openMaintenance(target: Endpoint): Promise<pg.Client> {
  let client
  try {
    client = await openClient(withDatabase(target, 'postgres'), 'maintenance')
  } catch (error) {
    if (errorCode((error as Failure).cause) !== '3D000') throw error
    client = await openClient(withDatabase(target, 'template1'), 'maintenance')
  }
  return client
}

/** Of the advisory lock that says who works on a database under construction. */
export function lockKey(name: string): string {
  return `pg_catalog.hashtextextended(${quoteLiteral(`pgveil ${name}`)}, 0)`
}

/** @returns false where another run has it */
export async function tryLock(maintenance: pg.Client, name: string): Promise<boolean> {
  const { rows } = await maintenance.query<{ free: boolean }>(
    `SELECT pg_try_advisory_lock(${lockKey(name)}) AS free`,
  )
  return rows[0]?.free ?? false
}

/**
 * The maintenance session of a run. While rows go in, for hours perhaps, nothing is said over it, and somebody on the way
 * may cut it: so who needs it afterwards asks for it anew.
 */
export class Maintenance {
  readonly #target: Endpoint
  #client: pg.Client | undefined

  constructor(target: Endpoint) {
    this.#target = target
  }

  /** @throws Failure `sink` */
  async open(): Promise<pg.Client> {
    this.#client = await openMaintenance(this.#target)
    return this.#client
  }

  /** The session as it was opened. */
  get client(): pg.Client {
    if (!this.#client) throw new Error('the maintenance session is not open')
    return this.#client
  }

  /**
   * The session, or another one in its place, which holds the lock on the database that is built.
   *
   * @throws Failure `sink`, too, where another run works on that database meanwhile
   */
  async renewed({ name }: { name: string }): Promise<pg.Client> {
    const { client } = this
    try {
      await client.query('SELECT')
    } catch {
      this.#client = await reopenMaintenance(client, this.#target, name)
    }
    return this.client
  }

  /** Never rejects; no error where it is not open. */
  async close(): Promise<void> {
    await this.#client?.end().catch(() => {})
  }
}

async function reopenMaintenance(
  broken: pg.Client,
  target: Endpoint,
  name: string,
): Promise<pg.Client> {
  const maintenance = await openMaintenance(target)
  try {
    // The server may not know yet that the line is cut.
    const { processID } = broken as { processID?: number }
    await maintenance.query(
      `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
       WHERE pid = $1 AND application_name = pg_catalog.current_setting('application_name')`,
      [processID ?? null],
    )
    for (let attempt = 1; !(await tryLock(maintenance, name)); attempt++) {
      if (attempt === LOCK_ATTEMPTS) {
        throw new Failure('sink', `another session holds ${name}`, {
          hint: 'has another run gone on with it, or replaced it?',
        })
      }
      await new Promise((resolve) => setTimeout(resolve, LOCK_PAUSE))
    }
    return maintenance
  } catch (error) {
    await maintenance.end().catch(() => {})
    throw serverFailure('sink', `lock database ${name}`, error)
  }
}
