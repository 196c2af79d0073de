import type { Node } from 'libpg-query'
import { showIdentifier, showName } from '../postgres/identifiers.ts'
import { describeStatement, nameOf } from '../postgres/statement-names.ts'
import type { Statement } from '../postgres/statements.ts'
import { kindsIn, type LiteralKind } from './literal-kinds.ts'

/** A place in the structure where a text looks personal or secret. Never holds the text. */
export interface Literal {
  /** Like `default of public.contact.email` or `function public.f`. */
  place: string
  kind: LiteralKind
}

/**
 * Looks at the string constants of a statement: defaults, comments, checks, enum labels, partition bounds, view
 * definitions, policies, arguments of triggers, bodies of functions. Names are not looked at.
 */
export function findLiterals(statement: Statement): Literal[] {
  const found = new Map<string, Literal>()
  const note = (text: string, place: string) => {
    for (const kind of kindsIn(text)) found.set(`${kind} ${place}`, { place, kind })
  }
  new Search(describeStatement(statement), note).visit(statement.node, '')
  return [...found.values()]
}

/** Walks a parse tree, knowing at each step where it is. */
class Search {
  #place: string
  /** The table around, as shown; empty outside of tables. */
  readonly #table: string
  readonly #note: (text: string, place: string) => void

  constructor(place: string, note: (text: string, place: string) => void) {
    this.#place = place
    this.#table = /^(?:foreign )?table (.*)$/s.exec(place)?.[1] ?? ''
    this.#note = note
  }

  visit(tree: unknown, key: string): void {
    if (Array.isArray(tree)) {
      for (const item of tree) this.visit(item, key)
      return
    }
    if (typeof tree !== 'object' || tree === null) return
    const outer = this.#place
    this.#place = this.#placeOf(tree as Node, key) ?? outer
    for (const [name, value] of Object.entries(tree)) {
      if (isText(key, name) && typeof value === 'string') this.#note(value, this.#place)
      else if (!NAMES.has(name)) this.visit(value, name)
    }
    this.#place = outer
  }

  /** A more exact place than that of the statement, where `tree` begins one. */
  #placeOf(tree: Node, key: string): string | undefined {
    if ('PartitionCmd' in tree) {
      const partition = nameOf(tree.PartitionCmd.name)
      return partition && `partition bounds of ${showName(partition)}`
    }
    if (key === 'partbound') return `partition bounds of ${this.#table}`
    if ('ColumnDef' in tree && this.#table) {
      return `column ${this.#table}.${showIdentifier(tree.ColumnDef.colname ?? '')}`
    }
    if (!('Constraint' in tree)) return undefined
    const { contype, conname } = tree.Constraint
    const column = this.#place.startsWith('column ') ? this.#place.slice('column '.length) : ''
    if (contype === 'CONSTR_DEFAULT' && column) return `default of ${column}`
    if (contype === 'CONSTR_GENERATED' && column) return `expression of ${column}`
    if (contype === 'CONSTR_CHECK' && conname) {
      return `check ${showIdentifier(conname)} of ${this.#place.replace(/^\w+ /, '')}`
    }
    return undefined
  }
}

/**
 * Parts of parse trees that hold identifiers, as lists of strings or as a string.
 *
 * `names` is of types, `fields` of columns, `object` of what a comment is on; an operator is a `name`.
 */
const NAMES: ReadonlySet<string> = new Set([
  'names',
  'fields',
  'funcname',
  'defnames',
  'typeName',
  'domainname',
  'object',
  'objname',
  'name',
  'keys',
  'fk_attrs',
  'pk_attrs',
  'colnames',
  'collname',
  'opclass',
  'opclassname',
  'opfamilyname',
  'aliases',
])

/** Whether the string under `name` in a node under `key` is a text of the user's. */
function isText(key: string, name: string): boolean {
  if (name === 'sval') return key === 'sval' || key === 'String'
  return name === 'comment' || (name === 'bsval' && key === 'bsval')
}
