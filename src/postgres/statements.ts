import { SqlError, parse, type Node, type ParseResult } from 'libpg-query'
import { Failure } from '../errors.ts'
import { withoutRestrict } from './restrict.ts'

/** One statement of a dump, as PostgreSQL's own parser sees it. */
export interface Statement {
  /** Without comments before it and without the semicolon. */
  sql: string
  /** Name of its parse node, like `CreateStmt`. */
  kind: string
  /** Its parse tree: an object with `kind` as the one key. */
  node: Node
}

/** Bytes of SQL given to the parser at once: parse trees are some ten times as large. */
const CHUNK = 32 * 1024

/** What pg_dump writes before each object; inside a literal it is no boundary, and the parser tells. */
const HEADER = '\n--\n-- Name: '

/**
 * Cuts a plain-text dump of pg_dump into statements, in order, holding the parse trees of a small part of
 * it at a time.
 *
 * The dump is given to the parser in chunks that end where an object seems to begin. A chunk that ends
 * inside a literal does not parse, and is tried again together with the next.
 *
 * @throws Failure `source` where the parser does not understand the dump
 */
export async function* cutStatements(dump: string): AsyncGenerator<Statement> {
  const text = withoutRestrict(dump)
  let start = 0
  let end = 0
  while (start < text.length) {
    end = boundary(text, end + CHUNK)
    const chunk = text.slice(start, end)
    const result = await tryParse(chunk, end === text.length)
    if (!result) continue
    yield* statementsOf(chunk, result)
    start = end
  }
}

function boundary(text: string, from: number): number {
  const found = text.indexOf(HEADER, from)
  return found < 0 ? text.length : found + 1
}

async function tryParse(chunk: string, last: boolean): Promise<ParseResult | undefined> {
  if (chunk.trim() === '') return {}
  try {
    return await parse(chunk)
  } catch (error) {
    if (!(error instanceof SqlError)) throw error
    if (!last) return undefined
    throw new Failure(
      'source',
      `cannot read the structure that pg_dump wrote: ${place(chunk, error)}`,
      {
        cause: error,
      },
    )
  }
}

/** Names the object under whose header the parser stopped; its message may quote the SQL. */
function place(chunk: string, error: SqlError): string {
  const before = chunk.slice(0, error.sqlDetails?.cursorPosition ?? 0)
  const header = before.slice(before.lastIndexOf(HEADER) + HEADER.length).split(';', 1)[0] ?? ''
  return `the parser stops at ${header.slice(0, 100)}`
}

/** Offsets in a parse result count bytes, those of a string UTF-16 units. */
function* statementsOf(chunk: string, { stmts = [] }: ParseResult): Generator<Statement> {
  const bytes = Buffer.from(chunk)
  for (const { stmt: node, stmt_location: start = 0, stmt_len: length } of stmts) {
    const kind = node && Object.keys(node)[0]
    if (!kind) continue
    const end = length ? start + length : bytes.length
    yield { sql: withoutComments(bytes.toString('utf8', start, end)), kind, node }
  }
}

/** Takes off the comment lines and the space that stand before a statement's first word. */
function withoutComments(sql: string): string {
  let start = 0
  for (;;) {
    while (/\s/.test(sql.charAt(start))) start++
    if (!sql.startsWith('--', start)) return sql.slice(start).trimEnd()
    const end = sql.indexOf('\n', start)
    start = end < 0 ? sql.length : end
  }
}
