import { describe, expect, test } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../../../src/errors.ts'
import {
  BLOCK_BYTES,
  BlockReader,
  compressAll,
  compressBlock,
  decompressAll,
} from '../../../src/stream/blocks.ts'
import { frameContentSize } from '../../../src/stream/zstd-frame.ts'
import { numbers } from './copy-rows.ts'

const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../vectors/stream/blocks.json'), 'utf8'),
) as { what: string; blocks: string; sha256?: string; size?: number; refused?: string }[]

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function randomBytes(size: number, seed = 1): Buffer {
  const next = numbers(seed)
  const bytes = Buffer.alloc(size)
  for (let i = 0; i < size; i++) bytes[i] = next(256)
  return bytes
}

function text(size: number): Buffer {
  const next = numbers(8)
  const words = ['Kovács', 'Árpád', '\t', '\\N', '2024-01-01', ' ']
  let out = ''
  while (out.length < size) out += words[next(words.length)]
  return Buffer.from(out).subarray(0, size)
}

/** A block around any bytes in the place of its frame. */
function block(frame: Buffer, size = frame.length): Buffer {
  const header = Buffer.from('502a4d18' + '04000000' + '00000000', 'hex')
  header.writeUInt32LE(size, 8)
  return Buffer.concat([header, frame])
}

/** A frame that states `size` and repeats one byte in `runs` blocks of 128 KiB: 4 bytes make 131,072. */
function runLengths(size: number, runs: number): Buffer {
  const header = Buffer.from('28b52ffda0' + '00000000', 'hex')
  header.writeUInt32LE(size, 5)
  const run = Buffer.alloc(4)
  const blocks = Array.from({ length: runs }, (_, i) => {
    run.writeUIntLE((131_072 << 3) | (1 << 1) | Number(i === runs - 1), 0, 3)
    return Buffer.from(run)
  })
  return Buffer.concat([header, ...blocks])
}

function read(chunks: Buffer[]): Buffer {
  const pieces: Buffer[] = []
  const reader = new BlockReader((raw) => pieces.push(raw))
  for (const chunk of chunks) reader.update(chunk)
  reader.end()
  return Buffer.concat(pieces)
}

function thrownBy(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

function expectRefused(bytes: Buffer, fault: string | RegExp): void {
  const error = thrownBy(() => read([bytes]))
  expect(error).toBeInstanceOf(Failure)
  expect((error as Failure).kind).toBe('integrity')
  expect((error as Failure).message).toMatch(fault)
}

describe('a block', () => {
  const sizes = [0, 1, 255, 256, 257, 65_791, 65_792, 200_000, BLOCK_BYTES - 1, BLOCK_BYTES]

  test.each(sizes)('of %i bytes says how large its frame and its content are', (size) => {
    for (const raw of [text(size), randomBytes(size), Buffer.alloc(size)]) {
      for (const level of [1, 3, 9]) {
        const [header, frame] = compressBlock(raw, level)
        expect(header.toString('hex', 0, 8)).toBe('502a4d1804000000')
        expect(header.readUInt32LE(8)).toBe(frame.length)
        expect(frameContentSize(frame)).toBe(size)
        expect(read([header, frame]).equals(raw)).toBe(true)
      }
    }
  })

  test('of any level up to the highest states its size', () => {
    for (const level of [19, 22]) {
      expect(frameContentSize(compressBlock(text(300_000), level)[1])).toBe(300_000)
      expect(frameContentSize(compressBlock(Buffer.alloc(0), level)[1])).toBe(0)
    }
  })

  test('holds no more than its size', () => {
    expect(() => compressBlock(Buffer.alloc(BLOCK_BYTES + 1))).toThrow(RangeError)
  })

  test('is compressed from a view and forgets it', () => {
    const around = text(5000)
    const [header, frame] = compressBlock(around.subarray(100, 4000))
    const expected = Buffer.from(around.subarray(100, 4000))
    around.fill(0)
    expect(read([header, frame]).equals(expected)).toBe(true)
  })
})

describe('a stream of blocks', () => {
  const contents = [text(700), Buffer.alloc(0), randomBytes(300), Buffer.alloc(5000, 'x')]
  const stream = Buffer.concat(contents.flatMap((raw) => compressBlock(raw)))
  const whole = Buffer.concat(contents)

  test('may be cut anywhere', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const rest = stream.subarray(cut)
      const chunks = [stream.subarray(0, cut), rest.subarray(0, 5), rest.subarray(5)]
      expect(read(chunks).equals(whole)).toBe(true)
    }
    expect(read(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(whole)
  })

  test('hands on content that stays, whatever becomes of the chunk', () => {
    const kept: Buffer[] = []
    const reader = new BlockReader((raw) => kept.push(raw))
    for (const byte of stream) reader.update(Buffer.from([byte]))
    const chunk = Buffer.from(stream)
    reader.update(chunk)
    chunk.fill(0)
    expect(Buffer.concat(kept)).toEqual(Buffer.concat([whole, whole]))
  })

  test('that is cut short is refused unless the cut is between blocks', () => {
    const ends = new Map<number, number>()
    let [at, size] = [0, 0]
    for (const raw of contents) {
      at += compressBlock(raw).reduce((sum, { length }) => sum + length, 0)
      ends.set(at, (size += raw.length))
    }
    for (let cut = 0; cut < stream.length; cut++) {
      const head = stream.subarray(0, cut)
      const end = ends.get(cut)
      if (end === undefined) expectRefused(head, cut === 0 ? /is missing/ : /ends too early/)
      else expect(read([head])).toEqual(whole.subarray(0, end))
    }
  })

  test('with any one bit turned is refused or gives blocks of their size, and never ends the process', () => {
    let refused = 0
    for (let bit = 0; bit < stream.length * 8; bit++) {
      const turned = Buffer.from(stream)
      turned[bit >> 3] = (turned[bit >> 3] as number) ^ (1 << (bit & 7))
      const error = thrownBy(() => expect(read([turned]).length).toBe(whole.length))
      if (error === undefined) continue
      refused++
      expect(error).toBeInstanceOf(Failure)
      expect((error as Failure).kind).toBe('integrity')
    }
    // All bits of the four headers, at the least.
    expect(refused).toBeGreaterThan(4 * 12 * 8)
  })

  test('of nonsense in frames is refused and never ends the process', () => {
    const next = numbers(77)
    const frame = compressBlock(text(40_000))[1]
    for (let round = 0; round < 3000; round++) {
      const bytes = Buffer.from(frame.subarray(0, 1 + next(frame.length)))
      for (let i = next(30); i > 0; i--) bytes[next(bytes.length)] = next(256)
      // The last block's header is put right now and then, so that the decompressor gets to see it.
      if (round % 2 === 0 && bytes.length > 20) {
        frame.copy(bytes, 0, 0, 7)
        bytes.writeUIntLE(((bytes.length - 10) << 3) | (2 << 1) | 1, 7, 3)
      }
      const error = thrownBy(() => expect(read([block(bytes)]).length).toBe(40_000))
      if (error !== undefined) expect(error).toMatchObject({ kind: 'integrity' })
    }
  })
})

describe('what is refused', () => {
  const [header, frame] = compressBlock(text(1000))

  test.each([
    ['another magic', Buffer.concat([Buffer.from('512a4d18', 'hex'), header.subarray(4), frame])],
    ['plain zstd', Buffer.concat([frame, frame])],
    ['nonsense after the last block', Buffer.concat([header, frame, Buffer.alloc(12, 'x')])],
    ['another length of the header', block(frame).fill(8, 4, 5)],
  ])('%s', (_, bytes) => expectRefused(bytes, /does not begin as it should/))

  test('sizes that no block has, before memory is taken for them', () => {
    for (const size of [0, 1_052_673, 0xffffffff]) {
      const error = thrownBy(() => read([block(Buffer.alloc(0), size)]))
      expect((error as Failure).message).toMatch('block 1 has an impossible size')
    }
  })

  test('content that would grow beyond a block, said and unsaid', () => {
    expect(read([block(runLengths(BLOCK_BYTES, 8))]).equals(Buffer.alloc(BLOCK_BYTES))).toBe(true)
    expectRefused(block(runLengths(2 ** 30, 8192)), /would grow to more than 1048576 bytes/)
    expectRefused(block(runLengths(BLOCK_BYTES + 1, 9)), /would grow/)
    expectRefused(block(runLengths(BLOCK_BYTES, 8192)), /is damaged/)
    expectRefused(block(runLengths(BLOCK_BYTES, 7)), /is damaged|has not the size/)
  })

  test('a frame that hides another, or is followed by anything', () => {
    for (const extra of [runLengths(2 ** 30, 8192), frame, Buffer.alloc(1), header]) {
      expectRefused(block(Buffer.concat([frame, extra])), /is not one zstd frame/)
    }
  })

  test('frames without content size, with a dictionary, or with reserved bits', () => {
    const streamed = Buffer.from('28b52ffd0058' + '190000' + '616263', 'hex')
    expectRefused(block(streamed), /is not one zstd frame that states its size/)
    for (const bits of [1, 2, 3, 8]) {
      const changed = Buffer.from(frame)
      changed[4] = (changed[4] as number) | bits
      expectRefused(block(changed), /is not one zstd frame/)
    }
  })

  test('is named by what was read and which block it is, and quotes nothing of it', () => {
    const bytes = Buffer.concat([header, frame, header, Buffer.alloc(frame.length, 'secret')])
    const error = thrownBy(() => decompressAll(bytes, 10_000, 'tables/1.0.pgp'))
    expect((error as Failure).message).toBe(
      'cannot decompress tables/1.0.pgp: block 2 is not one zstd frame that states its size',
    )
    expect((error as Failure).hint).toBeDefined()
  })
})

describe('compressAll and decompressAll', () => {
  test.each([0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 2_500_000])(
    'give %i bytes back',
    (size) => {
      const raw = text(size)
      expect(decompressAll(compressAll(raw, 3), size).equals(raw)).toBe(true)
    },
  )

  test('stop at the limit', () => {
    const bytes = compressAll(Buffer.alloc(5_000_000))
    expect(thrownBy(() => decompressAll(bytes, 4_999_999, 'pre-data.sql'))).toMatchObject({
      kind: 'integrity',
      message: 'pre-data.sql is larger than 4999999 bytes',
    })
  })
})

describe('vectors', () => {
  test.each(vectors)('$what', ({ blocks, sha256: digest, size, refused }) => {
    const bytes = Buffer.from(blocks, 'base64')
    if (refused !== undefined) return expectRefused(bytes, refused)
    const raw = decompressAll(bytes, 4 * BLOCK_BYTES)
    expect({ size: raw.length, digest: sha256(raw) }).toEqual({ size, digest })
  })
})

test('the zstd command reads our blocks, and the blocks of nothing', () => {
  const { error } = spawnSync('zstd', ['--version'])
  if (error) {
    process.stderr.write('\nNOT TESTED: whether zstd -d reads our blocks: there is no zstd here\n')
    return
  }
  for (const size of [0, 1, 1000, 3_000_000]) {
    const raw = Buffer.concat([text(size >> 1), randomBytes(size - (size >> 1))])
    const { status, stdout, stderr } = spawnSync('zstd', ['-d', '-c', '-q'], {
      input: compressAll(raw),
      maxBuffer: 2 * size + 1000,
    })
    expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' })
    expect(stdout.equals(raw)).toBe(true)
  }
})
