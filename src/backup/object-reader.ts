import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'
import { Opener } from '../seal/opener.ts'
import { AbsentObject, type Store } from '../store/store.ts'
import { BlockReader } from '../stream/blocks.ts'
import type { ManifestObject } from './manifest.ts'

export interface ObjectReading {
  store: Store
  label: string
  object: ManifestObject
  passphrase: Buffer
  signal?: AbortSignal
}

/**
 * Fetches one sealed object, opens it and hands its content on, a block at a time, as it comes. When this returns, size
 * and SHA-256 of the sealed bytes, their seal and the length of the content were what the manifest says; before, nothing
 * that was made of the content may be committed.
 *
 * @param reading its passphrase is the manifest's, by the digests of its halves: what it does not open is of another backup
 * @param take may return a promise to wait for before the next block
 * @throws Failure `integrity` that names the object; `store`; whatever `take` throws
 */
export async function readSealed(
  { store, label, object, passphrase, signal }: ObjectReading,
  take: (content: Buffer) => Promise<void> | undefined,
): Promise<void> {
  const name = `${label}/${object.name}`
  const hash = createHash('sha256')
  let size = 0
  let content = 0
  let wait: Promise<void> | undefined
  const blocks = new BlockReader((block) => {
    content += block.length
    const one = take(block)
    if (one) wait = wait ? Promise.all([wait, one]).then(() => {}) : one
  }, name)
  const opener = new Opener(passphrase, (bytes) => blocks.update(bytes))
  try {
    for await (const chunk of store.read(name, signal ? { signal } : {})) {
      size += chunk.length
      if (size > object.size) throw new Failure('integrity', 'is longer than when it was made')
      hash.update(chunk)
      opener.update(chunk)
      if (wait) await wait
      wait = undefined
    }
    if (size !== object.size)
      throw new Failure('integrity', `has ${size} bytes instead of ${object.size}`)
    if (hash.digest('hex') !== object.sha256)
      throw new Failure('integrity', 'was changed: its SHA-256 is another')
    opener.end()
    blocks.end()
    if (content !== object.content)
      throw new Failure('integrity', 'holds less or more than when it was made')
    await wait
  } catch (error) {
    wait?.catch(() => {})
    throw about(name, error)
  }
}

/**
 * Why a target refused the content of an object: content that somebody changed is refused before the end of the object,
 * which would have told.
 *
 * @returns the Failure `integrity` where the object is not what the manifest says; else `error`
 */
export async function damageBehind(error: unknown, reading: ObjectReading): Promise<unknown> {
  try {
    await readSealed(reading, () => undefined)
  } catch (found) {
    if (found instanceof Failure && found.kind === 'integrity') return found
  }
  return error
}

/** Says which object a failure is about. */
function about(name: string, error: unknown): unknown {
  if (error instanceof AbsentObject) return new Failure('integrity', `${name} is missing`)
  if (!(error instanceof Failure)) return error
  if (error.kind === 'key') {
    return new Failure('integrity', `${name} is not of this backup: its secret does not open it`, {
      cause: error,
    })
  }
  if (error.kind !== 'integrity' || error.message.includes(name)) return error
  return new Failure('integrity', `${name}: ${error.message}`, {
    ...(error.hint && { hint: error.hint }),
    cause: error,
  })
}

/** Reads a sealed object whole, for SQL that is executed as such: everything is checked before it is returned. */
export async function readSealedWhole(reading: ObjectReading): Promise<Buffer> {
  const blocks: Buffer[] = []
  await readSealed(reading, (block) => {
    blocks.push(block)
    return undefined
  })
  return Buffer.concat(blocks)
}
