import type { Head } from './head.ts'
import type { AuditLine } from './record.ts'

/** How a chain is broken. */
export type BreakKind =
  'changed' | 'missing' | 'inserted' | 'reordered' | 'truncated' | 'head-lost' | 'signature'

/** The first place where records are not what they were. */
export interface Break {
  file: string
  /** From 1; absent: the file as a whole. */
  line?: number
  kind: BreakKind
  message: string
}

/** What the next line has to follow. */
interface End {
  sequence: number
  hash: string
}

/**
 * Finds the first broken line of a chain.
 *
 * @param lines of all files, oldest first
 * @param anchor the head as it was before the lines were read; they must reach it
 * @param last the head as it was afterwards; one line more may be on its way
 */
export function checkChain(
  lines: readonly AuditLine[],
  anchor: Head,
  last: Head,
): Break | undefined {
  let end: End = anchor.start
  for (const [i, line] of lines.entries()) {
    if (!follows(line, end)) return explain(lines, i, end, last)
    const misplaced = misplacedOpening(line)
    if (misplaced) return misplaced
    if (line.link?.event === 'head-lost') {
      return at(line, 'head-lost', 'the newest hash was lost here: lines before it may be missing')
    }
    end = { sequence: line.link?.sequence ?? 0, hash: line.hash }
  }
  return checkEnd(lines, end, anchor, last)
}

function checkEnd(
  lines: readonly AuditLine[],
  end: End,
  anchor: Head,
  last: Head,
): Break | undefined {
  if (end.sequence < anchor.sequence) {
    const newest = lines.at(-1)
    return {
      file: newest?.file ?? anchor.file,
      line: (newest?.line ?? 0) + 1,
      kind: 'truncated',
      message: `${some(anchor.sequence - end.sequence)} missing from here to the end`,
    }
  }
  const anchored = lines.find(({ link }) => link?.sequence === anchor.sequence)
  if (anchored && anchored.hash !== anchor.hash)
    return at(anchored, 'changed', 'it is not what was written')
  if (end.sequence > last.sequence + 1) {
    const first = lines.find(({ link }) => (link?.sequence ?? 0) > last.sequence)
    if (first) return at(first, 'inserted', 'no command has written it')
  }
  return undefined
}

function follows({ link }: AuditLine, { sequence, hash }: End): boolean {
  return link?.sequence === sequence + 1 && link.previous === hash
}

/** Each file begins with a line that names it. */
function misplacedOpening(line: AuditLine): Break | undefined {
  const isOpening = line.link?.event === 'open'
  if (isOpening !== (line.line === 1) || (isOpening && line.link?.['file'] !== line.file))
    return at(line, 'reordered', 'it belongs to another file')
  return undefined
}

/** Says what happened where a line does not follow the one before it. */
function explain(lines: readonly AuditLine[], i: number, end: End, last: Head): Break {
  const line = lines[i] as AuditLine
  const before = lines[i - 1]
  const next = lines[i + 1]
  const { link } = line
  if (next && follows(next, end)) {
    return link?.previous === next.hash
      ? at(line, 'reordered', 'it belongs behind the line after it')
      : at(line, 'inserted', 'the line after it does not know it')
  }
  if (!link) return at(line, 'changed', 'it is no record')
  const sequence = end.sequence + 1
  // The line that its follower, or the head, knows is as it was written: then it is the other one.
  const known = next ? next.link?.previous === line.hash : last.hash === line.hash
  if (link.sequence === sequence) {
    if (!known) return at(line, 'changed', 'it does not follow the line before it')
    return before
      ? at(before, 'changed', 'the line after it knows another one')
      : at(line, 'missing', 'lines before it are missing')
  }
  if (link.sequence < sequence) {
    const twin = lines.slice(0, i).find((other) => other.link?.sequence === link.sequence)
    const isForged = known && twin?.link?.previous === link.previous
    return at(isForged ? twin : line, 'inserted', 'its number is taken')
  }
  if (lines.slice(i).some((later) => later.link?.sequence === sequence))
    return at(line, 'reordered', `number ${sequence} comes after it`)
  if (link.previous === end.hash) return at(line, 'changed', 'its number is another one')
  return at(line, 'missing', `${some(link.sequence - sequence)} missing before it`)
}

function at({ file, line }: AuditLine, kind: BreakKind, message: string): Break {
  return { file, line, kind, message }
}

function some(n: number): string {
  return n === 1 ? '1 line is' : `${n} lines are`
}
