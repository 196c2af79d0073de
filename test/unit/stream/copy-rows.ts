/** CopyData messages of these contents, one after the other. */
export function frame(contents: Buffer[]): Buffer {
  return Buffer.concat(
    contents.flatMap((content) => {
      const header = Buffer.alloc(5, 'd')
      header.writeUInt32BE(content.length + 4, 1)
      return [header, content]
    }),
  )
}

/** Numbers from 0 up to but not `limit` that are the same in each run (xorshift32). */
export function numbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

/** Rows of any bytes but the newline at their end, of these lengths without it. */
export function rowsOf(lengths: number[], next: (limit: number) => number): Buffer[] {
  return lengths.map((length) => {
    const row = Buffer.alloc(length + 1)
    for (let i = 0; i < length; i++) {
      const byte = next(256)
      row[i] = byte === 0x0a ? 0x8a : byte
    }
    row[length] = 0x0a
    return row
  })
}

const MASK = (1n << 64n) - 1n
const rotate = (x: bigint, n: bigint): bigint => ((x << n) | (x >> (64n - n))) & MASK

/**
 * SipHash-2-4 with 128 bits of output, word by word as the paper has it: slow and plain, to compare with.
 */
export function sipHash128(key: Buffer, message: Buffer): Buffer {
  const [k0, k1] = [key.readBigUInt64LE(0), key.readBigUInt64LE(8)]
  let a = k0 ^ 0x736f6d6570736575n
  let b = k1 ^ 0x646f72616e646f6dn ^ 0xeen
  let c = k0 ^ 0x6c7967656e657261n
  let d = k1 ^ 0x7465646279746573n
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      a = (a + b) & MASK
      c = (c + d) & MASK
      b = rotate(b, 13n) ^ a
      d = rotate(d, 16n) ^ c
      a = rotate(a, 32n)
      c = (c + b) & MASK
      a = (a + d) & MASK
      b = rotate(b, 17n) ^ c
      d = rotate(d, 21n) ^ a
      c = rotate(c, 32n)
    }
  }
  const padded = Buffer.alloc((Math.floor(message.length / 8) + 1) * 8)
  message.copy(padded)
  padded[padded.length - 1] = message.length & 0xff
  for (let i = 0; i < padded.length; i += 8) {
    const word = padded.readBigUInt64LE(i)
    d ^= word
    rounds(2)
    a ^= word
  }
  const hash = Buffer.alloc(16)
  c ^= 0xeen
  rounds(4)
  hash.writeBigUInt64LE(a ^ b ^ c ^ d, 0)
  b ^= 0xddn
  rounds(4)
  hash.writeBigUInt64LE(a ^ b ^ c ^ d, 8)
  return hash
}

/** The digest of rows, as its definition says it: a sum of hashes. */
export function plainDigest(key: Buffer, rows: Buffer[]): string {
  let sum = 0n
  for (const row of rows) {
    const hash = sipHash128(key, row.subarray(0, -1))
    sum += hash.readBigUInt64LE(0) + (hash.readBigUInt64LE(8) << 64n)
  }
  return BigInt.asUintN(128, sum).toString(16).padStart(32, '0')
}
