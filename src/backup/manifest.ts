import { createHash } from 'node:crypto'
import { z } from '../config/zod.ts'
import { Failure } from '../errors.ts'
import { showName } from '../postgres/identifiers.ts'

/** The manifest of a backup: docs/FORMAT.md says what each field means. Version 1, read for ever. */
export const FORMAT = 'pgveil backup 1'

/** What the digest of the structure is over. Backups of the first versions have no such object. */
export const DEFINITIONS = 'definitions.txt.pgp'

const HEX_256 = z.string().regex(/^[0-9a-f]{64}$/)
const HEX_128 = z.string().regex(/^[0-9a-f]{32}$/)
const FINGERPRINT = z.string().regex(/^[0-9A-F]{40}$/)
const COUNT = z.int().nonnegative()
/** Parts joined by slashes; nothing that climbs out of the backup's own place. */
const OBJECT_NAME = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$/)
/** `20261122T020000Z-crm`: when its snapshot was taken, in UTC, and whose it is. */
export const LABEL = z.string().regex(/^\d{8}T\d{6}Z-[a-z0-9][a-z0-9_-]{0,62}$/)
const NAME = z.strictObject({ schema: z.string(), name: z.string() })

const SOURCE = z.strictObject({
  /** Of the cluster, where the user of the backup may read it. */
  systemIdentifier: z.string().nullable(),
  database: z.string(),
  version: z.string(),
  versionNumber: COUNT,
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  localeProvider: z.string(),
  locale: z.string().nullable(),
  icuRules: z.string().nullable(),
  /** In which `money` prints; null: unknown. */
  lcMonetary: z.string().nullable(),
  extensions: z.record(z.string(), z.string()),
  roles: z.array(z.string()),
  snapshot: z.string(),
  /** Write-ahead log position at which the snapshot was taken. */
  lsn: z.string(),
  /** When the snapshot was taken, by the server's clock. */
  time: z.iso.datetime(),
})

const SIDE = z.strictObject({
  name: z.string(),
  /** SHA-256 of the half, as text of 43 characters. */
  half: HEX_256,
  recipients: z.array(FINGERPRINT).min(1),
})

const TABLE = z.strictObject({
  ...NAME.shape,
  /** The partitioned table at the top, or the table itself. */
  root: NAME,
  /** The table that rows go into: the root, where a row's partition may differ elsewhere. */
  into: NAME,
  columns: z.array(z.string()),
  /** Belongs to an extension, which puts rows of its own into it. */
  configuration: z.boolean(),
  /** Bytes on the source, heap and TOAST. */
  bytes: COUNT,
  rows: COUNT,
  /** Keyed multiset digest over the rows as COPY text. */
  digest: HEX_128,
  /** Names of objects, in order. */
  segments: z.array(OBJECT_NAME),
})

const SEQUENCE = z.strictObject({
  ...NAME.shape,
  value: z.string().regex(/^-?\d+$/),
  called: z.boolean(),
})

const OBJECT = z.strictObject({
  name: OBJECT_NAME,
  /** Bytes, and their SHA-256, as they lie in the store. */
  size: COUNT,
  sha256: HEX_256,
  /** Bytes inside, before compression; absent for what is not sealed. */
  content: COUNT.optional(),
  /** Of a segment: its rows and their digest. */
  rows: COUNT.optional(),
  digest: HEX_128.optional(),
})

const MANIFEST = z.strictObject({
  format: z.literal(FORMAT),
  tool: z.string(),
  label: LABEL,
  /** The chain this backup belongs to; also the end of its label. */
  name: z.string(),
  sequence: z.int().min(1),
  previous: z.strictObject({ label: LABEL, sha256: HEX_256 }).nullable(),
  started: z.iso.datetime(),
  source: SOURCE,
  seal: z.strictObject({
    /** One or two; the passphrase of every object is their halves, in this order. */
    sides: z.array(SIDE).min(1).max(2),
    verifier: z.array(FINGERPRINT),
  }),
  /** SHA-256 over a description of the structure that is the same on every server of this major. */
  structure: z.strictObject({ major: COUNT, digest: HEX_256, counts: z.record(z.string(), COUNT) }),
  tables: z.array(TABLE),
  sequences: z.array(SEQUENCE),
  /** Materialised views that hold rows, in the order in which they can be refreshed. */
  views: z.array(NAME),
  largeObjects: z.strictObject({ count: COUNT, bytes: COUNT }),
  /** How far the ledger of erasures went: whoever restores sees when it was cut off. Absent: there was none. */
  erasures: z.strictObject({ number: z.int().min(1), sha256: HEX_256 }).optional(),
  warnings: z.array(z.strictObject({ code: z.string(), message: z.string() })),
  objects: z.array(OBJECT),
})

export type Manifest = z.infer<typeof MANIFEST>
export type ManifestTable = z.infer<typeof TABLE>
export type ManifestObject = z.infer<typeof OBJECT>
export type ManifestSource = z.infer<typeof SOURCE>

/**
 * The bytes of a manifest: JSON with each key of the top level on a line of its own, and so is each element of an
 * array that stands there, so that restore.sh reads it with sed.
 */
export function writeManifest(manifest: Manifest): Buffer {
  const checked = MANIFEST.parse(manifest)
  const lines = Object.entries(checked).map(([key, value]) => {
    if (!Array.isArray(value) || value.length === 0)
      return `${JSON.stringify(key)}: ${JSON.stringify(value)}`
    const elements = value.map((element) => JSON.stringify(element)).join(',\n')
    return `${JSON.stringify(key)}: [\n${elements}\n]`
  })
  return Buffer.from(`{\n${lines.join(',\n')}\n}\n`)
}

/**
 * Reads a manifest whose signature was checked.
 *
 * @param label of the place it was found in
 * @throws Failure `integrity` where it is none, or one of another backup
 */
export function readManifest(bytes: Buffer, label: string): Manifest {
  const name = `${label}/manifest.json`
  const manifest = parse(bytes, name)
  if (manifest.label !== label) {
    throw new Failure('integrity', `${name} is the manifest of ${manifest.label}`, {
      hint: 'somebody put it into another place; restore that backup from where it belongs',
    })
  }
  if (!label.endsWith(`Z-${manifest.name}`)) {
    throw new Failure('integrity', `${name} is of ${manifest.name}, which its label does not say`)
  }
  checkReferences(manifest, name)
  return manifest
}

function parse(bytes: Buffer, name: string): Manifest {
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new Failure('integrity', `${name} is not JSON`, { cause })
  }
  const format = (json as { format?: unknown } | null)?.format
  if (typeof format === 'string' && format.startsWith('pgveil backup ') && format !== FORMAT) {
    throw new Failure('integrity', `${name} is of a format this version does not know: ${format}`, {
      hint: 'use a newer pgveil',
    })
  }
  const result = MANIFEST.safeParse(json)
  if (result.success) return result.data
  throw new Failure('integrity', `${name} is no manifest: ${whereOf(result.error)}`)
}

/** What is not as it should be, like `objects.3.size`; a key that is not known is named itself. */
function whereOf({ issues: [issue] }: z.ZodError): string {
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys : []
  return [...(issue?.path ?? []), ...unknown.slice(0, 1)].join('.') || 'its content'
}

/** Whatever a table refers to is an object of this backup, once, and sums up. */
function checkReferences({ objects, tables }: Manifest, name: string): void {
  const byName = new Map<string, ManifestObject>()
  for (const object of objects) {
    if (byName.has(object.name))
      throw new Failure('integrity', `${name} names an object twice: ${object.name}`)
    byName.set(object.name, object)
  }
  const used = new Set<string>()
  for (const { segments, rows, ...table } of tables) {
    let sum = 0
    for (const segment of segments) {
      const object = byName.get(segment)
      if (object?.rows === undefined || object.digest === undefined || used.has(segment)) {
        throw new Failure(
          'integrity',
          `${name} refers to ${segment}, which is no segment of its own`,
        )
      }
      used.add(segment)
      sum += object.rows
    }
    if (sum !== rows) {
      throw new Failure(
        'integrity',
        `${name}: rows of ${showName(table)} do not sum up: ${sum} in its segments, ${rows} in all`,
      )
    }
  }
}

/** What the next backup of the chain, and its envelopes, know a manifest by: hexadecimal SHA-256. */
export function manifestDigest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The object of that name. */
export function objectOf(manifest: Manifest, name: string): ManifestObject {
  const found = manifest.objects.find((object) => object.name === name)
  if (!found) throw new Failure('integrity', `${manifest.label} has no ${name}`)
  return found
}
