import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { Opener } from '../../src/seal/opener.ts'
import { Sealer } from '../../src/seal/sealer.ts'
import { drawSecret, passphraseOf } from '../../src/seal/secret.ts'

const PIECE = randomBytes(1 << 20)
const PIECES = 256

test('sealing and opening a large object gives it back, and says how fast that went', () => {
  const passphrase = passphraseOf(drawSecret())
  const expected = createHash('sha256')
  for (let i = 0; i < PIECES; i++) expected.update(PIECE)

  let opening = 0
  let length = 0
  const opened = createHash('sha256')
  const opener = new Opener(passphrase, (bytes) => {
    length += bytes.length
    opened.update(bytes)
  })
  const sealer = new Sealer(passphrase, (bytes) => {
    const start = performance.now()
    opener.update(bytes)
    opening += performance.now() - start
  })
  const start = performance.now()
  for (let i = 0; i < PIECES; i++) sealer.update(PIECE)
  sealer.end()
  const sealing = performance.now() - start - opening
  opener.end()

  expect(length).toBe(PIECES * PIECE.length)
  expect(opened.digest('hex')).toBe(expected.digest('hex'))
  const speed = (milliseconds: number): string => (length / milliseconds / 1000).toFixed(0)
  process.stderr.write(
    `sealed at ${speed(sealing)} MB/s, opened (and its SHA-256 taken) at ${speed(opening)} MB/s\n`,
  )
})
