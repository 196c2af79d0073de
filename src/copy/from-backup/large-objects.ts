import { PassThrough } from 'node:stream'
import type { Manifest, ManifestObject } from '../../backup/manifest.ts'
import { readSealed } from '../../backup/object-reader.ts'
import { Failure } from '../../errors.ts'
import type { RuleFile } from '../../mask/rules.ts'
import type { TargetSessions } from '../../sink/finish.ts'
import { loadLargeObjects } from '../../sink/large-objects.ts'
import type { Warn } from '../../sink/structure.ts'
import type { Store } from '../../store/store.ts'
import { BLOCK_BYTES } from '../../stream/blocks.ts'
import { tellOfLargeObjects } from '../large-objects.ts'
import { provenStore } from './proven-bytes.ts'

export interface SealedLargeObjects {
  store: Store
  manifest: Manifest
  passphrase: Buffer
  signal: AbortSignal
}

/**
 * Brings large objects of a backup under their numbers, where the rules say `large_objects: keep`: content and comment;
 * owners and privileges stay behind.
 *
 * @throws Failure `integrity`, `store`, `sink`
 */
export async function copySealedLargeObjects(
  request: SealedLargeObjects,
  sessions: TargetSessions,
  rules: RuleFile,
  warn: Warn,
): Promise<void> {
  const { objects, largeObjects } = request.manifest
  if (!tellOfLargeObjects(largeObjects.count, rules, warn)) return
  for (const object of objects.filter(({ name }) => name.startsWith('large-objects.'))) {
    await sessions.use((client) => loadLargeObjects(client, readLines(request, object), warn))
  }
}

/** The SQL of one object, without what says who owns them and who may do what: one DO each, on a line of its own. */
async function* readLines(
  { store, manifest: { label }, passphrase, signal }: SealedLargeObjects,
  object: ManifestObject,
): AsyncGenerator<Buffer> {
  const content = new PassThrough({ highWaterMark: 2 * BLOCK_BYTES })
  // Nothing but `read` is asked of it.
  const proven = provenStore(store, object) as Store
  const read = readSealed({ store: proven, label, object, passphrase, signal }, (block) => {
    if (content.destroyed) throw new Failure('interrupted', 'loading was given up')
    return content.write(block) ? undefined : drained(content)
  }).then(
    () => content.end(),
    (error: unknown) => content.destroy(error as Error),
  )
  try {
    yield* withoutRights(content as AsyncIterable<Buffer>)
  } finally {
    content.destroy()
    await read
  }
}

const NEWLINE = 0x0a
const RIGHTS = Buffer.from('DO ')
/** The SQL of a backup has no longer line. */
const LONGEST_LINE = 4 * 1024 * 1024

/** The lines of `sql` that do not begin with DO. */
export async function* withoutRights(sql: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of sql) {
    const text: Buffer = Buffer.concat([rest, chunk])
    let position = 0
    for (let end: number; (end = text.indexOf(NEWLINE, position) + 1) > 0; position = end) {
      const line = text.subarray(position, end)
      if (!line.subarray(0, RIGHTS.length).equals(RIGHTS)) yield line
    }
    rest = text.subarray(position)
    if (rest.length > LONGEST_LINE) {
      throw new Failure('integrity', 'the large objects have a line that is too long')
    }
  }
  if (rest.length > 0) yield rest
}

/** Resolves when the stream takes more, or nobody reads it any longer. */
function drained(stream: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve)
    stream.once('close', resolve)
  })
}
