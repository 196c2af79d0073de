import { openClient, serverFailure, type Endpoint } from './connect.ts'
import { quoteLiteral } from './identifiers.ts'

/** What a dump lacks: a stable code and a sentence without values. */
export interface DumpWarning {
  code: 'subscriptions-hidden' | 'user-mappings-hidden'
  message: string
}

/** pg_dump reads subscriptions, whose connection strings hold passwords, as a superuser only. */
const SUBSCRIPTIONS = `
SELECT s.subname AS name FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()
WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) ORDER BY 1`

/** Where the view pg_user_mappings shows no options: the condition in it, turned round. */
const USER_MAPPINGS = `
SELECT m.usename || ' on ' || m.srvname AS name
FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid
WHERE m.umoptions IS NULL AND NOT (
  m.umuser <> 0 AND m.usename = current_user
    AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR pg_catalog.has_server_privilege(s.oid, 'USAGE'))
  OR m.umuser = 0 AND pg_catalog.pg_has_role(s.srvowner, 'USAGE')
  OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))
ORDER BY 1`

/**
 * What pg_dump leaves out because this user may not see it: of one it only warns, of the other it says nothing.
 *
 * @throws Failure `source`
 */
export async function hiddenFromDump(
  endpoint: Endpoint,
  snapshot: string,
  section: 'pre-data' | 'post-data',
): Promise<DumpWarning[]> {
  const client = await openClient(endpoint, 'read')
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`)
    const mappings = section === 'pre-data'
    const { rows } = await client.query<{ name: string }>(mappings ? USER_MAPPINGS : SUBSCRIPTIONS)
    if (rows.length === 0) return []
    const names = rows.map(({ name }) => name).join(', ')
    return mappings
      ? [
          {
            code: 'user-mappings-hidden',
            message: `this user may not see the options of user mappings, which come without any: ${names}`,
          },
        ]
      : [
          {
            code: 'subscriptions-hidden',
            message: `only a superuser may read subscriptions, which are left out: ${names}`,
          },
        ]
  } catch (error) {
    throw serverFailure(endpoint.side, `read what pg_dump leaves out of ${endpoint.label}`, error)
  } finally {
    await client.end().catch(() => {})
  }
}
