import { describe, expect, test } from '@jest/globals'
import {
  armor,
  createMessage,
  encrypt,
  enums,
  type PrivateKey,
  readMessage,
  revokeKey,
  SymEncryptedIntegrityProtectedDataPacket,
  unarmor,
} from 'openpgp'
import { openEnvelope, sealEnvelope } from '../../../src/seal/envelope.ts'
import { generateKey } from '../../../src/seal/generate.ts'
import { KeyRing, readPrivateKeys, unlockKey } from '../../../src/seal/key-ring.ts'
import { openBytes } from '../../../src/seal/opener.ts'
import { sealBytes } from '../../../src/seal/sealer.ts'
import { drawSecret, parseHalf, passphraseOf, type Secret } from '../../../src/seal/secret.ts'
import { failure, rejection } from './failures.ts'
import { daysFromNow, makeKey } from './made-keys.ts'

const ada = await makeKey()
const ben = await makeKey({ type: 'ecc', curve: 'nistP256' })
const cleo = await makeKey({ type: 'rsa', rsaBits: 2048 })
const content = drawSecret().a

const idOf = (key: PrivateKey): string => key.subkeys[0]!.getKeyID().toHex().toUpperCase()

describe('an envelope', () => {
  test('opens with any of its keys and with no other', async () => {
    const armored = await sealEnvelope(content, [ada.key.toPublic(), ben.key.toPublic()])
    for (const key of [ada.key, ben.key])
      expect(await openEnvelope(armored, new KeyRing([key]))).toEqual(content)
    expect(await openEnvelope(armored, new KeyRing([cleo.key, ben.key]))).toEqual(content)
    const failed = await rejection(openEnvelope(armored, new KeyRing([cleo.key])))
    expect(failed.kind).toBe('key')
    expect(failed.message).toContain(idOf(ada.key))
    expect(failed.message).toContain(idOf(ben.key))
    expect((await rejection(openEnvelope(armored, new KeyRing([])))).kind).toBe('key')
  })

  test('has the one form that gpg 2.2 reads, whatever its keys prefer', async () => {
    const modern = await makeKey({
      config: {
        aeadProtect: true,
        preferredCompressionAlgorithm: enums.compression.zlib,
        preferredSymmetricAlgorithm: enums.symmetric.aes128,
      },
    })
    const armored = await sealEnvelope(content, [modern.key.toPublic()])
    expect(armored.toString()).toMatch(/^-----BEGIN PGP MESSAGE-----\n\n[^:]+$/)
    const { packets } = await readMessage({ armoredMessage: armored.toString() })
    const [, encrypted] = Array.from(packets)
    expect(encrypted).toBeInstanceOf(SymEncryptedIntegrityProtectedDataPacket)
    expect((encrypted as unknown as { version: number }).version).toBe(1)
    expect(await openEnvelope(armored, new KeyRing([modern.key]))).toEqual(content)
  })

  test('is another one each time', async () => {
    const made = await Promise.all([1, 2].map(() => sealEnvelope(content, [ada.key.toPublic()])))
    expect(made[0]!.equals(made[1]!)).toBe(false)
  })

  test('opens with keys that have expired or were revoked since: old backups outlive keys', async () => {
    const old = await makeKey({ date: daysFromNow(-10), keyExpirationTime: 5 * 86400 })
    const half = await encrypt({
      message: await createMessage({ binary: new Uint8Array(content) }),
      encryptionKeys: old.key.toPublic(),
      date: daysFromNow(-8),
    })
    expect(await openEnvelope(Buffer.from(half), new KeyRing([old.key]))).toEqual(content)
    const armored = await sealEnvelope(content, [cleo.key.toPublic()])
    const revoked = await revokeKey({ key: cleo.key, format: 'object' })
    expect(await openEnvelope(armored, new KeyRing([revoked.privateKey]))).toEqual(content)
  })

  test('is not made for keys that cannot be used', async () => {
    const expired = await makeKey({ date: daysFromNow(-10), keyExpirationTime: 86400 })
    const failed = await rejection(
      sealEnvelope(content, [ada.key.toPublic(), expired.key.toPublic()]),
    )
    expect(failed.kind).toBe('key')
    expect(failed.message).toContain(expired.key.getFingerprint().toUpperCase())
    expect((await rejection(sealEnvelope(content, []))).kind).toBe('key')
  })
})

describe('a changed envelope', () => {
  test('never yields anything else, for every bit of its text', async () => {
    const armored = await sealEnvelope(content, [ada.key.toPublic()])
    const ring = new KeyRing([ada.key])
    let refused = 0
    for (let bit = 0; bit < armored.length * 8; bit++) {
      const changed = Buffer.from(armored)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      const result = await openEnvelope(changed, ring).catch((error: unknown) => error)
      if (Buffer.isBuffer(result)) {
        expect(result).toEqual(content)
      } else {
        expect(result).toMatchObject({ kind: expect.stringMatching(/^(integrity|key)$/) })
        refused++
      }
    }
    // text around the armor, white space and padding bits are free
    expect(refused).toBeGreaterThan(armored.length * 7)
  })

  test('is refused as damaged where its encrypted bytes differ', async () => {
    const armored = await sealEnvelope(content, [ada.key.toPublic()])
    const lines = armored.toString().split('\n')
    lines[5] = lines[5]!.replace(/./, (c) => (c === 'A' ? 'B' : 'A'))
    const changed = Buffer.from(lines.filter((line) => !line.startsWith('=')).join('\n'))
    const failed = await rejection(openEnvelope(changed, new KeyRing([ada.key])))
    expect(failed.kind).toBe('integrity')
  })

  test.each<[string, () => Promise<string> | string]>([
    ['nothing', () => ''],
    ['text', () => 'a half'],
    ['too long', () => `${'x'.repeat(70_000)}`],
    [
      'a message that is not encrypted',
      async () => {
        const message = await createMessage({ binary: new Uint8Array(content) })
        return message.armor()
      },
    ],
    [
      'a message for a password',
      async () =>
        encrypt({
          message: await createMessage({ binary: new Uint8Array(content) }),
          passwords: 'x',
        }),
    ],
    [
      'a message for a key or a password',
      async () =>
        encrypt({
          message: await createMessage({ binary: new Uint8Array(content) }),
          passwords: 'x',
          encryptionKeys: ada.key.toPublic(),
        }),
    ],
    ['a key', () => ada.publicText.toString()],
  ])('is refused where it is %s', async (_, make) => {
    const failed = await rejection(openEnvelope(Buffer.from(await make()), new KeyRing([ada.key])))
    expect(failed.kind).toBe('integrity')
  })
})

test('what follows in the armor is not read past', async () => {
  const { data } = await unarmor((await sealEnvelope(content, [ada.key.toPublic()])).toString())
  const bytes = Buffer.from(data as unknown as Uint8Array)
  const ring = new KeyRing([ada.key])
  const rearm = (all: Uint8Array): Buffer => Buffer.from(armor(enums.armor.message, all))
  expect(await openEnvelope(rearm(bytes), ring)).toEqual(content)
  for (const added of [
    bytes,
    Buffer.from([0]),
    Buffer.from('cb08620000000000 7878'.replace(' ', ''), 'hex'),
  ])
    expect((await rejection(openEnvelope(rearm(Buffer.concat([bytes, added])), ring))).kind).toBe(
      'integrity',
    )
  for (let length = 0; length < bytes.length; length++)
    expect((await rejection(openEnvelope(rearm(bytes.subarray(0, length)), ring))).kind).toBe(
      'integrity',
    )
})

describe('a private key', () => {
  const passphrase = Buffer.from('tűzoltó lóval 7')

  test('is unlocked by its passphrase only', async () => {
    const made = await generateKey({ name: 'Ada', use: 'encrypt', passphrase })
    const [file] = await readPrivateKeys('ada.asc', Buffer.from(made.privateKey))
    expect(file).toMatchObject({ fingerprint: made.fingerprint, locked: true, userIds: ['Ada'] })
    const unlocked = await unlockKey(file!, passphrase)
    const armored = await sealEnvelope(content, [file!.key.toPublic()])
    expect(await openEnvelope(armored, new KeyRing([unlocked]))).toEqual(content)
    for (const wrong of [Buffer.from('tuzolto'), Buffer.concat([passphrase, passphrase])]) {
      const failed = await rejection(unlockKey(file!, wrong))
      expect(failed.kind).toBe('key')
      expect(failed.message).toBe(`the passphrase of key ${made.fingerprint} in ada.asc is wrong`)
    }
    for (const none of [undefined, Buffer.alloc(0)])
      expect((await rejection(unlockKey(file!, none))).message).toContain('needs a passphrase')
  })

  test('without a passphrase needs none', async () => {
    const [file] = await readPrivateKeys('ada.asc', ada.privateText)
    expect(file!.locked).toBe(false)
    expect(await unlockKey(file!, undefined)).toBe(file!.key)
  })

  test('is asked for where there are public ones only', async () => {
    const failed = await rejection(readPrivateKeys('ada.asc', ada.publicText))
    expect(failed).toMatchObject({ kind: 'key' })
    expect(failed.message).toContain('ada.asc')
  })
})

describe('two sides', () => {
  const content = Buffer.from('rows of a table')

  async function backup(): Promise<{ secret: Secret; sealed: Buffer; a: Buffer; b: Buffer }> {
    const secret = drawSecret()
    return {
      secret,
      sealed: sealBytes(passphraseOf(secret), content),
      a: await sealEnvelope(secret.a, [ada.key.toPublic()]),
      b: await sealEnvelope(secret.b, [ben.key.toPublic()]),
    }
  }
  const open = async (a: Buffer, b: Buffer, ring: KeyRing): Promise<Secret> => ({
    a: parseHalf(await openEnvelope(a, ring), 'a'),
    b: parseHalf(await openEnvelope(b, ring), 'b'),
  })

  test('together open a backup', async () => {
    const made = await backup()
    const secret = await open(made.a, made.b, new KeyRing([ada.key, ben.key]))
    expect(openBytes(passphraseOf(secret), made.sealed)).toEqual(content)
  })

  test('alone open the other envelope no more than anybody', async () => {
    const made = await backup()
    const adas = await rejection(openEnvelope(made.b, new KeyRing([ada.key])))
    const bens = await rejection(openEnvelope(made.a, new KeyRing([ben.key])))
    expect([adas.kind, bens.kind]).toEqual(['key', 'key'])
  })

  test('open nothing with halves that are alone, swapped or of another backup', async () => {
    const made = await backup()
    const other = await backup()
    const { a, b } = made.secret
    const nothing = Buffer.alloc(0)
    const guesses: Secret[] = [
      { a, b: nothing },
      { a: nothing, b },
      { a: b, b: a },
      { a, b: a },
      { a: b, b },
      { a, b: other.secret.b },
      { a: other.secret.a, b },
      other.secret,
    ]
    for (const guess of guesses)
      expect(failure(() => openBytes(passphraseOf(guess), made.sealed)).kind).toMatch(
        /^(key|integrity)$/,
      )
  })
})
