import { createHash, hkdfSync } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import {
  deriveKey,
  drawSecret,
  halfDigest,
  parseHalf,
  parseSecret,
  passphraseOf,
  wipe,
} from '../../../src/seal/secret.ts'
import { failure } from './failures.ts'

const HALF = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'

describe('a drawn secret', () => {
  test('has two different halves of 32 bytes in base64url', () => {
    for (let i = 0; i < 200; i++) {
      const { a, b } = drawSecret()
      expect(a.equals(b)).toBe(false)
      for (const half of [a, b]) {
        const text = half.toString('latin1')
        const decoded = Buffer.from(text, 'base64url')
        expect(decoded).toHaveLength(32)
        expect(decoded.toString('base64url')).toBe(text)
        expect(parseHalf(text, 'a')).toEqual(half)
      }
    }
  })

  test('uses each character, and no two are alike', () => {
    const drawn = Array.from({ length: 300 }, () => drawSecret())
    const texts = drawn.flatMap(({ a, b }) => [a.toString('latin1'), b.toString('latin1')])
    expect(new Set(texts).size).toBe(600)
    for (let at = 0; at < 42; at++)
      expect(new Set(texts.map((text) => text[at])).size).toBeGreaterThan(60)
    expect(new Set(texts.map((text) => text[42])).size).toBe(16)
  })
})

describe('a half that somebody typed', () => {
  test.each([HALF, `${HALF}\n`, `  \t${HALF}\r\n\n`])('is taken: %j', (text) => {
    expect(parseHalf(text, 'a').toString()).toBe(HALF)
    expect(parseHalf(Buffer.from(text), 'a').toString()).toBe(HALF)
  })

  test.each([
    ['nothing', ''],
    ['too short', HALF.slice(1)],
    ['too long', `${HALF}A`],
    ['both halves', HALF + HALF],
    ['a space within', `${HALF.slice(0, 20)} ${HALF.slice(21)}`],
    ['plain base64', `${HALF.slice(0, 20)}+${HALF.slice(21)}`],
    ['a last character that no 32 bytes have', `${HALF.slice(0, 42)}9`],
    ['not ASCII', `${HALF.slice(0, 42)}ő`],
    ['as many characters in more bytes', `ő${HALF.slice(1)}`],
  ])('is refused: %s', (_, text) => {
    const { kind, message, hint } = failure(() => parseHalf(text, 'operations'))
    expect(kind).toBe('key')
    expect(message).toContain('operations')
    // neither of them quotes any of it
    for (let at = 0; at + 6 <= text.length; at++)
      expect(`${message} ${hint}`).not.toContain(text.slice(at, at + 6))
  })

  test('leaves what it was given alone', () => {
    const given = Buffer.from(`${HALF}\n`)
    wipe({ a: parseHalf(given, 'a'), b: Buffer.alloc(0) })
    expect(given.toString()).toBe(`${HALF}\n`)
  })
})

test('both halves in one text', () => {
  const secret = drawSecret()
  expect(parseSecret(`${passphraseOf(secret).toString()}\n`, 'verifier.asc')).toEqual(secret)
  for (const text of ['', HALF, `${HALF}${HALF}A`, `${HALF}\n${HALF}`]) {
    const { kind, message } = failure(() => parseSecret(text, 'verifier.asc'))
    expect(kind).toBe('key')
    expect(message).toContain('verifier.asc')
  }
})

test('the passphrase is a, then b', () => {
  const secret = drawSecret()
  const passphrase = passphraseOf(secret)
  expect(passphrase).toHaveLength(86)
  expect(passphrase.toString()).toBe(secret.a.toString() + secret.b.toString())
})

test('a digest of a half is the SHA-256 of its characters', () => {
  expect(halfDigest(Buffer.from(HALF))).toBe(createHash('sha256').update(HALF).digest('hex'))
})

describe('derived keys', () => {
  const secret = { a: Buffer.from(HALF), b: Buffer.from(HALF.split('').toReversed().join('')) }

  test('are HKDF-SHA256 of the passphrase', () => {
    const expected = hkdfSync('sha256', passphraseOf(secret), 'pgveil', 'rows', 32)
    expect(deriveKey(secret, 'rows', 32)).toEqual(Buffer.from(expected))
  })

  test('differ by purpose and by either half', () => {
    const other = drawSecret()
    const keys = [
      deriveKey(secret, 'rows', 32),
      deriveKey(secret, 'row', 32),
      deriveKey({ a: secret.a, b: other.b }, 'rows', 32),
      deriveKey({ a: other.a, b: secret.b }, 'rows', 32),
      deriveKey({ a: secret.b, b: secret.a }, 'rows', 32),
    ]
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(keys.length)
  })
})

test('wiping overwrites both halves', () => {
  const secret = drawSecret()
  wipe(secret)
  expect(secret).toEqual({ a: Buffer.alloc(43), b: Buffer.alloc(43) })
})
