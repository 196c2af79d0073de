import { aes, AES_SBOX, AES_TABLE, BLOCK, heap, keep, words } from './kernel.ts'

/** AES's S-box (FIPS 197, 5.1.1), from its definition: the inverse in GF(2^8), then an affine map. */
const SBOX = new Uint8Array(heap.buffer, AES_SBOX, 256)
/** What a byte of the state adds to a column: its S-box value times 2, 1, 1, 3. */
const TABLE = new Int32Array(heap.buffer, AES_TABLE, 256)

for (let p = 1, q = 1, i = 0; i < 255; i++) {
  // p runs through all non-zero elements by powers of 3, q through their inverses.
  const turned = q ^ (q << 1) ^ (q << 2) ^ (q << 3) ^ (q << 4)
  SBOX[p] = (turned ^ (turned >> 8) ^ 0x63) & 0xff
  p = (p ^ (p << 1) ^ (p & 0x80 ? 0x11b : 0)) & 0xff
  q ^= q << 1
  q ^= q << 2
  q = (q ^ (q << 4)) & 0xff
  if (q & 0x80) q ^= 0x09
}
SBOX[0] = 0x63
for (let i = 0; i < 256; i++) {
  const s = SBOX[i]!
  const double = ((s << 1) ^ (s & 0x80 ? 0x11b : 0)) & 0xff
  TABLE[i] = (double << 24) | (s << 16) | (s << 8) | (double ^ s)
}

/**
 * The round keys of AES (FIPS 197, 5.2), as words.
 *
 * @param key 16, 24 or 32 secret bytes
 */
function expandKey(key: Uint8Array): Int32Array {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  const count = key.length / 4
  const schedule = new Int32Array(4 * (count + 7))
  for (let i = 0; i < count; i++) schedule[i] = view.getInt32(i * 4)
  for (let i = count, constant = 1; i < schedule.length; i++) {
    let word = schedule[i - 1]!
    if (i % count === 0) {
      word = substitute((word << 8) | (word >>> 24)) ^ (constant << 24)
      constant = ((constant << 1) ^ (constant & 0x80 ? 0x11b : 0)) & 0xff
    } else if (count > 6 && i % count === 4) {
      word = substitute(word)
    }
    schedule[i] = schedule[i - count]! ^ word
  }
  return schedule
}

/**
 * The AES block cipher (FIPS 197), one direction, on big-endian 32-bit words and without allocation. For
 * format-preserving encryption, which takes ten blocks a value: a library's call costs several times
 * the block itself. Not constant in time; nobody can time single values of a copy.
 */
export class Aes {
  /** The words of the block after {@link encrypt}, signed. */
  w0 = 0
  w1 = 0
  w2 = 0
  w3 = 0
  /** Addresses of the first and the last round key. */
  readonly first: number
  readonly last: number

  /** @param key 16, 24 or 32 secret bytes */
  constructor(key: Uint8Array) {
    const schedule = expandKey(key)
    this.first = keep(new Uint8Array(schedule.buffer))
    this.last = this.first + schedule.byteLength - 16
  }

  /** Leaves the encrypted block in `w0` to `w3`. */
  encrypt(w0: number, w1: number, w2: number, w3: number): void {
    aes(this.first, this.last, w0, w1, w2, w3)
    this.w0 = words[BLOCK]!
    this.w1 = words[BLOCK + 1]!
    this.w2 = words[BLOCK + 2]!
    this.w3 = words[BLOCK + 3]!
  }
}

/** SubBytes of a word. */
function substitute(word: number): number {
  return (
    (SBOX[word >>> 24]! << 24) |
    (SBOX[(word >>> 16) & 0xff]! << 16) |
    (SBOX[(word >>> 8) & 0xff]! << 8) |
    SBOX[word & 0xff]!
  )
}
