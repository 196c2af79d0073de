import { Failure } from '../errors.ts'
import { AbsentObject, type Store } from '../store/store.ts'

const MOST_SMALL = 1024 * 1024

/**
 * Reads a small object whole.
 *
 * @throws Failure `integrity` where it is longer than `most`, or is not there
 */
export async function readWhole(store: Store, name: string, most = MOST_SMALL): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of store.read(name)) {
      size += chunk.length
      if (size > most) throw new Failure('integrity', `${name} is longer than anything of its kind`)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof AbsentObject) throw new Failure('integrity', `${name} is missing`)
    throw error
  }
  return Buffer.concat(chunks)
}
