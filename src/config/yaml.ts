import type { Document, Node, Scalar } from 'yaml'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
} from './yaml-parser.ts'
import type { ZodError } from 'zod'
import { didYouMean } from './nearest.ts'
import type { Place } from './place.ts'
import type { Problems } from './problems.ts'
import { lowerFirst } from './words.ts'

/** One key of a mapping with its value; aliases are already followed. */
export interface Entry {
  key: string
  place: Place
  /** Undefined where nothing at all was written. */
  value: Node | undefined
}

/** A YAML file that remembers where everything stands. */
export class YamlFile {
  readonly path: string
  readonly #lines = new LineCounter()
  readonly #document: Document.Parsed

  /** Syntax errors, duplicate keys and unknown aliases go to `problems`. */
  constructor(text: string, path: string, problems: Problems) {
    this.path = path
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false })
    for (const error of this.#document.errors) {
      const { message, hint } = describe(error.code, error.message, text, error.pos[0])
      problems.add(this.#at(error.pos[0]), message, hint)
    }
    visit(this.#document, {
      Alias: (_key, node) => {
        if (!node.resolve(this.#document))
          problems.add(this.place(node), `no anchor &${node.source} stands before this alias`)
      },
    })
  }

  get root(): Node | undefined {
    return this.#document.contents ?? undefined
  }

  /** Nothing but comments and blanks, or an explicit null. */
  get isEmpty(): boolean {
    return nullText(this.root) !== undefined
  }

  place(node: Node | undefined): Place {
    return this.#at(node?.range?.[0] ?? 0)
  }

  /** Plain values of a node, mappings as objects. */
  toJS(node: Node): unknown {
    return node.toJS(this.#document)
  }

  /** The entries of a mapping in order; undefined where `node` is something else. */
  entries(node: Node | undefined): Entry[] | undefined {
    const map = this.#follow(node)
    if (!isMap(map)) return undefined
    return map.items.map(({ key, value }) => {
      const keyNode = key as Node
      return {
        key: keyText(keyNode),
        place: this.place(keyNode),
        value: this.#follow((value as Node | null) ?? undefined),
      }
    })
  }

  /** The items of a sequence; undefined where `node` is something else. */
  items(node: Node | undefined): Node[] | undefined {
    const seq = this.#follow(node)
    if (!isSeq(seq)) return undefined
    return seq.items.map((item) => this.#follow(item as Node) ?? (item as Node))
  }

  /**
   * Adds what zod found wrong with `node` to `problems`, each at the key or value it is about.
   *
   * @param known top-level keys, to suggest from
   * @param written key in the file by key in the schema, where they differ
   */
  explain(
    error: ZodError,
    node: Node | undefined,
    known: readonly string[],
    problems: Problems,
  ): void {
    for (const issue of error.issues) {
      const path = issue.path.map(String)
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys)
          problems.add(this.#locate(node, [...path, key], true), ...unknownKey(key, path, known))
      } else {
        const missing = path.length > 0 && this.#find(node, path) === undefined
        const what = path.length > 0 ? `${path.join('.')}: ` : ''
        problems.add(
          this.#locate(node, path, false),
          missing ? `${what}is missing` : `${what}${lowerFirst(issue.message)}`,
        )
      }
    }
  }

  #follow(node: Node | undefined): Node | undefined {
    return isAlias(node) ? node.resolve(this.#document) : node
  }

  #find(node: Node | undefined, path: readonly string[]): Entry | undefined {
    let entry: Entry | undefined
    for (const step of path) {
      const items = this.items(node)
      if (items) {
        const value = items[Number(step)]
        entry = value && { key: step, place: this.place(value), value }
      } else {
        entry = this.entries(node)?.find(({ key }) => key === step)
      }
      if (!entry) return undefined
      node = entry.value
    }
    return entry
  }

  /** The place of the key or value at `path`, or of its nearest ancestor that was written. */
  #locate(node: Node | undefined, path: readonly string[], key: boolean): Place {
    for (let length = path.length; length > 0; length--) {
      const entry = this.#find(node, path.slice(0, length))
      if (!entry) continue
      return key || !entry.value ? entry.place : this.place(entry.value)
    }
    return this.place(node)
  }

  #at(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { file: this.path, line: Math.max(line, 1), column: Math.max(col, 1) }
  }
}

/** What stands in the file for a plain `null` or `~`; empty for nothing at all; undefined: not null. */
export function nullText(node: Node | undefined): string | undefined {
  if (node === undefined) return ''
  return isScalar(node) && node.value === null ? (node.source ?? '') : undefined
}

/** The text of a scalar as it was written, so that a name like `1` or `null` stays a name. */
export function scalarText(node: Node | undefined): string | undefined {
  if (!isScalar(node)) return undefined
  return typeof node.value === 'string' ? node.value : (node as Scalar & { source?: string }).source
}

function keyText(node: Node): string {
  return scalarText(node) ?? String(node)
}

/** `unknown key …` and its hint: the nearest known names, or all of them. */
export function unknownKey(
  key: string,
  path: readonly string[],
  known: readonly string[],
): [message: string, hint: string] {
  const whole = [...path, key].join('.')
  const inReach = path.length === 0
  const near = inReach ? didYouMean(key, known) : undefined
  return [
    `unknown key ${whole}`,
    near ?? (inReach && known.length > 0 ? `known keys: ${known.join(', ')}` : 'remove it'),
  ]
}

function describe(code: string, message: string, text: string, offset: number) {
  if (code === 'DUPLICATE_KEY') return { message: 'this key stands twice in one mapping' }
  if (code === 'MULTIPLE_DOCS') return { message: 'the file holds more than one YAML document' }
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? ''
  const quotedIdentifier = /^\s*"[^"]*"\./.test(line)
  return {
    message: `not YAML: ${lowerFirst(message)}`,
    hint: quotedIdentifier
      ? `a key that begins with a double quote needs single quotes around it: '"Schema"."Table"'`
      : 'look at brackets, quotes and indentation before this place',
  }
}
