import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { openEnvelope } from '../../../src/seal/envelope.ts'
import { KeyRing, readPrivateKeys, unlockKey } from '../../../src/seal/key-ring.ts'
import { readPublicKeys } from '../../../src/seal/keys.ts'
import { openBytes } from '../../../src/seal/opener.ts'
import { sealBytes } from '../../../src/seal/sealer.ts'
import { deriveKey, halfDigest, parseHalf, passphraseOf } from '../../../src/seal/secret.ts'
import { verifyDetached } from '../../../src/seal/signature.ts'
import { SAFE_PASSPHRASE, vectorFile, vectorRandom, vectors } from './vectors.ts'

const secret = { a: parseHalf(vectors.a, 'a'), b: parseHalf(vectors.b, 'b') }
const passphrase = passphraseOf(secret)

test('digests of halves and derived keys stay what they were', () => {
  expect({ a: halfDigest(secret.a), b: halfDigest(secret.b) }).toEqual(vectors.digests)
  const { purpose, key } = vectors.derived
  expect(deriveKey(secret, purpose, 32).toString('hex')).toBe(key)
})

describe('sealed objects', () => {
  test.each(vectors.objects)('of %j', ({ text, count, size, sha256, sealed }) => {
    const content = Buffer.from(text.repeat(count))
    const made = sealBytes(passphrase, content, vectorRandom())
    expect(made).toHaveLength(size)
    expect(createHash('sha256').update(made).digest('hex')).toBe(sha256)
    if (sealed !== undefined) expect(made.toString('base64')).toBe(sealed)
    expect(openBytes(passphrase, made)).toEqual(content)
  })

  test('of up to 800 bytes take 66 to 68 bytes more', () => {
    for (let length = 0; length <= 800; length++) {
      const more = sealBytes(passphrase, Buffer.alloc(length)).length - length
      expect(more).toBeGreaterThanOrEqual(66)
      expect(more).toBeLessThanOrEqual(68)
    }
  })
})

test('envelopes open with their keys', async () => {
  const [operations] = await readPrivateKeys('a', vectorFile('operations.private.asc'))
  const [safe] = await readPrivateKeys('b', vectorFile('safe.private.asc'))
  const a = new KeyRing([await unlockKey(operations!, undefined)])
  const b = new KeyRing([await unlockKey(safe!, Buffer.from(SAFE_PASSPHRASE))])
  expect(await openEnvelope(vectorFile('a.envelope.asc'), a)).toEqual(secret.a)
  expect(await openEnvelope(vectorFile('b.envelope.asc'), b)).toEqual(secret.b)
})

test('the signature holds', async () => {
  const [host] = await readPublicKeys('host', vectorFile('host.public.asc'), { use: 'sign' })
  const { fingerprint } = await verifyDetached(
    vectorFile('manifest.json'),
    vectorFile('manifest.json.asc'),
    [host!.key],
  )
  expect(fingerprint).toBe(host!.fingerprint)
})
