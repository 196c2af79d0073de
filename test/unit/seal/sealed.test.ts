import { randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { createMessage, decrypt, encrypt, enums, type PartialConfig, readMessage } from 'openpgp'
import { CHUNK } from '../../../src/seal/packet.ts'
import { openBytes, Opener } from '../../../src/seal/opener.ts'
import { sealBytes, Sealer } from '../../../src/seal/sealer.ts'
import { drawSecret, passphraseOf } from '../../../src/seal/secret.ts'
import { failure } from './failures.ts'

const passphrase = passphraseOf(drawSecret())
/** Content bytes of a first literal chunk. */
const FIRST = CHUNK - 6
/** Content with which the encrypted packet fills its first chunk: version, prefix, literal packet, checksum. */
const FILLED = CHUNK - 1 - 18 - (1 + 5 + 6) - 22
/** Where the encrypted packet's first length stands. */
const LENGTH = 16

const SIZES = [
  [0, 1, 2, 15, 16, 17, 143, 144, 145, 185, 186, 187, 511, 512, 513],
  [8335, 8336, 8337, 8377, 8378, 8379],
  [FILLED - 1, FILLED, FILLED + 1, FIRST - 1, FIRST, FIRST + 1, CHUNK - 1, CHUNK, CHUNK + 1],
  [FIRST + CHUNK - 1, FIRST + CHUNK, FIRST + CHUNK + 1],
].flat()

/** Gives `bytes` to `stage` in pieces of at most `size`. */
function feed(stage: Sealer | Opener, bytes: Buffer, size: number): void {
  for (let at = 0; at < bytes.length; at += size) stage.update(bytes.subarray(at, at + size))
  stage.end()
}

function collected(run: (emit: (bytes: Buffer) => void) => void): Buffer {
  const parts: Buffer[] = []
  run((part) => parts.push(Buffer.from(part)))
  return Buffer.concat(parts)
}

describe('what was sealed', () => {
  test.each(SIZES)('opens again: %d bytes', (size) => {
    const content = randomBytes(size)
    const sealed = sealBytes(passphrase, content)
    expect(openBytes(passphrase, sealed).equals(content)).toBe(true)
  })

  test.each(SIZES)('opens with openpgp.js: %d bytes', async (size) => {
    const content = randomBytes(size)
    const message = await readMessage({ binaryMessage: sealBytes(passphrase, content) })
    const { data, filename } = await decrypt({
      message,
      passwords: passphrase.toString(),
      format: 'binary',
    })
    expect(Buffer.from(data).equals(content)).toBe(true)
    expect(filename).toBeNull()
  })

  test.each([1, 7, 100, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])(
    'does not depend on pieces of %d bytes',
    (piece) => {
      const content = randomBytes(piece < 50 ? CHUNK + 300 : 5 * CHUNK + 300)
      const fixed = (bytes: number): Buffer => Buffer.alloc(bytes, 0x5a)
      const sealed = collected((emit) => feed(new Sealer(passphrase, emit, fixed), content, piece))
      expect(sealed.equals(sealBytes(passphrase, content, fixed))).toBe(true)
      const opened = collected((emit) => feed(new Opener(passphrase, emit), sealed, piece))
      expect(opened.equals(content)).toBe(true)
    },
  )

  test('is another one each time', () => {
    const content = Buffer.from('content')
    const sealed = Array.from({ length: 50 }, () =>
      sealBytes(passphrase, content).toString('latin1'),
    )
    // salt, and all that is encrypted
    expect(new Set(sealed.map((text) => text.slice(6, 14))).size).toBe(50)
    expect(new Set(sealed.map((text) => text.slice(18))).size).toBe(50)
  })

  test('reads input that is overwritten at once, and that is part of a larger buffer', () => {
    const reused = new Uint8Array(1000)
    const piece = reused.subarray(100, 600)
    const sealed = collected((emit) => {
      const sealer = new Sealer(passphrase, emit)
      for (let i = 0; i < 500; i++) sealer.update(piece.fill(i & 0xff))
      sealer.end()
    })
    const opened = collected((emit) => {
      const opener = new Opener(passphrase, emit)
      for (let at = 0; at < sealed.length; at += 500) {
        const part = sealed.subarray(at, at + 500)
        reused.set(part, 3)
        opener.update(reused.subarray(3, 3 + part.length))
        reused.fill(0)
      }
      opener.end()
    })
    const expected = Buffer.concat(
      Array.from({ length: 500 }, (_, i) => Buffer.alloc(500, i & 0xff)),
    )
    expect(opened.equals(expected)).toBe(true)
  })
})

test('a passphrase may be overwritten once sealer and opener have it', () => {
  const mine = Buffer.from(passphrase)
  const sealed = collected((emit) => {
    const sealer = new Sealer(mine, emit)
    mine.fill(0)
    sealer.update(Buffer.from('content'))
    sealer.end()
  })
  const again = Buffer.from(passphrase)
  const opened = collected((emit) => {
    const opener = new Opener(again, emit)
    again.fill(0)
    opener.update(sealed)
    opener.end()
  })
  expect(opened.toString()).toBe('content')
})

describe('a changed object', () => {
  // The same objects in every run: with one passphrase in 256, the bit that makes the first length two bytes long also
  // makes the byte after it a valid version, and what is wrong then is the prefix, as with another passphrase.
  const passphrase = Buffer.alloc(86, 'a secret')
  const fixed = (bytes: number): Buffer => Buffer.alloc(bytes, 0x5a)
  const content = Buffer.from('id\tname\n1\tanything\n')
  const small = sealBytes(passphrase, content, fixed)
  const large = sealBytes(passphrase, Buffer.alloc(2 * CHUNK + 9000, 'what stands in rows'), fixed)

  test('is refused for every single bit', () => {
    let asKey = 0
    for (let bit = 0; bit < small.length * 8; bit++) {
      const changed = Buffer.from(small)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const { kind } = failure(() => openBytes(passphrase, changed))
      expect(['integrity', 'key']).toContain(kind)
      if (kind === 'key') asKey++
    }
    // salt and repeated bytes: these look as another passphrase does
    expect(asKey).toBeGreaterThan(0)
    expect(asKey).toBeLessThanOrEqual((8 + 16 + 2) * 8)
  })

  test('is refused for every length and at the ends of chunks', () => {
    const lengths = [LENGTH, LENGTH + 1 + CHUNK, LENGTH + 2 * (1 + CHUNK)]
    const around = lengths.slice(1).flatMap((at) => [-2, -1, 0, 1, 2, 3, 4, 5].map((by) => at + by))
    for (const at of [LENGTH - 1, LENGTH, ...around, large.length - 21, large.length - 1]) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(large)
        changed[at]! ^= 1 << bit
        expect(failure(() => openBytes(passphrase, changed)).kind).toBe('integrity')
      }
    }
  })

  test('is refused where it is cut off at any byte', () => {
    for (let length = 0; length < small.length; length++) {
      const { kind } = failure(() => openBytes(passphrase, small.subarray(0, length)))
      expect(kind).toBe('integrity')
    }
    for (const length of [CHUNK, LENGTH + 1 + CHUNK, 2 * CHUNK, large.length - 1])
      expect(failure(() => openBytes(passphrase, large.subarray(0, length))).kind).toBe('integrity')
  })

  test('is refused where chunks change places or are missing', () => {
    const chunk = (index: number): Buffer => {
      const at = LENGTH + index * (1 + CHUNK)
      return large.subarray(at, at + 1 + CHUNK)
    }
    const head = large.subarray(0, LENGTH)
    const rest = large.subarray(LENGTH + 2 * (1 + CHUNK))
    expect(openBytes(passphrase, Buffer.concat([head, chunk(0), chunk(1), rest]))).toHaveLength(
      2 * CHUNK + 9000,
    )
    for (const parts of [
      [chunk(1), chunk(0), rest],
      [chunk(0), rest],
      [chunk(1), rest],
      [chunk(0), chunk(0), chunk(1), rest],
    ])
      expect(failure(() => openBytes(passphrase, Buffer.concat([head, ...parts]))).kind).toMatch(
        /integrity|key/,
      )
  })

  test('is refused where anything follows', () => {
    for (const added of [Buffer.alloc(1), small, Buffer.alloc(CHUNK)])
      expect(failure(() => openBytes(passphrase, Buffer.concat([small, added]))).kind).toBe(
        'integrity',
      )
  })

  test('is refused where its length is written in another way', () => {
    // five octets of length instead of one
    const length = small[LENGTH]!
    expect(length).toBeLessThan(192)
    const long = Buffer.concat([
      small.subarray(0, LENGTH),
      Buffer.from([0xff, 0, 0, 0, length]),
      small.subarray(LENGTH + 1),
    ])
    expect(failure(() => openBytes(passphrase, long)).kind).toBe('integrity')
  })

  test('keeps its failure: nothing after it succeeds', () => {
    const changed = Buffer.from(small)
    changed[40]! ^= 1
    const opener = new Opener(passphrase, () => {})
    const first = failure(() => {
      opener.update(changed)
      opener.end()
    })
    expect(failure(() => opener.update(small))).toBe(first)
    expect(failure(() => opener.end())).toBe(first)
  })
})

describe('a wrong passphrase', () => {
  const sealed = sealBytes(passphrase, Buffer.from('content'), (bytes) => Buffer.alloc(bytes, 7))

  test('of any kind is told as such, before anything is emitted', () => {
    const { a, b } = { a: passphrase.subarray(0, 43), b: passphrase.subarray(43) }
    const wrong: [string, Buffer][] = [
      ['a alone', a],
      ['b alone', b],
      ['swapped', Buffer.concat([b, a])],
      ['a twice', Buffer.concat([a, a])],
      ['with a line feed', Buffer.concat([passphrase, Buffer.from('\n')])],
      ['empty', Buffer.alloc(0)],
    ]
    for (const [, text] of wrong) {
      const emitted: Buffer[] = []
      const opener = new Opener(text, (part) => emitted.push(part))
      // the two repeated bytes agree by chance once in 65,536: then the packet within is wrong
      expect(failure(() => opener.update(sealed)).kind).toMatch(/^(key|integrity)$/)
      expect(emitted).toEqual([])
    }
  })

  test('never gets past both checks', () => {
    let asKey = 0
    for (let i = 0; i < 2000; i++) {
      const { kind } = failure(() => openBytes(randomBytes(64), sealed))
      if (kind === 'key') asKey++
    }
    expect(asKey).toBeGreaterThan(1990)
  })

  test('has a message without any of it', () => {
    const { message, hint } = failure(() => openBytes(Buffer.from('wrong horse'), sealed))
    expect(`${message} ${hint}`).not.toContain('horse')
  })
})

describe('another form of OpenPGP is refused', () => {
  const content = new TextEncoder().encode('content '.repeat(100))
  test.each<[string, PartialConfig]>([
    ['defaults of openpgp.js', {}],
    ['authenticated chunks', { aeadProtect: true }],
    ['compression', { preferredCompressionAlgorithm: enums.compression.zlib }],
    ['another password function', { s2kType: enums.s2k.argon2, aeadProtect: true }],
  ])('%s', async (_, config) => {
    const message = await encrypt({
      message: await createMessage({ binary: content }),
      passwords: passphrase.toString(),
      format: 'binary' as const,
      config: { s2kArgon2Params: { passes: 1, parallelism: 1, memoryExponent: 6 }, ...config },
    })
    const failed = failure(() => openBytes(passphrase, message))
    expect(failed.kind).toBe('integrity')
    expect(failed.message).toContain('does not begin as a sealed object does')
  })

  test('armor, text, nothing', () => {
    for (const text of ['-----BEGIN PGP MESSAGE-----\n\n', 'id\tname\n', ''])
      expect(failure(() => openBytes(passphrase, Buffer.from(text))).kind).toBe('integrity')
  })
})

test('an error of the taker comes out, and ends the opener', () => {
  const sealed = sealBytes(passphrase, Buffer.from('content'))
  const full = new Error('disk full')
  const opener = new Opener(passphrase, () => {
    throw full
  })
  expect(() => opener.update(sealed)).toThrow(full)
  expect(() => opener.end()).toThrow(full)
})

test('neither takes more once it has ended', () => {
  const sealer = new Sealer(passphrase, () => {})
  sealer.end()
  expect(() => sealer.update(Buffer.alloc(1))).toThrow('has ended')
  expect(() => sealer.end()).toThrow('has ended')
  const opener = new Opener(passphrase, () => {})
  opener.update(sealBytes(passphrase, Buffer.alloc(0)))
  opener.end()
  expect(() => opener.update(Buffer.alloc(1))).toThrow('has ended')
  expect(() => opener.end()).toThrow('has ended')
})
