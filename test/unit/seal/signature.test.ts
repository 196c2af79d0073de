import { describe, expect, test } from '@jest/globals'
import {
  createCleartextMessage,
  createMessage,
  enums,
  type PrivateKey,
  readPrivateKey,
  reformatKey,
  revokeKey,
  sign,
} from 'openpgp'
import { generateKey } from '../../../src/seal/generate.ts'
import { signDetached, verifyDetached } from '../../../src/seal/signature.ts'
import { rejection } from './failures.ts'
import { daysFromNow, makeKey } from './made-keys.ts'

const manifest = Buffer.from('{"label":"20261122T020000Z-crm"}\r\n')
const signer = await makeKey({ subkeys: [] })
const other = await makeKey()

const kinds = [
  ['ed25519', signer],
  ['RSA', await makeKey({ type: 'rsa', rsaBits: 2048 })],
  ['nistP256', await makeKey({ type: 'ecc', curve: 'nistP256' })],
  ['a subkey', await makeKey({ subkeys: [{ sign: true }] })],
] as const

/** As `signDetached`, at another time. */
async function signAt(key: PrivateKey, date: Date): Promise<Buffer> {
  const message = await createMessage({ binary: new Uint8Array(manifest) })
  return Buffer.from(await sign({ message, signingKeys: key, detached: true, date }))
}

describe('a signature', () => {
  test.each(kinds)('holds: %s', async (_, { key }) => {
    const signature = await signDetached(manifest, key)
    expect(signature.toString()).toMatch(/^-----BEGIN PGP SIGNATURE-----\n\n/)
    const verified = await verifyDetached(manifest, signature, [other.key, key.toPublic()])
    expect(verified.fingerprint).toBe(key.getFingerprint().toUpperCase())
    expect(Math.abs(verified.at.getTime() - Date.now())).toBeLessThan(10_000)
  })

  test('does not for any other content', async () => {
    const signature = await signDetached(manifest, signer.key)
    for (let bit = 0; bit < manifest.length * 8; bit++) {
      const changed = Buffer.from(manifest)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const failed = await rejection(verifyDetached(changed, signature, [signer.key]))
      expect(failed.kind).toBe('integrity')
      expect(failed.message).toContain(signer.key.getFingerprint().toUpperCase())
    }
    const ended = Buffer.from(manifest.toString().replace('\r\n', '\n'))
    for (const changed of [ended, Buffer.alloc(0), Buffer.concat([manifest, manifest])])
      expect((await rejection(verifyDetached(changed, signature, [signer.key]))).kind).toBe(
        'integrity',
      )
  })

  test('does not where it was changed itself', async () => {
    const signature = await signDetached(manifest, signer.key)
    const [head, body, tail] = signature.toString().split(/\n\n|\n=/)
    for (let at = 0; at < body!.length; at++) {
      if (body![at] === '\n') continue
      const digit = body![at] === 'A' ? 'B' : 'A'
      const text = `${head}\n\n${body!.slice(0, at)}${digit}${body!.slice(at + 1)}\n=${tail}`
      // the last digit of base64 may have bits that mean nothing, the unhashed part means nothing either
      const result = await verifyDetached(manifest, Buffer.from(text), [signer.key]).catch(
        (error: unknown) => error,
      )
      if (result instanceof Error) expect(result).toMatchObject({ kind: 'integrity' })
      else expect(result).toMatchObject({ fingerprint: expect.anything() })
    }
    for (const text of ['', 'hello', signature.subarray(0, 100), signer.publicText])
      expect(
        (await rejection(verifyDetached(manifest, Buffer.from(text), [signer.key]))).kind,
      ).toBe('integrity')
  })

  test('does not by a key that is not known', async () => {
    const signature = await signDetached(manifest, signer.key)
    for (const signers of [[], [other.key]]) {
      const failed = await rejection(verifyDetached(manifest, signature, signers))
      expect(failed.kind).toBe('integrity')
      expect(failed.message).toContain(signer.key.getKeyID().toHex().toUpperCase())
    }
  })

  test('is one of a binary document, not of text or something else', async () => {
    const text = manifest.toString()
    const ofText = await sign({
      message: await createMessage({ text }),
      signingKeys: signer.key,
      detached: true,
    })
    const clear = await sign({
      message: await createCleartextMessage({ text }),
      signingKeys: signer.key,
    })
    const inline = await sign({
      message: await createMessage({ binary: new Uint8Array(manifest) }),
      signingKeys: signer.key,
    })
    for (const signature of [ofText, clear, inline])
      expect(
        (await rejection(verifyDetached(manifest, Buffer.from(signature), [signer.key]))).kind,
      ).toBe('integrity')
  })
})

describe('time', () => {
  test('a key that has expired since still vouches for what it signed', async () => {
    const { key } = await makeKey({ date: daysFromNow(-10), keyExpirationTime: 5 * 86400 })
    const then = await signAt(key, daysFromNow(-7))
    const { at } = await verifyDetached(manifest, then, [key.toPublic()])
    expect(Math.abs(at.getTime() - daysFromNow(-7).getTime())).toBeLessThan(60_000)
    expect((await rejection(signDetached(manifest, key))).kind).toBe('key')
  })

  test('a signature from after the end of its key does not hold', async () => {
    const { key } = await makeKey({ date: daysFromNow(-10) })
    const signature = await signAt(key, daysFromNow(-2))
    const { publicKey } = await reformatKey({
      privateKey: key,
      userIDs: [{ name: 'Ada' }],
      keyExpirationTime: 5 * 86400,
      date: daysFromNow(-10),
      format: 'object',
    })
    expect((await rejection(verifyDetached(manifest, signature, [publicKey]))).kind).toBe(
      'integrity',
    )
  })

  test('a key that was prolonged after it signed', async () => {
    const { key } = await makeKey({ date: daysFromNow(-10), keyExpirationTime: 5 * 86400 })
    const signature = await signAt(key, daysFromNow(-7))
    const prolonged = await reformatKey({
      privateKey: key,
      userIDs: [{ name: 'Ada' }],
      keyExpirationTime: 8 * 86400,
      date: daysFromNow(-6),
      format: 'object',
    })
    // its newer signatures on itself are all that is left, and it has expired again
    const verified = await verifyDetached(manifest, signature, [prolonged.publicKey])
    expect(verified.fingerprint).toBe(key.getFingerprint().toUpperCase())
  })

  test('a signature from after the time of verifying does not count', async () => {
    const signature = await signDetached(manifest, signer.key)
    const failed = await rejection(
      verifyDetached(manifest, signature, [signer.key], daysFromNow(-1)),
    )
    expect(failed.kind).toBe('integrity')
  })

  test.each([
    ['as compromised', enums.reasonForRevocation.keyCompromised, false],
    ['without a reason', enums.reasonForRevocation.noReason, false],
    ['as retired', enums.reasonForRevocation.keyRetired, true],
    ['as superseded', enums.reasonForRevocation.keySuperseded, true],
  ])('a key that was revoked %s since', async (_, flag, holds) => {
    const { key } = await makeKey({ date: daysFromNow(-10) })
    const signature = await signAt(key, daysFromNow(-7))
    const { publicKey } = await revokeKey({
      key,
      reasonForRevocation: { flag },
      date: daysFromNow(-2),
      format: 'object',
    })
    const result = verifyDetached(manifest, signature, [publicKey])
    if (holds) expect(await result).toMatchObject({ at: expect.any(Date) })
    else expect((await rejection(result)).kind).toBe('integrity')
  })
})

test('of two signatures one has to hold', async () => {
  const message = await createMessage({ binary: new Uint8Array(manifest) })
  const signature = Buffer.from(
    await sign({ message, signingKeys: [other.key, signer.key], detached: true }),
  )
  for (const key of [signer.key, other.key])
    expect((await verifyDetached(manifest, signature, [key])).fingerprint).toBe(
      key.getFingerprint().toUpperCase(),
    )
})

test('a locked key or one for encryption only does not sign', async () => {
  const made = await generateKey({
    name: 'Ada',
    use: 'sign',
    passphrase: Buffer.from('locked'),
  })
  const locked = await readPrivateKey({ armoredKey: made.privateKey })
  expect((await rejection(signDetached(manifest, locked))).kind).toBe('key')
})
