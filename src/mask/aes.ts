/** AES's S-box (FIPS 197, 5.1.1), from its definition: the inverse in GF(2^8), then an affine map. */
const SBOX = new Uint8Array(256)
/** What a byte of the state adds to a column: its S-box value times 2, 1, 1, 3. */
const TABLE = new Int32Array(256)

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
  readonly #schedule: Int32Array
  readonly #last: number

  /** @param key 16, 24 or 32 secret bytes */
  constructor(key: Uint8Array) {
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
    const words = key.length / 4
    this.#last = 4 * (words + 6)
    const schedule = new Int32Array(this.#last + 4)
    for (let i = 0; i < words; i++) schedule[i] = view.getInt32(i * 4)
    for (let i = words, constant = 1; i < schedule.length; i++) {
      let word = schedule[i - 1]!
      if (i % words === 0) {
        word = substitute((word << 8) | (word >>> 24)) ^ (constant << 24)
        constant = ((constant << 1) ^ (constant & 0x80 ? 0x11b : 0)) & 0xff
      } else if (words > 6 && i % words === 4) {
        word = substitute(word)
      }
      schedule[i] = schedule[i - words]! ^ word
    }
    this.#schedule = schedule
  }

  /** Leaves the encrypted block in `w0` to `w3`. */
  encrypt(w0: number, w1: number, w2: number, w3: number): void {
    const k = this.#schedule
    const last = this.#last
    let s0 = w0 ^ k[0]!
    let s1 = w1 ^ k[1]!
    let s2 = w2 ^ k[2]!
    let s3 = w3 ^ k[3]!
    for (let at = 4; at < last; at += 4) {
      const t0 = column(s0, s1, s2, s3) ^ k[at]!
      const t1 = column(s1, s2, s3, s0) ^ k[at + 1]!
      const t2 = column(s2, s3, s0, s1) ^ k[at + 2]!
      s3 = column(s3, s0, s1, s2) ^ k[at + 3]!
      s0 = t0
      s1 = t1
      s2 = t2
    }
    this.w0 = lastColumn(s0, s1, s2, s3) ^ k[last]!
    this.w1 = lastColumn(s1, s2, s3, s0) ^ k[last + 1]!
    this.w2 = lastColumn(s2, s3, s0, s1) ^ k[last + 2]!
    this.w3 = lastColumn(s3, s0, s1, s2) ^ k[last + 3]!
  }
}

/** SubBytes, ShiftRows and MixColumns for one column. */
function column(a: number, b: number, c: number, d: number): number {
  const t1 = TABLE[(b >>> 16) & 0xff]!
  const t2 = TABLE[(c >>> 8) & 0xff]!
  const t3 = TABLE[d & 0xff]!
  return (
    TABLE[a >>> 24]! ^
    ((t1 >>> 8) | (t1 << 24)) ^
    ((t2 >>> 16) | (t2 << 16)) ^
    ((t3 >>> 24) | (t3 << 8))
  )
}

function lastColumn(a: number, b: number, c: number, d: number): number {
  return (
    (SBOX[a >>> 24]! << 24) |
    (SBOX[(b >>> 16) & 0xff]! << 16) |
    (SBOX[(c >>> 8) & 0xff]! << 8) |
    SBOX[d & 0xff]!
  )
}

function substitute(word: number): number {
  return lastColumn(word, word, word, word)
}
