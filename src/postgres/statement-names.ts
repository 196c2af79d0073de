import type { Node, RangeVar } from 'libpg-query'
import { showIdentifier, showName, type QualifiedName } from './identifiers.ts'
import type { Statement } from './statements.ts'

/** The table a parse tree names. pg_dump always writes the schema. */
export function nameOf(range: RangeVar | undefined): QualifiedName | undefined {
  if (!range?.relname) return undefined
  return { schema: range.schemaname ?? '', name: range.relname }
}

/** The names in a list of identifiers; other nodes are left out. */
export function identifiers(nodes: readonly Node[] | undefined): string[] {
  return (nodes ?? []).flatMap((node) => ('String' in node ? [node.String.sval ?? ''] : []))
}

/**
 * What a statement creates or alters, for people: like `table public.contact`, `index i of public.t`,
 * `comment on column public.t.a`. Holds names, never any other part of the statement.
 */
export function describeStatement({ node, kind }: Statement): string {
  return ofRelation(node) ?? ofTable(node) ?? ofOther(node) ?? ofRight(node) ?? kind
}

function shown(names: readonly string[]): string {
  return names.map(showIdentifier).join('.')
}

function relation(range: RangeVar | undefined): string {
  const name = nameOf(range)
  if (!name) return ''
  return name.schema === '' ? showIdentifier(name.name) : showName(name)
}

/** Statements about a relation itself. */
function ofRelation(node: Node): string | undefined {
  if ('CreateStmt' in node) return `table ${relation(node.CreateStmt.relation)}`
  if ('CreateForeignTableStmt' in node) {
    return `foreign table ${relation(node.CreateForeignTableStmt.base?.relation)}`
  }
  if ('CreateSeqStmt' in node) return `sequence ${relation(node.CreateSeqStmt.sequence)}`
  if ('AlterSeqStmt' in node) return `sequence ${relation(node.AlterSeqStmt.sequence)}`
  if ('ViewStmt' in node) return `view ${relation(node.ViewStmt.view)}`
  if ('CreateTableAsStmt' in node) {
    return `materialized view ${relation(node.CreateTableAsStmt.into?.rel)}`
  }
  if ('CompositeTypeStmt' in node) return `type ${relation(node.CompositeTypeStmt.typevar)}`
  return undefined
}

/** Statements about something that belongs to a table. */
function ofTable(node: Node): string | undefined {
  if ('IndexStmt' in node) return part('index', node.IndexStmt.idxname, node.IndexStmt.relation)
  if ('CreateTrigStmt' in node) {
    return part('trigger', node.CreateTrigStmt.trigname, node.CreateTrigStmt.relation)
  }
  if ('RuleStmt' in node) return part('rule', node.RuleStmt.rulename, node.RuleStmt.relation)
  if ('CreatePolicyStmt' in node) {
    return part('policy', node.CreatePolicyStmt.policy_name, node.CreatePolicyStmt.table)
  }
  if (!('AlterTableStmt' in node)) return undefined
  const { relation: table, cmds, objtype } = node.AlterTableStmt
  const [first] = cmds ?? []
  const command = first && 'AlterTableCmd' in first ? first.AlterTableCmd : undefined
  if (command?.def && 'Constraint' in command.def) {
    return part('constraint', command.def.Constraint.conname, table)
  }
  if (command?.subtype === 'AT_ColumnDefault') {
    return `default of ${relation(table)}.${showIdentifier(command.name ?? '')}`
  }
  const what = `${objectType(objtype)} ${relation(table)}`
  return command?.subtype === 'AT_ChangeOwner' ? `owner of ${what}` : what
}

function part(what: string, name: string | undefined, table: RangeVar | undefined): string {
  return `${what} ${showIdentifier(name ?? '')} of ${relation(table)}`
}

function ofOther(node: Node): string | undefined {
  if ('CreateSchemaStmt' in node) return `schema ${shown([node.CreateSchemaStmt.schemaname ?? ''])}`
  if ('CreateExtensionStmt' in node) {
    return `extension ${shown([node.CreateExtensionStmt.extname ?? ''])}`
  }
  if ('CreateFunctionStmt' in node) {
    const { is_procedure: procedure, funcname } = node.CreateFunctionStmt
    return `${procedure ? 'procedure' : 'function'} ${shown(identifiers(funcname))}`
  }
  if ('CreateEnumStmt' in node) return `type ${shown(identifiers(node.CreateEnumStmt.typeName))}`
  if ('CreateRangeStmt' in node) return `type ${shown(identifiers(node.CreateRangeStmt.typeName))}`
  if ('CreateDomainStmt' in node) {
    return `domain ${shown(identifiers(node.CreateDomainStmt.domainname))}`
  }
  if ('AlterDomainStmt' in node) {
    return `domain ${shown(identifiers(node.AlterDomainStmt.typeName))}`
  }
  if ('CreateStatsStmt' in node) {
    return `statistics ${shown(identifiers(node.CreateStatsStmt.defnames))}`
  }
  if ('DefineStmt' in node) {
    return `${objectType(node.DefineStmt.kind)} ${shown(identifiers(node.DefineStmt.defnames))}`
  }
  if ('CreateEventTrigStmt' in node) {
    return `event trigger ${shown([node.CreateEventTrigStmt.trigname ?? ''])}`
  }
  if ('AlterEventTrigStmt' in node) {
    return `event trigger ${shown([node.AlterEventTrigStmt.trigname ?? ''])}`
  }
  if ('CreateForeignServerStmt' in node) {
    return `foreign server ${shown([node.CreateForeignServerStmt.servername ?? ''])}`
  }
  if ('CreateUserMappingStmt' in node) {
    return `user mapping on ${shown([node.CreateUserMappingStmt.servername ?? ''])}`
  }
  if (!('CommentStmt' in node)) return undefined
  const { objtype, object } = node.CommentStmt
  return `comment on ${objectType(objtype)} ${shown(objectNames(object))}`
}

/** Statements about who owns, may do, sends and receives what. */
function ofRight(node: Node): string | undefined {
  if ('AlterOwnerStmt' in node) {
    const { objectType: type, object } = node.AlterOwnerStmt
    return `owner of ${objectType(type)} ${shown(objectNames(object))}`
  }
  if ('GrantStmt' in node) {
    const { objtype, objects } = node.GrantStmt
    const names = (objects ?? []).map((object) =>
      'RangeVar' in object ? relation(object.RangeVar) : shown(objectNames(object)),
    )
    return `privileges on ${objectType(objtype)} ${names.join(', ')}`
  }
  if ('AlterDefaultPrivilegesStmt' in node) {
    return `default privileges on ${objectType(node.AlterDefaultPrivilegesStmt.action?.objtype)}s`
  }
  if ('CreatePublicationStmt' in node)
    return ofName('publication', node.CreatePublicationStmt.pubname)
  if ('AlterPublicationStmt' in node)
    return ofName('publication', node.AlterPublicationStmt.pubname)
  if ('CreateSubscriptionStmt' in node) {
    return ofName('subscription', node.CreateSubscriptionStmt.subname)
  }
  if ('AlterSubscriptionStmt' in node) {
    return ofName('subscription', node.AlterSubscriptionStmt.subname)
  }
  if ('CreateFdwStmt' in node) return ofName('foreign data wrapper', node.CreateFdwStmt.fdwname)
  if (!('SecLabelStmt' in node)) return undefined
  const { objtype, object } = node.SecLabelStmt
  return `security label on ${objectType(objtype)} ${shown(objectNames(object))}`
}

function ofName(what: string, name: string | undefined): string {
  return `${what} ${shown([name ?? ''])}`
}

/** `OBJECT_MATVIEW` as people write it. */
function objectType(type: string | undefined): string {
  if (type === 'OBJECT_MATVIEW') return 'materialized view'
  if (type === 'OBJECT_TABCONSTRAINT' || type === 'OBJECT_DOMCONSTRAINT') return 'constraint'
  return (type ?? '').replace('OBJECT_', '').replaceAll('_', ' ').toLowerCase()
}

/** The identifiers of whatever a COMMENT is on, from the outermost in. */
export function objectNames(object: Node | undefined): string[] {
  if (!object) return []
  if ('String' in object) return [object.String.sval ?? '']
  if ('TypeName' in object) return identifiers(object.TypeName.names)
  if ('ObjectWithArgs' in object) return identifiers(object.ObjectWithArgs.objname)
  if ('List' in object) return (object.List.items ?? []).flatMap(objectNames)
  return []
}
