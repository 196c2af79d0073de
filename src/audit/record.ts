import { createHash } from 'node:crypto'
import { z } from '../config/zod.ts'

/** Format of the files with audit records. Version 1, read for ever; fields may be added. */
export const AUDIT_FORMAT = 'pgveil audit 1'

/** What the first line of all names as the hash of the one before it. */
export const NOTHING_BEFORE = '0'.repeat(64)

const HASH = z.string().regex(/^[0-9a-f]{64}$/)

/** What every line has, whatever it tells. */
const LINK = z.looseObject({
  /** From 1, without a gap, over all files. */
  sequence: z.int().positive(),
  /** SHA-256 of the line before it, without its line break, in hexadecimal digits. */
  previous: HASH,
  /** ISO 8601, UTC. */
  time: z.iso.datetime(),
  event: z.string(),
})

/** A line, as far as the chain is concerned. */
export type Link = z.infer<typeof LINK>

const START = z.object({
  time: z.iso.datetime(),
  event: z.literal('start'),
  /** Names the run; its end has the same. */
  run: z.string(),
  /** Like `keys check`. */
  command: z.string(),
  /** Names of the options that were given, never what they were given. */
  options: z.array(z.string()),
  user: z.string(),
  /** Who became that user by sudo. */
  sudo: z.string().optional(),
  host: z.string(),
  pid: z.int(),
  tool: z.string(),
  /** Connection strings without password; a directory or `s3://…`. */
  source: z.string().optional(),
  target: z.string().optional(),
  store: z.string().optional(),
})

const END = z.object({
  time: z.iso.datetime(),
  event: z.literal('end'),
  run: z.string(),
  /** `done`, or the kind of failure. */
  result: z.string(),
  exitCode: z.int(),
  seconds: z.number(),
  /** Of the backup. */
  label: z.string().optional(),
  /** What the run ended up on, where it says so itself. */
  source: z.string().optional(),
  target: z.string().optional(),
  /** Labels of backups that the run has removed. */
  removed: z.array(z.string()).optional(),
  /** Like `{ tables: 12, rows: 3502 }`. */
  counts: z.record(z.string(), z.number()),
  /** Codes of the warnings, and how many of each. */
  warnings: z.record(z.string(), z.number()),
})

export type StartRecord = z.infer<typeof START>
export type EndRecord = z.infer<typeof END>

/** What a line tells, before it is linked to the one before it. */
export type Told = { event: string } & Record<string, unknown>

/** One line of a file. */
export interface AuditLine {
  /** Name of the file. */
  file: string
  /** From 1. */
  line: number
  hash: string
  /** Undefined where the line is no record. */
  link: Link | undefined
}

/** SHA-256 of a line without its line break. */
export function hashOf(line: Uint8Array): string {
  return createHash('sha256').update(line).digest('hex')
}

/** The next line of a chain, with its line break. */
export function writeRecord(
  { sequence, hash }: { sequence: number; hash: string },
  time: Date,
  told: Told,
): Buffer {
  const { event, ...rest } = told
  const record = {
    sequence: sequence + 1,
    previous: hash,
    time: time.toISOString(),
    event,
    ...rest,
  }
  return Buffer.from(`${JSON.stringify(record)}\n`)
}

/** The link in a line; undefined where it is none. */
export function readLink(line: Buffer): Link | undefined {
  try {
    return LINK.safeParse(JSON.parse(line.toString('utf8'))).data
  } catch {
    return undefined
  }
}

export function asStart(link: Link): StartRecord | undefined {
  return START.safeParse(link).data
}

export function asEnd(link: Link): EndRecord | undefined {
  return END.safeParse(link).data
}

const LINE_BREAK = 0x0a

/** The lines of a file; `torn` is what stands behind the last line break. */
export function splitLines(file: string, bytes: Buffer): { lines: AuditLine[]; torn: Buffer } {
  const lines: AuditLine[] = []
  let from = 0
  for (let to = bytes.indexOf(LINE_BREAK); to >= 0; to = bytes.indexOf(LINE_BREAK, from)) {
    const line = bytes.subarray(from, to)
    lines.push({ file, line: lines.length + 1, hash: hashOf(line), link: readLink(line) })
    from = to + 1
  }
  return { lines, torn: bytes.subarray(from) }
}
