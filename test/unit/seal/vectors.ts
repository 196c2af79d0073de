import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What version 1 of the format looks like, made once. These files never change: as long as one backup of that time
 * may exist, its objects, envelopes and signature have to be read.
 *
 * The keys are made for this and used nowhere else.
 */
const DIRECTORY = join(import.meta.dirname, '../../vectors/seal')

interface Vectors {
  a: string
  b: string
  digests: { a: string; b: string }
  derived: { purpose: string; key: string }
  /** Salt, then the prefix's random block, in hex. */
  random: string
  /** The content is `text`, `count` times. */
  objects: { text: string; count: number; size: number; sha256: string; sealed?: string }[]
}

export const SAFE_PASSPHRASE = 'vector passphrase ő'

export function vectorFile(name: string): Buffer {
  return readFileSync(join(DIRECTORY, name))
}

export const vectors = JSON.parse(vectorFile('objects.json').toString()) as Vectors

/** The bytes that the vectors were made with, in place of random ones. */
export function vectorRandom(): (bytes: number) => Buffer {
  const all = Buffer.from(vectors.random, 'hex')
  let at = 0
  return (bytes) => all.subarray(at, (at += bytes))
}
