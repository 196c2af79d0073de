import { hkdfSync } from 'node:crypto'
import { bring, hash, heap, keep, STREAM, TAG, WINDOW, words } from './kernel.ts'

/**
 * 32 secret bytes for one purpose, by HKDF-SHA256 (RFC 5869) with an empty salt: whoever holds one
 * derived key learns nothing of the master or of its siblings.
 *
 * @param master 32 secret bytes
 * @param purpose what the key is for; distinct purposes give unrelated keys
 */
export function deriveKey(master: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', master, '', `pgveil mask v1: ${purpose}`, 32))
}

/** The four bytes at `at` as a little-endian word. */
function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** A key and what Chaskey makes of it for last blocks: itself times two and times four in GF(2^128). */
function withSubkeys(key: Uint8Array): Uint8Array {
  const words = [word(key, 0), word(key, 4), word(key, 8), word(key, 12)]
  for (let i = 0; i < 8; i += 4) {
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words.slice(i)
    words.push(
      (w0 << 1) ^ (w3 < 0 ? 0x87 : 0),
      (w1 << 1) | (w0 >>> 31),
      (w2 << 1) | (w1 >>> 31),
      (w3 << 1) | (w2 >>> 31),
    )
  }
  return new Uint8Array(Int32Array.from(words).buffer)
}

/**
 * The keyed pseudo-random function of all masks: Chaskey-12, ISO/IEC 29192-6, by N. Mouha et al.,
 * "Chaskey: An Efficient MAC Algorithm for 32-bit Microcontrollers" (SAC 2014). 128-bit key, 128-bit
 * tag. Chosen for its 32-bit operations: it needs no allocation and 40 to 130 ns for a typical value.
 * Inputs of different lengths are told apart by its padding and subkeys.
 */
export class KeyedHash {
  /** The tag's words after {@link hash}, as signed 32-bit integers. */
  t0 = 0
  t1 = 0
  t2 = 0
  t3 = 0
  /** Where the kernel finds the key. */
  readonly key: number

  /** @param key at least 16 secret bytes, of which the first 16 are used */
  constructor(key: Uint8Array) {
    this.key = keep(withSubkeys(key))
  }

  /** Leaves the tag of `bytes[start, end)` in `t0` to `t3`. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const { key } = this
    let resumed = 0
    if (bytes !== heap) {
      for (; end - start > WINDOW; start += WINDOW, resumed = 1) {
        const piece = bring(bytes, start, start + WINDOW)
        hash(piece, piece + WINDOW, key, resumed, 1)
      }
    }
    const at = bring(bytes, start, end)
    hash(at, at + end - start, key, resumed, 0)
    this.take()
  }

  /** Takes the tag that the kernel has left. */
  take(): void {
    this.t0 = words[TAG]!
    this.t1 = words[TAG + 1]!
    this.t2 = words[TAG + 2]!
    this.t3 = words[TAG + 3]!
  }
}

/**
 * Endless words from one tag: xoshiro128**, by D. Blackman and S. Vigna. Not a cipher, and none is
 * needed: its seed is the output of a keyed function, so whoever works the stream backwards arrives at
 * a tag, which tells nothing of the key or of the original.
 */
export class Stream {
  #s0 = 1
  #s1 = 0
  #s2 = 0
  #s3 = 0

  /** Starts over from the tag that `from` holds. */
  seed(from: KeyedHash): void {
    // The all-zero state is the one that xoshiro never leaves.
    this.#s0 = from.t0 | from.t1 | from.t2 | from.t3 ? from.t0 : 1
    this.#s1 = from.t1
    this.#s2 = from.t2
    this.#s3 = from.t3
  }

  /** The next word, 0 to 2^32 - 1. */
  next(): number {
    const scaled = Math.imul(this.#s1, 5)
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0
    const shifted = this.#s1 << 9
    this.#s2 ^= this.#s0
    this.#s3 ^= this.#s1
    this.#s1 ^= this.#s2
    this.#s0 ^= this.#s3
    this.#s2 ^= shifted
    this.#s3 = (this.#s3 << 11) | (this.#s3 >>> 21)
    return result
  }

  /** Lets the kernel draw from the stream; until {@link takeBack}, nobody else does. */
  lend(): void {
    words[STREAM] = this.#s0
    words[STREAM + 1] = this.#s1
    words[STREAM + 2] = this.#s2
    words[STREAM + 3] = this.#s3
  }

  /** Goes on where the kernel stopped. */
  takeBack(): void {
    this.#s0 = words[STREAM]!
    this.#s1 = words[STREAM + 1]!
    this.#s2 = words[STREAM + 2]!
    this.#s3 = words[STREAM + 3]!
  }

  /** A whole number in [0, count), for counts up to 2^32; the bias is at most count / 2^32. */
  below(count: number): number {
    return Math.floor((this.next() * count) / 4294967296)
  }
}
