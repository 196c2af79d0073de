import { createHash } from 'node:crypto'
import type { ManifestObject } from '../../backup/manifest.ts'
import { Failure } from '../../errors.ts'
import type { Store } from '../../store/store.ts'

/** Bytes that are digested at a time. */
const PIECE = 1024 * 1024
/** Bytes that are handed on at a time: what compresses well grows by a thousand. */
const SLICE = 64 * 1024

/**
 * A store whose objects prove to be the manifest's before a byte of them is handed on.
 *
 * Somebody who can write into the store can put one object in the place of another, which opens just as well: rows
 * of one table would be masked by the rules of another, and be in the target's files before the digest at the end
 * tells. So an object is read twice, at first for its SHA-256 alone. The digests of its pieces, which that reading
 * leaves, bind the second one to the same bytes. What is no longer than a piece is read once.
 */
export function provenStore(store: Store, object: ManifestObject): Pick<Store, 'read'> {
  return { read: (name, options = {}) => provenBytes(() => store.read(name, options), object) }
}

/**
 * @param read begins to read the object
 * @throws Failure `integrity` that does not name the object; whatever reading throws
 */
async function* provenBytes(
  read: () => AsyncIterable<Buffer>,
  { size, sha256 }: ManifestObject,
): AsyncGenerator<Buffer> {
  const whole = createHash('sha256')
  const digests: Buffer[] = []
  let seen = 0
  let last = Buffer.alloc(0)
  for await (const piece of inPieces(read())) {
    seen += piece.length
    if (seen > size) throw new Failure('integrity', 'is longer than when it was made')
    whole.update(piece)
    digests.push(digestOf(piece))
    last = piece
  }
  if (seen !== size) throw new Failure('integrity', `has ${seen} bytes instead of ${size}`)
  if (whole.digest('hex') !== sha256)
    throw new Failure('integrity', 'was changed: its SHA-256 is another')
  if (digests.length < 2) {
    yield* slices(last)
    return
  }
  let number = 0
  for await (const piece of inPieces(read())) {
    if (!digests[number++]?.equals(digestOf(piece)))
      throw new Failure('integrity', 'was changed while it was read')
    yield* slices(piece)
  }
}

function* slices(piece: Buffer): Generator<Buffer> {
  for (let at = 0; at < piece.length; at += SLICE) yield piece.subarray(at, at + SLICE)
}

function digestOf(piece: Buffer): Buffer {
  return createHash('sha256').update(piece).digest()
}

/** The same bytes in pieces of {@link PIECE}; each is valid until the next is asked for. */
async function* inPieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer<ArrayBuffer>> {
  const piece = Buffer.allocUnsafe(PIECE)
  let length = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.copy(piece, length, at)
      length += taken
      at += taken
      if (length < PIECE) continue
      yield piece
      length = 0
    }
  }
  if (length > 0) yield piece.subarray(0, length)
}
