import type { Node } from 'libpg-query'
import type { StructureStatement } from './structure-plan.ts'

/** What is known of a statement that only a restore runs. */
export type Rights = Pick<StructureStatement, 'needs' | 'right' | 'tolerates'>

const NOT_PERMITTED = '42501'
const UNDEFINED_OBJECT = '42704'
/** A pg_dump that is newer than the target writes options of subscriptions that the target does not know. */
const SYNTAX = '42601'
/** The provider of a security label is not loaded. */
const INVALID_PARAMETER = '22023'

/** Who owns what and who may do what: left out where it is not permitted. */
const RIGHT_OF_KIND: Readonly<Record<string, StructureStatement['right']>> = {
  AlterOwnerStmt: 'owner',
  GrantStmt: 'grant',
  AlterDefaultPrivilegesStmt: 'grant',
}

/**
 * What may be left out elsewhere, and what hangs on it: publications and subscriptions need a superuser,
 * labels their provider.
 */
const TOLERATES: Readonly<Record<string, readonly string[]>> = {
  SecLabelStmt: [NOT_PERMITTED, INVALID_PARAMETER, UNDEFINED_OBJECT],
  CreatePublicationStmt: [NOT_PERMITTED],
  AlterPublicationStmt: [NOT_PERMITTED, UNDEFINED_OBJECT],
  CreateSubscriptionStmt: [NOT_PERMITTED, SYNTAX],
  AlterSubscriptionStmt: [NOT_PERMITTED, UNDEFINED_OBJECT],
}

/** Roles that a statement other than a policy names, and how it fails. */
export function rightsOf(node: Node): Rights {
  const kind = Object.keys(node)[0] ?? ''
  if (kind === 'CreatePolicyStmt') return {}
  const rights: Rights = {}
  const needs = rolesIn(node)
  if (needs.length > 0) rights.needs = needs
  const right = changesOwner(node) ? 'owner' : RIGHT_OF_KIND[kind]
  if (right) rights.right = right
  const tolerates = TOLERATES[kind] ?? (onReplication(node) ? [UNDEFINED_OBJECT] : undefined)
  if (tolerates) rights.tolerates = tolerates
  return rights
}

/** ALTER TABLE … OWNER TO, which is a statement of tables. */
export function changesOwner(node: Node): boolean {
  const [first] = ('AlterTableStmt' in node && node.AlterTableStmt.cmds) || []
  return (
    first !== undefined &&
    'AlterTableCmd' in first &&
    first.AlterTableCmd.subtype === 'AT_ChangeOwner'
  )
}

/** It is a subscription that this makes or is about. */
export function isSubscription(node: Node): boolean {
  return (
    'CreateSubscriptionStmt' in node ||
    'AlterSubscriptionStmt' in node ||
    objectTypeOf(node) === 'OBJECT_SUBSCRIPTION'
  )
}

/** What a comment, a label or an owner is of. */
export function objectTypeOf(node: Node): string | undefined {
  if ('CommentStmt' in node) return node.CommentStmt.objtype
  if ('SecLabelStmt' in node) return node.SecLabelStmt.objtype
  if ('AlterOwnerStmt' in node) return node.AlterOwnerStmt.objectType
  return undefined
}

function onReplication(node: Node): boolean {
  const type = objectTypeOf(node)
  return type === 'OBJECT_PUBLICATION' || type === 'OBJECT_SUBSCRIPTION'
}

/** The roles named anywhere in a parse tree, but for PUBLIC and the like. */
function rolesIn(tree: unknown): string[] {
  if (typeof tree !== 'object' || tree === null) return []
  if ('roletype' in tree) {
    const named = tree.roletype === 'ROLESPEC_CSTRING' && 'rolename' in tree
    return named ? [String(tree.rolename)] : []
  }
  return [...new Set(Object.values(tree).flatMap(rolesIn))]
}
