import type { AlterTableCmd, Constraint, Node } from 'libpg-query'
import type { QualifiedName } from '../postgres/identifiers.ts'
import { describeStatement, nameOf, objectNames } from '../postgres/statement-names.ts'
import type { Statement } from '../postgres/statements.ts'
import { dropReason, keyOf, references, type StructurePolicy } from './structure-dropped.ts'
import { isSubscription, objectTypeOf, rightsOf } from './structure-rights.ts'

/**
 * When a statement runs.
 *
 * - `pre`: before any row, in order: schemas, types, functions, tables, views
 * - `index`: once the rows of `table` are in: its indexes, primary key, unique and exclusion constraints
 * - `attach`: once all of `index` is done, in order: indexes of partitioned tables (each locks every
 *   partition), and those of their partitions attached to them
 * - `foreign-key`: once all keys are there
 * - `late`: after the foreign keys, in order: triggers, rules, row-level security, statistics objects,
 *   constraints that were never validated, publications, default privileges, what hangs on them
 * - `subscription`: when all else is there: a database that has one cannot be dropped
 * - `event-trigger`: at the very end: they fire for whatever is created
 */
export type StructurePhase =
  'pre' | 'index' | 'attach' | 'foreign-key' | 'late' | 'subscription' | 'event-trigger'

/** A statement that travels. Plain data: it crosses process boundaries. */
export interface StructureStatement {
  sql: string
  phase: StructurePhase
  /** For people: what it creates, like `index i of public.t`. */
  what: string
  /** The table it belongs to; in every phase but `pre`, where it has one. */
  table?: QualifiedName
  /** Nothing else can be done to its table meanwhile; indexes alone can be built side by side. */
  exclusive?: boolean
  foreignKey?: ForeignKey
  /** The extension it creates. */
  extension?: string
  /** Roles that a policy is for. */
  roles?: string[]
  /** Roles that anything else names. */
  needs?: string[]
  /** It says who owns or who may do something, and is left out where that is not permitted. */
  right?: 'owner' | 'grant'
  /** SQLSTATEs for which it is left out with a warning. */
  tolerates?: readonly string[]
}

export interface ForeignKey {
  /** The columns that refer. */
  columns: readonly string[]
  /** The table referred to. */
  refers: QualifiedName
  /** The server would look at the rows: neither NOT VALID nor NOT ENFORCED. */
  checked: boolean
  /** The referring table is partitioned. */
  partitioned: boolean
  /** Partition trees that creating it locks; two that share one cannot be created at the same time. */
  locks: readonly string[]
}

export interface StructurePlan {
  /** Settings that pg_dump wants in every session that runs its statements. */
  session: { name: string; value: string }[]
  statements: StructureStatement[]
  /** What does not travel and why. */
  dropped: { what: string; reason: string }[]
}

/**
 * Decides what of a dump travels, and when.
 *
 * @param visit is shown each statement that travels, with its parse tree
 * @param policy what of the structure travels
 */
export async function planStructure(
  preData: AsyncIterable<Statement>,
  postData: AsyncIterable<Statement>,
  visit: (statement: Statement) => void = () => {},
  policy: StructurePolicy = 'masked',
): Promise<StructurePlan> {
  const planner = new Planner(visit, policy)
  for await (const statement of preData) planner.take(statement, 'pre-data')
  for await (const statement of postData) planner.take(statement, 'post-data')
  return planner.plan
}

type Section = 'pre-data' | 'post-data'

class Planner {
  readonly plan: StructurePlan = { session: [], statements: [], dropped: [] }
  readonly #visit: (statement: Statement) => void
  readonly #policy: StructurePolicy
  /** In whose name the statements at hand run, where pg_dump says so. */
  #grantor: { role: string; sql: string } | undefined
  /** Sections whose leading settings are over. */
  readonly #begun = new Set<Section>()
  /** Relations that do not travel. */
  readonly #dropped = new Set<string>()
  readonly #partitioned = new Set<string>()
  /** Partition → the table it is a part of. */
  readonly #parents = new Map<string, string>()
  /** Views that pg_dump creates after the keys they depend on. */
  readonly #lateRelations = new Set<string>()

  constructor(visit: (statement: Statement) => void, policy: StructurePolicy) {
    this.#visit = visit
    this.#policy = policy
  }

  take(statement: Statement, section: Section): void {
    if (!this.#begun.has(section)) {
      const setting = settingOf(statement.node)
      if (setting) {
        if (section === 'pre-data' && setting.name !== 'client_encoding') {
          this.plan.session.push(setting)
        }
        return
      }
      this.#begun.add(section)
    }
    if (this.#takeGrantor(statement)) return
    const reason = dropReason(statement, this.#dropped, this.#policy)
    if (reason !== undefined) {
      const relation = createdRelation(statement.node)
      if (relation) this.#dropped.add(keyOf(relation))
      this.plan.dropped.push({ what: describeStatement(statement), reason })
      return
    }
    if (section === 'pre-data') this.#learn(statement.node)
    const planned = section === 'pre-data' ? before(statement) : this.#after(statement)
    const rights = this.#policy === 'everything' ? this.#inName(planned, statement.node) : {}
    this.plan.statements.push({ ...planned, ...rights, ...peculiarities(statement.node) })
    this.#visit(statement)
  }

  /**
   * pg_dump writes `SET SESSION AUTHORIZATION` before privileges that somebody else than the owner granted, and
   * RESET after them. These become part of each statement between them, so that none can stay in force.
   */
  #takeGrantor({ node, sql }: Statement): boolean {
    if (!('VariableSetStmt' in node)) return false
    const { name, args } = node.VariableSetStmt
    if (name !== 'session_authorization') return false
    const role = constantOf(args?.[0])
    this.#grantor = role === undefined ? undefined : { role, sql }
    return true
  }

  /** What a restore knows of a statement besides, which then runs in the name of its grantor. */
  #inName({ sql }: StructureStatement, node: Node): Partial<StructureStatement> {
    const rights = rightsOf(node)
    if (!this.#grantor) return rights
    const { role, sql: set } = this.#grantor
    return {
      ...rights,
      sql: `${set};\n${sql};\nRESET SESSION AUTHORIZATION`,
      needs: [...new Set([role, ...(rights.needs ?? [])])],
    }
  }

  #learn(node: Node): void {
    if ('CreateStmt' in node && node.CreateStmt.partspec) {
      const table = nameOf(node.CreateStmt.relation)
      if (table) this.#partitioned.add(keyOf(table))
    }
    const command = commandOf(node)
    if (command?.subtype !== 'AT_AttachPartition' || !('AlterTableStmt' in node)) return
    const parent = nameOf(node.AlterTableStmt.relation)
    const child =
      command.def && 'PartitionCmd' in command.def
        ? nameOf(command.def.PartitionCmd.name)
        : undefined
    if (parent && child) this.#parents.set(keyOf(child), keyOf(parent))
  }

  #after(statement: Statement): StructureStatement {
    const { sql, node } = statement
    const created = createdRelation(node)
    if (created) this.#lateRelations.add(keyOf(created))
    const table = tableOf(node)
    const constraint = constraintOf(node)
    const phase = this.#phaseOf(node, table, constraint)
    const planned: StructureStatement = { sql, phase, what: describeStatement(statement) }
    if (table) planned.table = table
    if (phase === 'index') planned.exclusive = !('IndexStmt' in node)
    const refers = nameOf(constraint?.pktable)
    if (phase === 'foreign-key' && table && refers) {
      planned.foreignKey = {
        columns: (constraint?.fk_attrs ?? []).flatMap((name) =>
          'String' in name ? [name.String.sval ?? ''] : [],
        ),
        refers,
        checked: !constraint?.skip_validation && constraint?.is_enforced === true,
        partitioned: this.#partitioned.has(keyOf(table)),
        locks: [...new Set([this.#rootOf(keyOf(table)), this.#rootOf(keyOf(refers))])],
      }
    }
    return planned
  }

  #phaseOf(
    node: Node,
    table: QualifiedName | undefined,
    constraint: Constraint | undefined,
  ): StructurePhase {
    if (commandOf(node)?.subtype === 'AT_AttachPartition') return 'attach'
    if (constraint?.contype === 'CONSTR_FOREIGN') return 'foreign-key'
    const key = table && keyOf(table)
    if (key && ('IndexStmt' in node || INDEXED.has(constraint?.contype ?? ''))) {
      if (this.#lateRelations.has(key)) return 'late'
      return this.#partitioned.has(key) ? 'attach' : 'index'
    }
    if (isSubscription(node)) return 'subscription'
    return isEventTrigger(node) ? 'event-trigger' : 'late'
  }

  #rootOf(table: string): string {
    let root = table
    for (let up = this.#parents.get(root); up !== undefined; up = this.#parents.get(root)) root = up
    return root
  }
}

/** Constraints that are built as indexes. */
const INDEXED: ReadonlySet<string> = new Set([
  'CONSTR_PRIMARY',
  'CONSTR_UNIQUE',
  'CONSTR_EXCLUSION',
])

function before(statement: Statement): StructureStatement {
  return { sql: statement.sql, phase: 'pre', what: describeStatement(statement) }
}

/** What the runner has to know of some kinds. */
function peculiarities(node: Node): Pick<StructureStatement, 'extension' | 'roles' | 'tolerates'> {
  if ('CreateExtensionStmt' in node) return { extension: node.CreateExtensionStmt.extname ?? '' }
  if ('CreatePolicyStmt' in node) {
    const roles = (node.CreatePolicyStmt.roles ?? []).flatMap((role) =>
      'RoleSpec' in role && role.RoleSpec.rolename ? [role.RoleSpec.rolename] : [],
    )
    return { roles }
  }
  if ('CreateSchemaStmt' in node && node.CreateSchemaStmt.schemaname === 'public') {
    return { tolerates: [DUPLICATE_SCHEMA] }
  }
  if (isEventTrigger(node)) return { tolerates: [NOT_PERMITTED, UNDEFINED_OBJECT] }
  if (!('CommentStmt' in node)) return {}
  const tolerates = COMMENT_TOLERATES[node.CommentStmt.objtype ?? '']
  return tolerates ? { tolerates } : {}
}

const DUPLICATE_SCHEMA = '42P06'
const NOT_PERMITTED = '42501'
const UNDEFINED_OBJECT = '42704'

/** Comments need the ownership of what they are on, which may have been there before; a policy may be left out. */
const COMMENT_TOLERATES: Readonly<Record<string, readonly string[]>> = {
  OBJECT_EXTENSION: [NOT_PERMITTED],
  OBJECT_SCHEMA: [NOT_PERMITTED],
  OBJECT_LANGUAGE: [NOT_PERMITTED],
  OBJECT_POLICY: [UNDEFINED_OBJECT],
}

function isEventTrigger(node: Node): boolean {
  if ('CreateEventTrigStmt' in node || 'AlterEventTrigStmt' in node) return true
  return objectTypeOf(node) === 'OBJECT_EVENT_TRIGGER'
}

/** `SET name = value` and pg_dump's call of set_config. */
function settingOf(node: Node): { name: string; value: string } | undefined {
  if ('VariableSetStmt' in node) {
    const { name, args } = node.VariableSetStmt
    return name === undefined ? undefined : { name, value: constantOf(args?.[0]) ?? '' }
  }
  if (!('SelectStmt' in node)) return undefined
  const [target] = node.SelectStmt.targetList ?? []
  const call = target && 'ResTarget' in target ? target.ResTarget.val : undefined
  if (!call || !('FuncCall' in call)) return undefined
  if (objectNames({ List: { items: call.FuncCall.funcname ?? [] } }).at(-1) !== 'set_config')
    return undefined
  const [name, value] = (call.FuncCall.args ?? []).map(constantOf)
  return name === undefined ? undefined : { name, value: value ?? '' }
}

function constantOf(node: Node | undefined): string | undefined {
  if (!node || !('A_Const' in node)) return undefined
  const { sval, ival } = node.A_Const
  // the parser leaves out what is zero or empty
  return sval ? (sval.sval ?? '') : ival ? String(ival.ival ?? 0) : undefined
}

/** The first action of an ALTER TABLE; pg_dump writes one each. */
function commandOf(node: Node): AlterTableCmd | undefined {
  const [first] = ('AlterTableStmt' in node && node.AlterTableStmt.cmds) || []
  return first && 'AlterTableCmd' in first ? first.AlterTableCmd : undefined
}

function constraintOf(node: Node): Constraint | undefined {
  const def = commandOf(node)?.def
  return def && 'Constraint' in def ? def.Constraint : undefined
}

function tableOf(node: Node): QualifiedName | undefined {
  if ('IndexStmt' in node) return nameOf(node.IndexStmt.relation)
  if ('CreateTrigStmt' in node) return nameOf(node.CreateTrigStmt.relation)
  if ('RuleStmt' in node) return nameOf(node.RuleStmt.relation)
  if ('CreatePolicyStmt' in node) return nameOf(node.CreatePolicyStmt.table)
  if ('AlterTableStmt' in node) return nameOf(node.AlterTableStmt.relation)
  if ('CreateStatsStmt' in node) return references(node).at(0)
  return undefined
}

function createdRelation(node: Node): QualifiedName | undefined {
  if ('CreateStmt' in node) return nameOf(node.CreateStmt.relation)
  if ('CreateForeignTableStmt' in node) return nameOf(node.CreateForeignTableStmt.base?.relation)
  if ('ViewStmt' in node) return nameOf(node.ViewStmt.view)
  if ('CreateTableAsStmt' in node) return nameOf(node.CreateTableAsStmt.into?.rel)
  return undefined
}
