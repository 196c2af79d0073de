import type { Node } from 'libpg-query'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { identifiers, objectNames } from '../postgres/statement-names.ts'
import type { Statement } from '../postgres/statements.ts'
import { changesOwner } from './structure-rights.ts'

const RIGHTS = 'owners and privileges stay behind'
const REPLICATION = 'replication stays behind'
const FOREIGN = 'foreign servers stay behind, and what needs them'
const ROLES = 'roles and their settings stay behind'

/**
 * What travels: `masked` leaves behind who may do what, replication, other servers and secrets; `everything` is a
 * restore, which leaves nothing behind that is structure.
 */
export type StructurePolicy = 'masked' | 'everything'

/** Rows, which a dump of structure has no statements for. */
const ROWS: Readonly<Record<string, string>> = {
  SelectStmt: 'only structure travels',
  InsertStmt: 'only structure travels',
  CopyStmt: 'only structure travels',
}

/** Kinds that never travel into a masked copy, whether or not pg_dump was told to leave them out. */
const DROPPED_KINDS: Readonly<Record<string, string>> = {
  AlterOwnerStmt: RIGHTS,
  GrantStmt: RIGHTS,
  GrantRoleStmt: RIGHTS,
  AlterDefaultPrivilegesStmt: RIGHTS,
  SecLabelStmt: 'security labels stay behind',
  CreatePublicationStmt: REPLICATION,
  AlterPublicationStmt: REPLICATION,
  CreateSubscriptionStmt: REPLICATION,
  AlterSubscriptionStmt: REPLICATION,
  CreateFdwStmt: FOREIGN,
  AlterFdwStmt: FOREIGN,
  CreateForeignServerStmt: FOREIGN,
  AlterForeignServerStmt: FOREIGN,
  CreateUserMappingStmt: FOREIGN,
  AlterUserMappingStmt: FOREIGN,
  CreateForeignTableStmt: FOREIGN,
  ImportForeignSchemaStmt: FOREIGN,
  CreateRoleStmt: ROLES,
  AlterRoleStmt: ROLES,
  AlterRoleSetStmt: ROLES,
  AlterDatabaseStmt: ROLES,
  AlterDatabaseSetStmt: ROLES,
  ...ROWS,
}

/** What comments are on that does not travel. */
const DROPPED_OBJECTS: Readonly<Record<string, string>> = {
  OBJECT_PUBLICATION: REPLICATION,
  OBJECT_SUBSCRIPTION: REPLICATION,
  OBJECT_FDW: FOREIGN,
  OBJECT_FOREIGN_SERVER: FOREIGN,
  OBJECT_FOREIGN_TABLE: FOREIGN,
  OBJECT_USER_MAPPING: FOREIGN,
  OBJECT_LARGEOBJECT: 'only structure travels',
  OBJECT_DATABASE: ROLES,
  OBJECT_ROLE: ROLES,
}

/** A name as a key of sets and maps. */
export function keyOf({ schema, name }: QualifiedName): string {
  return `${schema}\0${name}`
}

/**
 * Why a statement does not travel; undefined where it does.
 *
 * @param dropped relations that do not travel: what names one of them stays behind as well
 */
export function dropReason(
  { kind, node }: Statement,
  dropped: ReadonlySet<string>,
  policy: StructurePolicy,
): string | undefined {
  if (policy === 'everything') return ROWS[kind]
  const reason = DROPPED_KINDS[kind]
  if (reason !== undefined) return reason
  if ('CommentStmt' in node) {
    const { objtype = '', object } = node.CommentStmt
    const [schema = '', name = ''] = objectNames(object)
    if (dropped.has(keyOf({ schema, name }))) return FOREIGN
    return DROPPED_OBJECTS[objtype]
  }
  if (changesOwner(node)) return RIGHTS
  if (dropped.size === 0) return undefined
  return references(node).some((name) => dropped.has(keyOf(name))) ? FOREIGN : undefined
}

/** Every relation and type with a schema that a parse tree names, in its order. */
export function references(tree: unknown): QualifiedName[] {
  const found: QualifiedName[] = []
  collect(tree, found)
  return found
}

function collect(tree: unknown, found: QualifiedName[]): void {
  if (typeof tree !== 'object' || tree === null) return
  if ('schemaname' in tree && 'relname' in tree) {
    found.push({ schema: String(tree.schemaname), name: String(tree.relname) })
  } else if ('names' in tree && Array.isArray(tree.names)) {
    pushPair(identifiers(tree.names as Node[]), found)
  } else if ('defname' in tree && tree.defname === 'owned_by' && 'arg' in tree) {
    // ALTER SEQUENCE … OWNED BY schema.table.column
    pushPair(objectNames(tree.arg as Node).slice(0, -1), found)
  }
  for (const value of Object.values(tree)) collect(value, found)
}

function pushPair([schema, name]: string[], found: QualifiedName[]): void {
  if (schema !== undefined && name !== undefined) found.push({ schema, name })
}
